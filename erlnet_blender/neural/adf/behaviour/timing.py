"""When things happen: phrases, and events that come at random at a given rate; curves at 50 Hz."""

from __future__ import annotations

import numpy as np

from ..articulation import CHANNEL_RATE_HZ
from ..closure import runs, smoothstep
from ..style.factors import Curve

_MOST_EXPECTED = 0.9


def phrases(talking: np.ndarray) -> np.ndarray:
    """(n, 2) first frame and end of every stretch of speech without a pause, from (T,) `closure.rest_gate`."""
    return np.array(runs(talking > 0.5), int).reshape(-1, 2)


def at(curve: Curve, frames: np.ndarray) -> np.ndarray | float:
    """The values of a curve at some frames."""
    return curve if isinstance(curve, float | int) else curve[frames]


def smooth(curve: np.ndarray, width_s: float) -> np.ndarray:
    """(T,) under a Hann window, held at both ends."""
    width = 2 * round(width_s * CHANNEL_RATE_HZ / 2) + 1
    kernel = np.hanning(width + 2)[1:-1]
    return np.convolve(np.pad(curve, width // 2, mode="edge"), kernel / kernel.sum(), "valid")


def swell(count: int, frames: np.ndarray, rise_s: float, fall_s: float, heights: Curve = 1.0) -> np.ndarray:
    """(count,) a smooth bump about each frame: it begins `rise_s` before, has its height there and ends `fall_s` after.

    Bumps that overlap add up.
    """
    marks = np.zeros(count)
    inside = (frames >= 0) & (frames < count)
    np.add.at(marks, frames[inside], at(heights, inside))
    before, after = int(rise_s * CHANNEL_RATE_HZ), int(fall_s * CHANNEL_RATE_HZ)
    since_s = np.arange(-before, after + 1) / CHANNEL_RATE_HZ
    kernel = smoothstep(np.where(since_s < 0, 1 + since_s / rise_s, 1 - since_s / fall_s))
    return np.convolve(marks, kernel)[before : before + count]


def arrivals(rate_hz: np.ndarray, dead_s: float, random: np.random.Generator) -> np.ndarray:
    """Times in seconds of a Poisson process with a dead time after each event, whose mean rate is exactly `rate_hz`.

    An event needs that none came within the dead time, which happens with 1 minus the number expected there; so the
    hazard is the rate over that (up to ten times the rate).

    Args:
        rate_hz: (T,) expected events per second.
    """
    frame_s = 1 / CHANNEL_RATE_HZ
    edges_s = np.arange(len(rate_hz) + 1) * frame_s
    expected = np.concatenate([[0.0], np.cumsum(rate_hz) * frame_s])
    middles_s = edges_s[:-1] + frame_s / 2
    recently = np.interp(middles_s, edges_s, expected) - np.interp(middles_s - dead_s, edges_s, expected)
    hazard = np.cumsum(rate_hz * frame_s / (1 - np.minimum(recently, _MOST_EXPECTED)))
    hazard = np.concatenate([[0.0], hazard])
    found: list[float] = []
    due = random.exponential()
    while due < hazard[-1]:
        frame = int(np.searchsorted(hazard, due, "right")) - 1
        step = hazard[frame + 1] - hazard[frame]
        found.append(edges_s[frame] + frame_s * (due - hazard[frame]) / step)
        again_s = min((found[-1] + dead_s) * CHANNEL_RATE_HZ, len(hazard) - 1)
        whole = min(int(again_s), len(hazard) - 2)
        due = hazard[whole] + (again_s - whole) * (hazard[whole + 1] - hazard[whole]) + random.exponential()
    return np.array(found)
