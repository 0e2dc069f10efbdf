"""Head, eyelids and gaze at 50 Hz: rules with a seed, steered by the style and by the accents that the network hears.

The head wanders about the style's mean with its spread and tempo, less while nobody speaks, and nods on accents.
Blinks are a Poisson process with a dead time; the eyes hold the viewer against the head's motion (vestibulo-ocular
reflex) and make small saccades. Nothing here looks at future randomness, so the same seed gives the same motion.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from ..articulation import CHANNEL_RATE_HZ
from ..closure import smoothstep

_BLINK_DEAD_TIME_S = 0.35
_BLINK_CLOSING_S, _BLINK_SHUT_S, _BLINK_OPENING_S = 0.10, 0.04, 0.18
_IDLE_SHARE = 0.45
_GAZE_GAIN = 0.85
_FURTHEST_GAZE_RAD = np.deg2rad(20)
_SACCADE_S = 0.06
_SETTLE_S = 240.0


def _wander(random: np.random.Generator, count: int, axes: int, tempo_hz: float) -> np.ndarray:
    """(count, axes) smooth noise of unit variance: white noise through a fourth-order low-pass at `tempo_hz`."""
    filters = np.tile(np.asarray(butter(2, tempo_hz, fs=CHANNEL_RATE_HZ, output="sos")), (2, 1))
    settle = int(min(_SETTLE_S, 6 / tempo_hz) * CHANNEL_RATE_HZ)
    impulse = np.zeros(settle + 1)
    impulse[0] = 1
    gain = np.sqrt(np.square(sosfilt(filters, impulse)).sum())
    noise = random.standard_normal((settle + count, axes))
    return (np.asarray(sosfilt(filters, noise, axis=0)) / gain)[settle:]


def _slow(curve: np.ndarray, width_s: float) -> np.ndarray:
    width = 2 * round(width_s * CHANNEL_RATE_HZ / 2) + 1
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(curve, width // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), "valid")


def head_rotation(style: dict[str, float], accents: np.ndarray, speaking: np.ndarray, seed: int) -> np.ndarray:
    """(T, 3) pitch (positive looks down), yaw (to the head's left), roll, radians: about x, y, z.

    Args:
        style: factor values; accents, speaking: (T,) 0..about 1.
    """
    random = np.random.default_rng([seed, 1])
    count, tempo_hz = len(accents), style["head_tempo_hz"]
    noise = 0.85 * _wander(random, count, 3, tempo_hz) + 0.53 * _wander(random, count, 3, tempo_hz / 4)
    spread = np.array([style[f"{axis}_spread_deg"] for axis in ("pitch", "yaw", "roll")])
    mean = np.array([style[f"head_{axis}_deg"] for axis in ("pitch", "yaw", "roll")])
    lively = _IDLE_SHARE + (1 - _IDLE_SHARE) * _slow(speaking, 1.0)
    nod = style["nod_deg"] * _slow(np.clip(accents, 0, 1.5), 0.2)
    degrees = mean + spread * noise * lively[:, None]
    degrees[:, 0] += nod - style["nod_deg"] * 0.15 * lively
    return np.deg2rad(degrees).astype(np.float32)


def blinks(blinks_per_minute: float, count: int, seed: int) -> np.ndarray:
    """(T, 2) closure of the left and right eyelid, 0 open to 1 shut."""
    random = np.random.default_rng([seed, 2])
    times_s = (np.arange(count) + 0.5) / CHANNEL_RATE_HZ
    closure = np.zeros(count)
    mean_gap_s = max(0.1, 60 / blinks_per_minute - _BLINK_DEAD_TIME_S)
    next_s = random.exponential(mean_gap_s)
    while next_s < count / CHANNEL_RATE_HZ:
        low = max(0, int((next_s - _BLINK_CLOSING_S) * CHANNEL_RATE_HZ) - 1)
        high = int((next_s + _BLINK_SHUT_S + _BLINK_OPENING_S) * CHANNEL_RATE_HZ) + 2
        since_s = times_s[low:high] - next_s
        shut = np.minimum(1 + since_s / _BLINK_CLOSING_S, 1 - (since_s - _BLINK_SHUT_S) / _BLINK_OPENING_S)
        closure[low:high] = np.maximum(closure[low:high], smoothstep(shut))
        next_s += _BLINK_DEAD_TIME_S + random.exponential(mean_gap_s)
    return np.repeat(closure[:, None], 2, 1).astype(np.float32)


def gaze(head: np.ndarray, seed: int) -> np.ndarray:
    """(T, 6) rotation of the left and the right eye, axis-angle radians, for (T, 3) head rotation."""
    random = np.random.default_rng([seed, 3])
    count = len(head)
    steps = np.zeros((count, 2))
    start_s = 0.0
    while start_s < count / CHANNEL_RATE_HZ:
        length_s = 0.3 + random.exponential(1.2)
        target_deg = random.normal(0, [0.7, 1.4])
        low, high = int(start_s * CHANNEL_RATE_HZ), int((start_s + length_s) * CHANNEL_RATE_HZ)
        steps[low:high] = np.deg2rad(target_deg)
        start_s += length_s
    saccades = np.stack([_slow(column, _SACCADE_S) for column in steps.T], 1)
    eye = np.zeros((count, 3), np.float32)
    eye[:, :2] = np.clip(saccades - _GAZE_GAIN * head[:, :2], -_FURTHEST_GAZE_RAD, _FURTHEST_GAZE_RAD)
    return np.tile(eye, (1, 2))
