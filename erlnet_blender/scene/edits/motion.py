"""The mathematics of edits: curves over frames in, curves over frames out (no bpy)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# An eyelid has blinked if it shuts by this much more than it is mostly shut.
LEAST_BLINK = 0.25
# A blink is over where the lid is this near to where it mostly is, or begins to shut again by more than that.
_NEAR = 0.04


def smoothstep(x: np.ndarray) -> np.ndarray:
    """3x² - 2x³ on 0..1, held outside."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def soft_window(frames: np.ndarray, first: float, last: float, soft: float) -> np.ndarray:
    """(N,) how much of an edit shows at each frame: 1 from `first` to `last`, 0 outside.

    Args:
        soft: over how many frames it comes in at the first and goes out before the last; at most half the range each.
    """
    inside = (frames >= first) & (frames <= last)
    soft = min(soft, (last - first) / 2)
    if soft <= 0:
        return inside.astype(float)
    return inside * smoothstep(np.minimum(frames - first, last - frames) / soft)


def local_mean(values: np.ndarray, width: int) -> np.ndarray:
    """(N, C) the mean over `width` frames about each one; what lies beyond both ends is as at the ends."""
    width = max(1, width | 1)
    return _filtered(values, np.full(width, 1 / width))


def savitzky_golay(values: np.ndarray, window: int, order: int) -> np.ndarray:
    """(N, C) each value replaced by that of the polynomial that fits the `window` values about it best.

    Savitzky & Golay 1964. Polynomials of that order pass unchanged; what lies beyond both ends is as at the ends.

    Args:
        window: odd, more than `order`.

    Raises:
        ValueError: it is not.
    """
    if window % 2 == 0 or not 0 <= order < window:
        raise ValueError(f"a window of {window} frames cannot fit order {order}")
    places = np.arange(window) - window // 2
    powers = places[:, None].astype(float) ** np.arange(order + 1)
    return _filtered(values, np.linalg.pinv(powers)[0])


def _filtered(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    reach = len(weights) // 2
    padded = np.pad(np.asarray(values, float), ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, weights[::-1], "valid") for column in padded.T], 1)


@dataclass(frozen=True)
class Pulse:
    """A movement that comes, stays and goes: all of it shows from frame `here` on; lengths in frames.

    Args:
        approach, release: from nothing to all of it, and back.
        hold: how long all of it shows.
    """

    here: float
    approach: float
    hold: float
    release: float

    @property
    def corners(self) -> np.ndarray:
        """(K,) the frames where it begins, is all there, begins to go and is gone; without any twice."""
        gone = self.here + self.hold + self.release
        return np.unique([self.here - self.approach, self.here, self.here + self.hold, gone])

    def at(self, frames: np.ndarray) -> np.ndarray:
        """(N,) 0..1."""
        rise = (frames - self.here + self.approach) / max(self.approach, 1e-9)
        fall = (self.here + self.hold + self.release - frames) / max(self.release, 1e-9)
        whole = (frames >= self.here) & (frames <= self.here + self.hold)
        return np.where(whole, 1.0, smoothstep(np.minimum(rise, fall)))


def blink_spans(closure: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) index of every blink: where the lid is still, or again, as open as it mostly is.

    Args:
        closure: (N,) of a lid, 0 open to 1 shut, with enough around the blinks to tell how it mostly is.
    """
    usual = float(np.median(closure))
    spans, done = [], -1
    for peak in _peaks(closure, usual + LEAST_BLINK):
        if peak <= done:
            continue
        first, last = _foot(closure[peak::-1], usual), _foot(closure[peak:], usual)
        spans.append((peak - first, peak + last))
        done = peak + last
    return spans


def _peaks(values: np.ndarray, floor: float) -> list[int]:
    """The local maxima above `floor`; of a plateau its first place, ends count."""
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    tops = (padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]) & (values > floor)
    return np.flatnonzero(tops).tolist()


def _foot(falling: np.ndarray, usual: float) -> int:
    """How many places after the first the values have come down, or begin to rise for good."""
    lowest = 0
    for index, value in enumerate(falling):
        if value < falling[lowest]:
            lowest = index
        if value <= usual + _NEAR:
            return index
        if value > falling[lowest] + _NEAR and lowest:
            return lowest
    return len(falling) - 1


def bridged(values: np.ndarray, first: int, last: int) -> np.ndarray:
    """(N, C) with a straight line from index `first` to `last` in place of what lies between."""
    result = np.array(values, float)
    share = np.linspace(0, 1, last - first + 1)[:, None]
    result[first : last + 1] = (1 - share) * result[first] + share * result[last]
    return result
