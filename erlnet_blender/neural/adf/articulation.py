"""The face channels that the speech model moves, and what each one does to a FLAME-format head.

`ARTICULATION` are the movements of speech, `EXPRESSION` what style adds to them; all are 0 at rest and 1 at the full
movement, but for `asymmetry`, which runs from -1 to 1. They run at `CHANNEL_RATE_HZ`; sample i stands for the interval
[i, i + 1) / CHANNEL_RATE_HZ.
"""

from __future__ import annotations

import numpy as np

CHANNEL_RATE_HZ = 50
ARTICULATION = (
    "jaw", "closure", "pucker", "funnel", "stretch", "lip_tuck", "upper_lip_raise", "lower_lip_depress",
    "tongue_up", "tongue_out", "tongue_back",
)  # fmt: skip
EXPRESSION = (
    "smile", "frown", "brow_raise", "brow_inner", "brow_down", "squint", "eye_wide", "sneer", "grimace", "asymmetry",
)  # fmt: skip
MOUTH = (*ARTICULATION, *EXPRESSION)
# Contacts: either made or not. They are learnt as probabilities and no style may change them.
CONTACTS = ("closure", "lip_tuck", "tongue_up", "tongue_out", "tongue_back")
SHAPES = tuple(name for name in ARTICULATION if name not in CONTACTS)
# What asymmetry tilts: times 1 + asymmetry on the head's own left, 1 - asymmetry on its right.
TILTED = ("smile", "frown", "brow_raise", "sneer")
LOWEST = np.array([-1.0 if name == "asymmetry" else 0.0 for name in MOUTH], np.float32)

# The classes of the auxiliary phone head; the first is silence.
PHONE_CLASSES = (
    "sil", "m", "b", "p", "f", "v", "th", "t", "d", "n", "l", "s", "z", "sh", "zh", "r", "tap", "k", "g", "ng", "h",
    "j", "w", "i", "e", "a", "A", "o", "u", "@", "er", "y", "oe",
)  # fmt: skip
BILABIAL_CLASSES = ("m", "b", "p")

JAW_OPEN_RAD = 0.28
"""Jaw rotation at channel value 1: 16 degrees, a wide open speaking mouth."""
SEALED_JAW_RAD = np.deg2rad(10.0)
"""The head's `mouth_close` at 1 seals the lips against a jaw of this angle."""
BREATH_FLARE = 0.4
"""How far a deep breath widens the nostrils."""
LIPS_PRESS = 0.35
"""How much `lips_press` a full closure adds: soft tissue that meets is squeezed."""

# Sealed lips cannot be parted by what shapes them: how far a full closure takes each shape back.
YIELD_TO_CLOSURE = {
    "pucker": 0.6,
    "funnel": 0.9,
    "stretch": 0.5,
    "upper_lip_raise": 0.9,
    "lower_lip_depress": 0.9,
    "lip_tuck": 0.9,
}
_APART_JAW = 0.15
_LEAST_TO_TILT = 0.1
"""Where less than this is shown in all, a difference between left and right is no asymmetry but noise."""

# Expression name to the channels that move it, with gains. jaw, closure and asymmetry are bilinear and handled apart.
# A grimace is lips drawn wide all along; the platysma, which draws them, shows in the neck and tells it from speech.
_LINEAR: dict[str, dict[str, float]] = {
    "pucker": {"pucker": 1.0},
    "funnel": {"funnel": 1.0},
    "stretch_L": {"stretch": 0.7, "grimace": 0.8},
    "stretch_R": {"stretch": 0.7, "grimace": 0.8},
    "f_tuck": {"lip_tuck": 1.0},
    "upper_lip_raise_L": {"upper_lip_raise": 0.8, "lip_tuck": 0.15, "lip_of_sneer": 0.5},
    "upper_lip_raise_R": {"upper_lip_raise": 0.8, "lip_tuck": 0.15, "lip_of_sneer": 0.5},
    "lower_lip_depress_L": {"lower_lip_depress": 0.7},
    "lower_lip_depress_R": {"lower_lip_depress": 0.7},
    "tongue_up": {"tongue_up": 1.0},
    "tongue_out": {"tongue_out": 0.7},
    "tongue_back": {"tongue_back": 0.8},
    "smile_L": {"smile": 1.0},
    "smile_R": {"smile": 1.0},
    "dimple_L": {"smile": 0.2},
    "dimple_R": {"smile": 0.2},
    "cheek_raise_L": {"smile": 0.5},
    "cheek_raise_R": {"smile": 0.5},
    "frown_L": {"frown": 1.0},
    "frown_R": {"frown": 1.0},
    "brow_outer_up_L": {"brow_raise": 1.0},
    "brow_outer_up_R": {"brow_raise": 1.0},
    "brow_inner_up": {"brow_raise": 0.8, "brow_inner": 1.0},
    "brow_down_L": {"brow_down": 1.0},
    "brow_down_R": {"brow_down": 1.0},
    "nose_wrinkle_L": {"brow_down": 0.2, "sneer": 1.0},
    "nose_wrinkle_R": {"brow_down": 0.2, "sneer": 1.0},
    "squint_L": {"squint": 1.0, "smile": 0.25},
    "squint_R": {"squint": 1.0, "smile": 0.25},
    "eye_wide_L": {"eye_wide": 1.0},
    "eye_wide_R": {"eye_wide": 1.0},
    "neck_tighten": {"grimace": 0.5},
}
# Channel, what another channel put into its expressions, and how much of it.
_MIXED = (
    ("brow_inner", "brow_raise", 0.8), ("squint", "smile", 0.25), ("sneer", "brow_down", 0.2),
    ("stretch", "grimace", 0.8 / 0.7), ("upper_lip_raise", "lip_tuck", 0.15 / 0.8),
)  # fmt: skip
_PAIR_OF = {"smile": "smile", "frown": "frown", "brow_raise": "brow_outer_up", "sneer": "nose_wrinkle"}
USED_EXPRESSIONS = ("mouth_close", "lips_press", *_LINEAR, "nostril_flare_L", "nostril_flare_R")


def column(name: str) -> int:
    """The column of a channel in `MOUTH`."""
    return MOUTH.index(name)


def jaw_pose_of(mouth: np.ndarray) -> np.ndarray:
    """(N, 3) jaw rotation, axis-angle radians, from (N, len(MOUTH)) channels: about +x, positive opens."""
    pose = np.zeros((len(mouth), 3), np.float32)
    pose[:, 0] = JAW_OPEN_RAD * mouth[:, column("jaw")]
    return pose


def expressions_of(
    mouth: np.ndarray, names: list[str], breath: np.ndarray | float = 0.0
) -> tuple[np.ndarray, list[str]]:
    """Expression coefficients of a head from channels.

    `mouth_close` is bilinear: a seal must undo what the jaw opens, so it is closure times jaw angle over 10 degrees;
    and the shapes that would part the lips give way to a seal. Asymmetry makes one side of `TILTED` stronger than the
    other. Everything else is linear.

    Args:
        mouth: (N, len(MOUTH)) channels.
        names: the head's expression names, in its order.
        breath: (N,) 0..1, how deep a breath is drawn: it shows in the nostrils.

    Returns:
        (N, E) coefficients, 0..1; and the expressions that this head lacks, which were left out.
    """
    coefficients = np.zeros((len(mouth), len(names)), np.float32)
    values = {name: mouth[:, column(name)] for name in MOUTH}
    closure = values["closure"]
    values["lip_of_sneer"] = values["sneer"] * _apart(values["jaw"], closure)
    values |= {name: values[name] * (1 - share * closure) for name, share in YIELD_TO_CLOSURE.items()}
    named = {
        "mouth_close": closure * (JAW_OPEN_RAD * values["jaw"] / SEALED_JAW_RAD),
        "lips_press": LIPS_PRESS * closure,
        "nostril_flare_L": BREATH_FLARE * breath,
        "nostril_flare_R": BREATH_FLARE * breath,
    }
    tilted = (*TILTED, "lip_of_sneer")
    for expression, gains in _LINEAR.items():
        side = 1 + values["asymmetry"] * {"_L": 1, "_R": -1}.get(expression[-2:], 0)
        named[expression] = sum(
            gain * values[channel] * (side if channel in tilted else 1) for channel, gain in gains.items()
        )
    for expression, value in named.items():
        if expression in names:
            coefficients[:, names.index(expression)] = np.clip(value, 0, 2 if expression == "mouth_close" else 1)
    return coefficients, [name for name in USED_EXPRESSIONS if name not in names]


def _apart(jaw: np.ndarray, closure: np.ndarray) -> np.ndarray:
    """How far the lips are apart, 0..1: a sneer lifts the upper lip no more than that, and parts no shut mouth."""
    return np.clip(jaw / _APART_JAW, 0, 1) * np.clip(1 - closure, 0, 1)


def mouth_of(jaw_pose: np.ndarray, expr: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Channels of a motion that somebody else made: the inverse of `expressions_of`, as far as it is known.

    Args:
        jaw_pose: (N, 3) radians; expr: (N, E); names: the expression names of its head, or names it does not know.

    Returns:
        (N, len(MOUTH)) channels, and (len(MOUTH),) bool: which of them the head's expressions let us see.
    """
    mouth = np.zeros((len(expr), len(MOUTH)), np.float32)
    seen = np.zeros(len(MOUTH), bool)

    def take(channel: str, value: np.ndarray) -> None:
        mouth[:, column(channel)] = value
        seen[column(channel)] = True

    def mean_of(*expressions: str) -> np.ndarray | None:
        found = [expr[:, names.index(name)] for name in expressions if name in names]
        return np.mean(found, axis=0) if found else None

    take("jaw", jaw_pose[:, 0] / JAW_OPEN_RAD)
    sources: dict[str, tuple[tuple[str, ...], float]] = {
        "closure": (("lips_press",), LIPS_PRESS),
        "pucker": (("pucker",), 1.0),
        "funnel": (("funnel",), 1.0),
        "stretch": (("stretch_L", "stretch_R"), 0.7),
        "lip_tuck": (("f_tuck",), 1.0),
        "upper_lip_raise": (("upper_lip_raise_L", "upper_lip_raise_R"), 0.8),
        "lower_lip_depress": (("lower_lip_depress_L", "lower_lip_depress_R"), 0.7),
        "tongue_up": (("tongue_up",), 1.0),
        "tongue_out": (("tongue_out",), 0.7),
        "tongue_back": (("tongue_back",), 0.8),
        "smile": (("smile_L", "smile_R"), 1.0),
        "frown": (("frown_L", "frown_R"), 1.0),
        "brow_raise": (("brow_outer_up_L", "brow_outer_up_R"), 1.0),
        "brow_inner": (("brow_inner_up",), 1.0),
        "brow_down": (("brow_down_L", "brow_down_R"), 1.0),
        "squint": (("squint_L", "squint_R"), 1.0),
        "eye_wide": (("eye_wide_L", "eye_wide_R"), 1.0),
        "sneer": (("nose_wrinkle_L", "nose_wrinkle_R"), 1.0),
        "grimace": (("neck_tighten",), 0.5),
    }
    for channel, (expressions, gain) in sources.items():
        value = mean_of(*expressions)
        if value is not None:
            take(channel, value / gain)
    # Mixed expressions give back what another channel put in.
    closure = np.clip(mouth[:, column("closure")], 0, 1)
    given = {other: mouth[:, column(other)] for other in ("brow_raise", "smile", "brow_down", "grimace", "lip_tuck")}
    for channel, other, share in _MIXED:
        if seen[column(channel)]:
            mouth[:, column(channel)] -= share * given[other]
    if seen[column("upper_lip_raise")]:
        mouth[:, column("upper_lip_raise")] -= (
            0.5 / 0.8 * mouth[:, column("sneer")] * _apart(mouth[:, column("jaw")], closure)
        )
    for channel, share in YIELD_TO_CLOSURE.items():
        mouth[:, column(channel)] /= 1 - share * closure
    if seen[[column(channel) for channel in TILTED]].all():
        take("asymmetry", _asymmetry_of(expr, names, mouth))
    return np.clip(mouth, LOWEST, 2), seen


def _asymmetry_of(expr: np.ndarray, names: list[str], mouth: np.ndarray) -> np.ndarray:
    """(N,) the difference between left and right of what asymmetry tilts, over their sum."""
    difference, whole = np.zeros((2, len(expr)), np.float32)
    for channel in TILTED:
        left, right = (expr[:, names.index(f"{_PAIR_OF[channel]}_{side}")] for side in "LR")
        difference += left - right
        whole += 2 * np.clip(mouth[:, column(channel)], 0, None)
    return np.clip(difference / np.maximum(whole, _LEAST_TO_TILT), -1, 1)
