"""Gaze by rule: the eyes hold the viewer against the head's motion, make small saccades, and look away and back.

The vestibulo-ocular reflex takes up most of a turn of the head. People look away while they plan what to say, most at
the start of a phrase and just before it (Kendon 1967), and less while they listen.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..articulation import CHANNEL_RATE_HZ
from ..style.factors import Curve
from .timing import arrivals, at, phrases, smooth, swell

GAZE_GAIN = 0.85
"""Share of the head's rotation that the eyes take back."""
FURTHEST_RAD = np.deg2rad(30.0)
_SACCADE_S = 0.06
_FIXATION_LEAST_S, _FIXATION_MORE_S = 0.3, 1.2
# Of the style's spread: small saccades, and looks away, which make up the rest of it.
_FIXATION_SHARE, _AWAY_SHARE = 0.5, 2.0
_PITCH_SHARE = 0.5
_AWAY_HZ, _AWAY_PLANNING = 0.11, 4.0
_AWAY_LISTENING = 0.6
_AWAY_DEAD_S, _AWAY_LEAST_S, _AWAY_MORE_S, _AWAY_MOST_S = 3.2, 0.5, 0.7, 2.6
_NOTICED_DEG = 3.0


def gaze(style: Mapping[str, Curve], head: np.ndarray, talking: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of the eyes, and when they jump far.

    Args:
        style: factor values, each a number or (T,); head: (T, 3) its rotation in radians; talking: (T,) 0..1.

    Returns:
        (T, 6) rotation of the left and the right eye, axis-angle radians; (n,) frames at which they look away or back.
    """
    count = len(head)
    targets = _fixations(style, count, seed)
    away, shifts = _looks_away(style, talking, seed)
    eye = np.zeros((count, 3), np.float32)
    for index, axis in enumerate(("pitch", "yaw")):
        degrees = smooth(targets[:, index] + away[:, index], _SACCADE_S) + style[f"gaze_{axis}_deg"]
        eye[:, index] = np.clip(np.deg2rad(degrees) - GAZE_GAIN * head[:, index], -FURTHEST_RAD, FURTHEST_RAD)
    return np.tile(eye, (1, 2)), shifts


def _fixations(style: Mapping[str, Curve], count: int, seed: int) -> np.ndarray:
    """(count, 2) pitch and yaw in degrees of a look that holds for a while and jumps to the next."""
    most = int(count / CHANNEL_RATE_HZ / _FIXATION_LEAST_S) + 1
    lengths_s = _FIXATION_LEAST_S + np.random.default_rng([seed, 3, 0]).exponential(_FIXATION_MORE_S, most)
    starts = np.concatenate([[0], (np.cumsum(lengths_s) * CHANNEL_RATE_HZ).astype(int)])
    starts = starts[starts < count]
    target = np.random.default_rng([seed, 3, 1]).standard_normal((len(starts), 2)) * [_PITCH_SHARE, 1.0]
    target = target * _FIXATION_SHARE * np.reshape(at(style["gaze_spread_deg"], starts), (-1, 1))
    return np.repeat(target.astype(np.float32), np.diff(np.append(starts, count)), axis=0)


def _looks_away(style: Mapping[str, Curve], talking: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2) pitch and yaw in degrees, 0 where the viewer is looked at; and the frames of the larger jumps."""
    count, random = len(talking), np.random.default_rng([seed, 3, 2])
    planning = swell(count, phrases(talking)[:, 0], 0.7, 0.5)
    rate_hz = _AWAY_HZ * (_AWAY_LISTENING + (1 - _AWAY_LISTENING) * smooth(talking, 1.0) + _AWAY_PLANNING * planning)
    starts = (arrivals(rate_hz, _AWAY_DEAD_S, random) * CHANNEL_RATE_HZ).astype(int)
    stay, size, up = np.random.default_rng([seed, 3, 3]).standard_normal((len(starts), 3)).T
    lengths_s = np.minimum(_AWAY_LEAST_S + _AWAY_MORE_S * np.abs(stay), _AWAY_MOST_S)
    ends = np.minimum(starts + (lengths_s * CHANNEL_RATE_HZ).astype(int), count)
    yaw = _AWAY_SHARE * np.sign(size) * np.exp(0.3 * (np.abs(size) - 0.8)) * at(style["gaze_spread_deg"], starts)
    jumps = np.stack([_PITCH_SHARE * up * np.abs(yaw), yaw], 1)
    steps = np.zeros((count + 1, 2))
    np.add.at(steps, starts, jumps)
    np.add.at(steps, ends, -jumps)
    far = np.abs(yaw) > _NOTICED_DEG
    shifts = np.sort(np.concatenate([starts[far], ends[far]]))
    return np.cumsum(steps, 0)[:count], shifts[shifts < count]
