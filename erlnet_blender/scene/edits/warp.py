"""Another timing: a smooth, strictly increasing map of frames that moves some of them and no more (no bpy)."""

from __future__ import annotations

import numpy as np

# Shifts closer than this, in frames, are the same.
_SAME = 1e-6
_BISECTIONS = 48


class Warp:
    """Takes `sources` to `targets`, both (K,) and strictly increasing; beyond the ends it shifts as at the ends.

    A stretch whose two ends are shifted alike is shifted as a whole. The others are monotone cubics (Fritsch and
    Carlson 1980), so that movements do not change pace at once where a marker is.
    """

    def __init__(self, sources: np.ndarray, targets: np.ndarray) -> None:
        self.sources, self.targets = np.asarray(sources, float), np.asarray(targets, float)
        lengths, moved = np.diff(self.sources), np.diff(self.targets)
        if len(self.sources) < 1 or (lengths <= 0).any() or (moved <= 0).any():
            raise ValueError("the places of a warp must follow each other")
        self._paces = moved / lengths
        rigid = np.abs(moved - lengths) < _SAME
        slopes = _slopes(lengths, self._paces, rigid)
        # Three times the mean pace of a stretch would let its cubic stand still, more turn it back.
        self._starts = np.where(rigid, 1.0, np.minimum(slopes[:-1], 2 * self._paces))
        self._ends = np.where(rigid, 1.0, np.minimum(slopes[1:], 2 * self._paces))

    @property
    def is_still(self) -> bool:
        """Whether it moves nothing."""
        return bool((np.abs(self.targets - self.sources) < _SAME).all())

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """(N,) where frames go."""
        frames = np.asarray(frames, float)
        below, above = frames <= self.sources[0], frames >= self.sources[-1]
        result = np.where(below, frames + self.targets[0] - self.sources[0], frames)
        result = np.where(above, frames + self.targets[-1] - self.sources[-1], result)
        inside = ~(below | above)
        if inside.any():
            x = frames[inside]
            piece = np.searchsorted(self.sources, x, "right") - 1
            length = self.sources[piece + 1] - self.sources[piece]
            t = (x - self.sources[piece]) / length
            height = self.targets[piece + 1] - self.targets[piece]
            cubic = (
                height * t * t * (3 - 2 * t)
                + length * self._starts[piece] * t * (1 - t) ** 2
                - length * self._ends[piece] * t * t * (1 - t)
            )
            result[inside] = self.targets[piece] + cubic
        return result

    def back(self, frames: np.ndarray) -> np.ndarray:
        """(N,) where frames come from: the inverse, to 1e-9 frames."""
        frames = np.asarray(frames, float)
        if not len(frames):
            return frames
        lengths = np.concatenate([np.diff(self.sources), np.diff(self.targets), [1.0]])
        reach = np.abs(self.targets - self.sources).max() + lengths.max()
        low, high = frames - reach, frames + reach
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            early = self(middle) < frames
            low, high = np.where(early, middle, low), np.where(early, high, middle)
        return (low + high) / 2


def _slopes(lengths: np.ndarray, paces: np.ndarray, rigid: np.ndarray) -> np.ndarray:
    """(K,) pace at each place: 1 at the ends and beside a stretch that is only shifted, else between its neighbours."""
    slopes = np.ones(len(lengths) + 1)
    if len(lengths) > 1:
        before, after = 2 * lengths[1:] + lengths[:-1], lengths[1:] + 2 * lengths[:-1]
        # The harmonic mean: never more than three times the smaller one.
        between = (before + after) / (before / paces[:-1] + after / paces[1:])
        slopes[1:-1] = np.where(rigid[:-1] | rigid[1:], 1.0, between)
    return slopes
