"""The lower lip under the upper teeth, for f and v (cm).

While the jaw opens, the lip slides down along the incisors' edge. So the lip's inner side is shaped as the way that
the edge takes in the frame of the jaw: wherever the jaw stands between 0 and WIDEST_TUCK_DEG, some place of it touches.
"""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .mouth import incisal_edge
from .rings import LOWER_INNER
from .seals import carry, lip_members
from .skinning import before_jaw
from .subdivision import Subdivision
from .surface import smoothstep

WIDEST_TUCK_DEG = 4.0
CLEARANCE = 0.0
BETWEEN_ROWS = 0.17
HALF_WIDTH = (1.1, 1.8)  # where the contact begins to end, and where it has ended


def tuck_lip(
    points: np.ndarray,
    offsets: np.ndarray,
    cage: Cage,
    subdivision: Subdivision,
    jaw: np.ndarray,
    bite: tuple[float, float],
) -> np.ndarray:
    """Offsets (V', 3) for which the lower lip touches the upper incisors; `bite`: z of their face, y of their edge."""
    path: list[int] = []
    goals = []
    for depth in range(3):
        ring = cage.bag[depth]
        row = subdivision.along(LOWER_INNER if depth == 0 else [ring[0], *ring[:10:-1], ring[10]])
        edge = incisal_edge(points[row, 0], *bite) + [0, 0, CLEARANCE]
        goals.append(before_jaw(edge, jaw[row], WIDEST_TUCK_DEG * (1 - depth / 2)))
        path += row
    share = smoothstep(HALF_WIDTH[1], HALF_WIDTH[0], np.abs(points[path, 0]))[:, None]
    wanted = share * (np.concatenate(goals) - points[path]) + (1 - share) * offsets[path]
    return carry(points, offsets, path, wanted, lip_members(cage, subdivision)[1], BETWEEN_ROWS)
