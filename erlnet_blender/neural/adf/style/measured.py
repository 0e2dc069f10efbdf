"""The style of a motion that somebody filmed, animated or tracked, measured in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ....errors import ErlnetError
from ....face_track import FaceTrack
from ....formats.head_model import HeadModel
from ..articulation import CHANNEL_RATE_HZ, MOUTH, SHAPES, column, mouth_of
from ..closure import runs
from ..network import SpeechToFaceNetwork
from ..network.style_encoder import RESIDUAL_SIZE
from .factors import HIGHEST, LOWEST, NAMES, NEUTRAL, code_of, with_values
from .presets import preset_code

# Standard deviations of the neutral rule-made corpus (development split), against which amplitudes are measured.
_TYPICAL_SPREAD = {
    "jaw": 0.153, "pucker": 0.162, "funnel": 0.124, "stretch": 0.139, "upper_lip_raise": 0.043,
    "lower_lip_depress": 0.074,
}  # fmt: skip
# 10 % to 90 % range of the smoothed accents: what a smile or brow that follows them moves by, per unit of its factor.
_SLOW_ACCENT_RANGE, _ACCENT_RANGE = 0.48, 0.56
_LEAST_JAW_SPREAD = 0.02
_SHORTEST_S, _WINDOW_S = 1.0, 4.0
_MOST_WINDOWS = 16
_BLINK_PRIOR_S = 30.0
_AMPLITUDE_PRIOR_S = 6.0
# Of `head_motion.head_rotation` itself: cut-off over root-mean-square frequency, on clips of 12 s.
_TEMPO_OF_FREQUENCY = 1.6


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

    Where the track's head is another one, its expressions mean nothing here: then jaw, head and eyelids speak alone.

    Raises:
        ErlnetError: the track is shorter than a second.
    """
    if track.duration_s < _SHORTEST_S:
        raise ErlnetError(
            f"Style reference is {track.duration_s:.2f} s long", "", "use at least 1 s, better 4 s or more, of speech"
        )
    names = head.expression_names if track.head_id == head.id else []
    mouth, seen = mouth_of(track.jaw_pose, track.expr, names)
    mouth = _at_channel_rate(mouth, track.fps)
    head_rad = _at_channel_rate(track.rotation + track.neck_pose, track.fps)
    eyelids = _at_channel_rate(track.eyelids, track.fps)
    factors = measured_factors(mouth, seen, head_rad, eyelids)
    if not seen.all():
        missing = [name for name, there in zip(MOUTH, seen, strict=True) if not there]
        note = f"style reference shows nothing of {', '.join(missing)}: neutral there"
        return np.concatenate([code_of(factors), np.zeros(RESIDUAL_SIZE, np.float32)]), note
    return np.concatenate([code_of(factors), residual_code(mouth, network)]), ""


def measured_factors(mouth: np.ndarray, seen: np.ndarray, head_rad: np.ndarray, eyelids: np.ndarray) -> np.ndarray:
    """(26,) factor values measured in motion at 50 Hz; neutral where nothing can be measured.

    Amplitudes are spreads against those of neutral speech; resting expression is the median, its liveliness the range
    from 10 % to 90 %; blink rate leans towards the usual one, as a few seconds hold too few blinks to count. Nods
    cannot be told from other pitch without the sound, and stay neutral.

    Args:
        mouth: (T, 21) of which `seen` (21,) can be believed; head_rad: (T, 3); eyelids: (T, 2).
    """
    found: dict[str, float] = {}
    duration_s = len(eyelids) / CHANNEL_RATE_HZ
    spread = {name: float(mouth[:, column(name)].std()) for name in SHAPES if seen[column(name)]}
    # What is said in a few seconds moves the lips as much as how it is said: the shorter, the less is believed.
    belief = duration_s / (duration_s + _AMPLITUDE_PRIOR_S)
    if spread["jaw"] > _LEAST_JAW_SPREAD:
        found["jaw_amplitude"] = (spread["jaw"] / _TYPICAL_SPREAD["jaw"]) ** belief
        lips = [name for name in spread if name != "jaw"]
        if lips:
            moved, typical = (np.linalg.norm([table[name] for name in lips]) for table in (spread, _TYPICAL_SPREAD))
            found["lip_amplitude"] = float(max(moved / typical, 0.1)) ** belief
    for name in ("smile", "frown", "brow_raise", "brow_inner", "brow_down", "squint", "eye_wide"):
        if seen[column(name)]:
            low, middle, high = np.quantile(mouth[:, column(name)], [0.1, 0.5, 0.9])
            found[name] = float(low if name == "brow_raise" else middle)
            if name == "smile":
                found["smile_accent"] = float(high - low) / _SLOW_ACCENT_RANGE
            if name == "brow_raise":
                found["brow_accent"] = float(high - low) / _ACCENT_RANGE
    degrees = np.rad2deg(head_rad)
    for index, axis in enumerate(("pitch", "yaw", "roll")):
        found[f"head_{axis}_deg"] = float(degrees[:, index].mean())
        found[f"{axis}_spread_deg"] = float(degrees[:, index].std())
    # Speed over spread is 2π times the root-mean-square frequency (Rice 1945); pitch is left out, for its nods.
    speed_deg_s = np.sqrt(np.mean(np.diff(degrees[:, 1:], axis=0) ** 2, axis=0)).sum() * CHANNEL_RATE_HZ
    spread_deg = degrees[:, 1:].std(0).sum()
    if spread_deg > 0.1:
        found["head_tempo_hz"] = _TEMPO_OF_FREQUENCY * float(speed_deg_s / spread_deg) / (2 * np.pi)
    count = len(runs(eyelids.mean(1) > 0.5))
    usual = NEUTRAL[NAMES.index("blinks_per_minute")]
    found["blinks_per_minute"] = 60 * (count + usual / 60 * _BLINK_PRIOR_S) / (duration_s + _BLINK_PRIOR_S)
    return np.clip(with_values(**found), LOWEST, HIGHEST)


def residual_code(mouth: np.ndarray, network: SpeechToFaceNetwork) -> np.ndarray:
    """(102,) mean residual code of (T, 21) MOUTH channels, over windows of 4 s, the length it was trained on."""
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
