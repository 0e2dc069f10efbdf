"""Blinks by rule: a Poisson process with a dead time, which favours the ends of phrases and jumps of the eyes.

Listeners and speakers blink at boundaries of speech (Nakano & Kitazawa 2010), and lids drop with large saccades
(Evinger et al. 1994). The style's rate is kept: what is more likely there is less likely elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..articulation import CHANNEL_RATE_HZ
from ..closure import smoothstep
from ..style.factors import Curve
from .timing import arrivals, phrases, swell

_DEAD_TIME_S = 0.35
_CLOSING_S, _SHUT_S, _OPENING_S = 0.10, 0.04, 0.18
_AFTER_PHRASE, _AFTER_SHIFT = 5.0, 3.0
_MOST_HZ = 2.2


def blinks(style: Mapping[str, Curve], talking: np.ndarray, shifts: np.ndarray, seed: int) -> np.ndarray:
    """(T, 2) closure of the left and right eyelid, 0 open to 1 shut.

    Args:
        style: factor values, of which `blinks_per_minute` counts, a number or (T,).
        talking: (T,) 0..1; shifts: frames at which the eyes jump, from `gaze`.
    """
    count = len(talking)
    ends = phrases(talking)[:, 1]
    likely = (
        1 + _AFTER_PHRASE * swell(count, ends[ends < count], 0.12, 0.5) + _AFTER_SHIFT * swell(count, shifts, 0.06, 0.3)
    )
    rate_hz = np.minimum(likely / likely.mean() * style["blinks_per_minute"] / 60, _MOST_HZ)
    times_s = arrivals(rate_hz, _DEAD_TIME_S, np.random.default_rng([seed, 2]))
    first = ((times_s - _CLOSING_S) * CHANNEL_RATE_HZ).astype(int) - 1
    frames = first[:, None] + np.arange(int((_CLOSING_S + _SHUT_S + _OPENING_S) * CHANNEL_RATE_HZ) + 4)
    since_s = (frames + 0.5) / CHANNEL_RATE_HZ - times_s[:, None]
    shut = smoothstep(np.minimum(1 + since_s / _CLOSING_S, 1 - (since_s - _SHUT_S) / _OPENING_S))
    inside = (frames >= 0) & (frames < count)
    closure = np.zeros(count, np.float32)
    np.maximum.at(closure, frames[inside], shut[inside].astype(np.float32))
    return np.repeat(closure[:, None], 2, 1)
