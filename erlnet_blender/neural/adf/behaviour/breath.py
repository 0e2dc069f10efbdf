"""Breathing in: in a pause of half a second and more, ending where speech sets in.

The lips stay shut meanwhile: the mouth's own rest holds until the onset.
"""

from __future__ import annotations

import numpy as np

from ..articulation import CHANNEL_RATE_HZ, column
from .timing import phrases, swell

SHORTEST_PAUSE_S = 0.5
_RISE_S, _FALL_S = 0.48, 0.7
_DEEPEST_AFTER_S = 2.0
_BROW_LIFT = 0.06


def inhales(talking: np.ndarray) -> np.ndarray:
    """(T,) 0 to 1: how much air was drawn; highest at the onset of speech, more after a long pause."""
    starts, ends = phrases(talking).T
    pauses_s = (starts - np.concatenate([[0], ends[:-1]])[: len(starts)]) / CHANNEL_RATE_HZ
    long = pauses_s >= SHORTEST_PAUSE_S
    depth = 0.5 + 0.5 * np.clip(pauses_s[long] / _DEEPEST_AFTER_S, 0, 1)
    return np.minimum(swell(len(talking), starts[long], _RISE_S, _FALL_S, depth), 1).astype(np.float32)


def with_breath(mouth: np.ndarray, breath: np.ndarray) -> np.ndarray:
    """(T, len(MOUTH)) channels with the slight shrug of the brows that goes with breathing in."""
    mouth = mouth.copy()
    mouth[:, column("brow_raise")] += _BROW_LIFT * breath
    return mouth
