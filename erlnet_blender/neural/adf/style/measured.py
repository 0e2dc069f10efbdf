"""The style of a motion that somebody filmed, animated or tracked, measured in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ....errors import ErlnetError
from ....face_track import FaceTrack
from ....formats.head_model import HeadModel
from ...flame.correspondence import default_head
from ...flame.refit import refit
from ..articulation import CHANNEL_RATE_HZ, CONTACTS, EXPRESSION, MOUTH, SHAPES, USED_EXPRESSIONS, column, mouth_of
from ..behaviour.gaze import GAZE_GAIN
from ..behaviour.timing import smooth
from ..closure import runs
from ..network import SpeechToFaceNetwork
from ..network.style_encoder import RESIDUAL_SIZE
from .factors import HIGHEST, LOWEST, NAMES, NEUTRAL, code_of, with_values
from .head_statistics import head_statistics
from .presets import preset_code

# Standard deviations of the neutral rule-made corpus (development split), against which amplitudes are measured, and
# how much each tells of the lips as a whole: some sounds are rare.
_TYPICAL_SPREAD = {
    "jaw": 0.153, "pucker": 0.162, "funnel": 0.124, "stretch": 0.139, "upper_lip_raise": 0.043,
    "lower_lip_depress": 0.074,
}  # fmt: skip
_LIPS = {"pucker": 0.15, "funnel": 0.2, "stretch": 0.5, "upper_lip_raise": 0.05, "lower_lip_depress": 0.1}
_ROUNDING, _SPREADING = {"pucker": 0.85, "funnel": 0.15}, {"stretch": 1.0}
# 10 % to 90 % range of the smoothed accents: what a smile or brow that follows them moves by, per unit of its factor.
_SLOW_ACCENT_RANGE, _ACCENT_RANGE = 0.48, 0.56
_LEAST_JAW_SPREAD = 0.02
_SHORTEST_S, _WINDOW_S = 1.0, 4.0
_MOST_WINDOWS = 16
_BLINK_PRIOR_S = 30.0
_AMPLITUDE_PRIOR_S = 2.5
_TALKING = 0.05
_LEAST_BROW_RANGE = 0.04
_LONGEST_REFIT_S = 16.0


def style_code(style: str, strength: float, head: HeadModel, network: SpeechToFaceNetwork) -> tuple[np.ndarray, str]:
    """(128,) code of a preset or of a FaceTrack file, `strength` times as far from neutral; and a note, often empty.

    Raises:
        ErlnetError: unknown preset, unusable file, or a strength outside 0..3.
    """
    if not (np.isfinite(strength) and 0 <= strength <= 3):
        raise ErlnetError(f"Style strength {strength} is not between 0 and 3")
    if str(style).lower().endswith(".npz"):
        code, note = track_code(FaceTrack.load(Path(style)), head, network)
    else:
        code, note = preset_code(style), ""
    return code * np.float32(strength), note


def track_code(track: FaceTrack, head: HeadModel, network: SpeechToFaceNetwork) -> tuple[np.ndarray, str]:
    """(128,) style code of a motion, and a note on what could not be seen in it.

    Where the expressions of the track's head have no names, as FLAME's, the first seconds of it are refitted to the
    default head, and the residual code stays neutral. Where that head is another than `head`, its expressions mean
    nothing here: then jaw, head, eyes and eyelids speak alone.

    Raises:
        ErlnetError: the track is shorter than a second.
    """
    if track.duration_s < _SHORTEST_S:
        raise ErlnetError(
            f"Style reference is {track.duration_s:.2f} s long", "", "use at least 1 s, better 4 s or more, of speech"
        )
    track, names = _named(track, head)
    mouth, seen = mouth_of(track.jaw_pose, track.expr, names)
    mouth = _at_channel_rate(mouth, track.fps)
    head_rad = _at_channel_rate(track.rotation + track.neck_pose, track.fps)
    eyes = _at_channel_rate(track.eyes_pose, track.fps)
    factors = measured_factors(mouth, seen, head_rad, _at_channel_rate(track.eyelids, track.fps), eyes)
    if not seen.all():
        missing = [name for name, there in zip(MOUTH, seen, strict=True) if not there]
        note = f"style reference shows nothing of {', '.join(missing)}: neutral there"
        return np.concatenate([code_of(factors), np.zeros(RESIDUAL_SIZE, np.float32)]), note
    residual = residual_code(mouth, network) if track.head_id == head.id else np.zeros(RESIDUAL_SIZE, np.float32)
    return np.concatenate([code_of(factors), residual]), ""


def _named(track: FaceTrack, head: HeadModel) -> tuple[FaceTrack, list[str]]:
    """The track, on a head whose expressions have names if that can be; and these names, else none."""
    if track.head_id != head.id:
        return track, []
    if not set(USED_EXPRESSIONS).isdisjoint(head.expression_names):
        return track, head.expression_names
    track = track[: round(_LONGEST_REFIT_S * track.fps)]
    try:
        return refit(track, head, default_head()).track, default_head().expression_names
    except ErlnetError:
        return track, []


def measured_factors(
    mouth: np.ndarray, seen: np.ndarray, head_rad: np.ndarray, eyelids: np.ndarray, eyes_rad: np.ndarray
) -> np.ndarray:
    """(28,) factor values measured in motion at 50 Hz; neutral where nothing can be measured.

    Amplitudes are spreads against those of neutral speech; resting expression is the median, its liveliness the range
    from 10 % to 90 %; the head see `head_statistics`; blink rate leans towards the usual one, as a few seconds hold too
    few blinks to count.

    Args:
        mouth: (T, 21) of which `seen` (21,) can be believed; head_rad: (T, 3); eyelids: (T, 2); eyes_rad: (T, 6).
    """
    visible = {name: mouth[:, column(name)] for name in MOUTH if seen[column(name)]}
    duration_s = len(eyelids) / CHANNEL_RATE_HZ
    shapes = [visible[name] for name in SHAPES if name in visible]
    talking = (np.max(shapes, axis=0) > _TALKING).astype(float)
    found = {**_amplitudes(visible, duration_s), **_expression(visible)}
    found |= head_statistics(np.rad2deg(head_rad), talking, _accents(visible))
    # Where they look, not how the eyes stand in the head: they make up for most of its turns.
    look_deg = np.rad2deg((eyes_rad[:, :3] + eyes_rad[:, 3:]) / 2 + GAZE_GAIN * head_rad)
    if eyes_rad.any():
        found["gaze_pitch_deg"], found["gaze_yaw_deg"] = map(float, np.median(look_deg[:, :2], axis=0))
        found["gaze_spread_deg"] = float(look_deg[:, 1].std())
    count = len(runs(eyelids.mean(1) > 0.5))
    usual = NEUTRAL[NAMES.index("blinks_per_minute")]
    found["blinks_per_minute"] = 60 * (count + usual / 60 * _BLINK_PRIOR_S) / (duration_s + _BLINK_PRIOR_S)
    return np.clip(with_values(**found), LOWEST, HIGHEST)


def mouth_factors(mouth: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """As `measured_factors`, of (T, 21) mouth and brows alone; the others stay neutral."""
    visible = {name: mouth[:, column(name)] for name in MOUTH if seen[column(name)]}
    found = {**_amplitudes(visible, len(mouth) / CHANNEL_RATE_HZ), **_expression(visible)}
    return np.clip(with_values(**found), LOWEST, HIGHEST)


def _amplitudes(visible: dict[str, np.ndarray], duration_s: float) -> dict[str, float]:
    """What is said in a few seconds moves the lips as much as how it is said: the shorter, the less is believed.

    Rounding and spreading are ratios to the lips as a whole, so that factors multiplied tell what was seen.
    """
    ratio = {name: float(visible[name].std()) / typical for name, typical in _TYPICAL_SPREAD.items() if name in visible}
    if ratio["jaw"] * _TYPICAL_SPREAD["jaw"] <= _LEAST_JAW_SPREAD:
        return {}
    belief = duration_s / (duration_s + _AMPLITUDE_PRIOR_S)

    def together(weights: dict[str, float]) -> float | None:
        seen = {name: weight for name, weight in weights.items() if name in ratio}
        logs = [weight * np.log(max(ratio[name], 0.05)) for name, weight in seen.items()]
        return float(np.exp(belief * sum(logs) / sum(seen.values()))) if seen else None

    found = {"jaw_amplitude": ratio["jaw"] ** belief}
    lips = together(_LIPS)
    if lips is not None:
        found["lip_amplitude"] = lips
        own = {"rounding_amplitude": together(_ROUNDING), "spreading_amplitude": together(_SPREADING)}
        found |= {name: value / lips for name, value in own.items() if value is not None}
    return found


def _expression(visible: dict[str, np.ndarray]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in EXPRESSION:
        if name in visible:
            low, middle, high = np.quantile(visible[name], [0.1, 0.5, 0.9])
            found[name] = float(low if name == "brow_raise" else middle)
            if name == "smile":
                found["smile_accent"] = float(high - low) / _SLOW_ACCENT_RANGE
            if name == "brow_raise":
                found["brow_accent"] = float(high - low) / _ACCENT_RANGE
    return found


def _accents(visible: dict[str, np.ndarray]) -> np.ndarray:
    """(T,) 0..about 1: accents, as brows that move show them, else as the mouth does: open, and in no hurry."""
    if "brow_raise" in visible and np.ptp(visible["brow_raise"]) > _LEAST_BROW_RANGE:
        shown = visible["brow_raise"]
    else:
        contacts = [visible[name] for name in CONTACTS if name in visible]
        free = 1 - np.clip(np.max(contacts, axis=0), 0, 1) if contacts else 1.0
        shown = smooth(np.linalg.norm([visible[name] for name in SHAPES if name in visible], axis=0) * free, 0.3)
    low, high = np.quantile(shown, [0.1, 0.95])
    return np.clip((shown - low) / max(high - low, 1e-3), 0, 1.5)


def residual_code(mouth: np.ndarray, network: SpeechToFaceNetwork) -> np.ndarray:
    """(100,) mean residual code of (T, 21) MOUTH channels, over windows of 4 s, the length it was trained on."""
    length = int(_WINDOW_S * CHANNEL_RATE_HZ)
    starts = np.linspace(0, max(0, len(mouth) - length), _MOST_WINDOWS).astype(int)
    windows = [mouth[start : start + length] for start in sorted(set(starts.tolist()))]
    with torch.no_grad():
        return network.style_encoder(torch.from_numpy(np.stack(windows))).mean(0).numpy()


def _at_channel_rate(curves: np.ndarray, fps: float) -> np.ndarray:
    """(N, C) at `fps` resampled to 50 Hz, frame middles to frame middles."""
    own_s = (np.arange(len(curves)) + 0.5) / fps
    times_s = (np.arange(max(1, round(len(curves) / fps * CHANNEL_RATE_HZ))) + 0.5) / CHANNEL_RATE_HZ
    return np.stack([np.interp(times_s, own_s, column_) for column_ in curves.T], 1).astype(np.float32)
