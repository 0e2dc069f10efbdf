"""What of a mouth touches, and how edits leave it touching: sealed lips, the lip at the teeth, the tongue.

The head's contract: `mouth_close` at jaw angle / 10° seals the lips, `lips_press` 0.35 squeezes them; `f_tuck` lays the
lower lip on the upper teeth. Heads whose expressions have no names have none of these, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..controls import FACE_BONE, OPEN_JAW_RAD, SIGNED, expression_key
from ..drags import OPEN_KEY
from .motion import Pulse
from .sampling import Motion

SEALED_JAW_RAD = np.radians(10.0)
PRESS = 0.35
# Below this opening of the jaw lips are sealed or not by their press alone.
_LEAST_JAW_RAD = np.radians(2.0)
CONTACTS = ("lips_press", "f_tuck", "tongue_up", "tongue_out", "tongue_back")
# Expressions that part sealed lips, and how far a full seal takes each back.
PARTING = {
    "funnel": 0.9, "pucker": 0.6, "stretch_L": 0.5, "stretch_R": 0.5, "f_tuck": 0.9, "upper_lip_raise_L": 0.9,
    "upper_lip_raise_R": 0.9, "lower_lip_depress_L": 0.9, "lower_lip_depress_R": 0.9, "lips_part": 1.0,
    "upper_lip_shrug": 0.9, "sharp_lip_pull_L": 0.9, "sharp_lip_pull_R": 0.9, "tongue_out": 1.0,
    "lip_blow": 1.0,
}  # fmt: skip
# Controls that add to contacts.
_CONTROLS = ("close", "press", "f_v")

Targets = dict[tuple[str, str], np.ndarray]


def jaw_opening(motion: Motion) -> np.ndarray:
    """(N,) how far the jaw is open, radians: its bone, the control `open` and the handle of the chin."""
    return motion.turn("jaw").values[:, 0] + OPEN_JAW_RAD * motion.total(OPEN_KEY)


def _total(motion: Motion, name: str) -> np.ndarray:
    names = motion.head.expression_names
    return motion.total(expression_key(names.index(name))) if name in names else np.zeros(len(motion.frames))


def seal(motion: Motion) -> np.ndarray:
    """(N,) how far the lips are sealed, 0 open to 1."""
    jaw = jaw_opening(motion)
    against = _total(motion, "mouth_close") * SEALED_JAW_RAD / np.maximum(jaw, _LEAST_JAW_RAD)
    return np.clip(np.maximum(against * (jaw >= _LEAST_JAW_RAD), _total(motion, "lips_press") / PRESS), 0, 1)


def kept(motion: Motion, targets: Mapping[tuple[str, str], np.ndarray]) -> Targets:
    """Targets that leave every contact of the motion as it is, and every named expression in its range.

    The jaw may move under sealed lips: `mouth_close` follows it. What would part sealed lips gives way to the seal.
    """
    head = motion.head
    result = {key: np.array(values, float) for key, values in targets.items()}
    if not head.meta.get("expression_names"):
        return result
    names, sealed = head.expression_names, seal(motion)
    tucked = np.clip(_total(motion, "f_tuck"), 0, 1)
    jaw = motion.turn("jaw")
    moved = np.zeros(len(motion.frames))
    if jaw.key in result:
        now, wanted = jaw.values, result[jaw.key]
        wanted = now + (wanted - now) * (1 - tucked)[:, None]
        # No further shut than it ever is.
        wanted[:, 0] = np.maximum(wanted[:, 0], np.minimum(now[:, 0], 0))
        result[jaw.key], moved = wanted, wanted[:, 0] - now[:, 0]
    for name in _CONTROLS:
        result.pop((FACE_BONE, f'["{name}"]'), None)
    for name in names:
        channel = motion.expression(name)
        if channel is None:
            continue
        key, now = channel.key, channel.raw
        if name == "mouth_close":
            if moved.any() or key in result:
                result[key] = now + (sealed * moved / SEALED_JAW_RAD)[:, None]
        elif name in CONTACTS:
            result.pop(key, None)
        elif key in result:
            low, high = (-1.0 if name in SIGNED else 0.0), 1.0
            wanted = np.clip(result[key], np.minimum(now, low), np.maximum(now, high))
            result[key] = now + (wanted - now) * (1 - sealed * (name in PARTING))[:, None]
    return result


def closed(motion: Motion, pulse: Pulse, press: float) -> Targets:
    """The lips sealed as far as a pulse says, against the jaw as it moves; what parts them gives way.

    Args:
        press: how firmly they meet: 1 as for m, b and p.
    """
    share = pulse.at(motion.frames)
    targets: Targets = {}

    def lead(name: str, wanted: np.ndarray) -> None:
        channel = motion.expression(name)
        if channel is not None:
            change = share * (wanted - _total(motion, name))
            targets[channel.key] = channel.raw + change[:, None]

    for name, back in PARTING.items():
        lead(name, (1 - back) * _total(motion, name))
    lead("mouth_close", np.maximum(jaw_opening(motion), 0) / SEALED_JAW_RAD)
    lead("lips_press", np.maximum(PRESS * press, _total(motion, "lips_press")))
    return targets
