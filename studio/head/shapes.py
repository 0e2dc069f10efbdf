"""What a sculpted shape is: where a few landmarks go (cm) and which stay.

Shapes are written for the right half (x < 0) and mirrored, after the action units of FACS (Ekman and Friesen);
`expressions.py` spreads them over the face and splits the paired ones in left and right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .rings import BROW, EYE_RIM, FOREHEAD, JAW_LINE, LOWER_LIP, NOSE, UPPER_LIP

Offset = tuple[float, float, float]
Rows = tuple[Offset, Offset, Offset, Offset]  # of a lip, from the outer border to the line of contact
UPPER_FACE = EYE_RIM + BROW + FOREHEAD
AROUND_MOUTH = UPPER_FACE + NOSE + JAW_LINE


@dataclass
class Shape:
    """Offsets of landmarks (cm), landmarks that stay, and whether offsets hold for one half or for all.

    bag: offsets by depth and column of the mouth's inside; lopsided: moves both halves to the same side.
    """

    handles: dict[int, Offset]
    still: tuple[int, ...]
    one_half: bool = False
    bag: dict[tuple[int, int], Offset] = field(default_factory=dict)
    lopsided: bool = False


def lip_rows(rings: tuple, offset: Callable[[int, float], Offset], corners: bool = False) -> dict[int, Offset]:
    """Offsets for lip rows; `offset(row, s)`: row 0 is the outer one, s from -1 (right corner) to 1."""
    columns = range(11) if corners else range(1, 10)
    return {ring[k]: offset(row, (k - 5) / 5) for row, ring in enumerate(rings) for k in columns}


def arched(rows: Rows, power: float = 2.0) -> Callable[[int, float], Offset]:
    """Offsets that are `rows` in the middle and fade to nothing at the corners."""

    def offset(row: int, s: float) -> Offset:
        dx, dy, dz = (float(c) * (1 - abs(s) ** power) for c in rows[row])
        return (dx, dy, dz)

    return offset


def drawn(corner: Offset, upper: Rows, lower: Rows, power: float = 1.6) -> dict[int, Offset]:
    """Both lips drawn along by their corners.

    Args:
        corner: offset of the right corner, mirrored for the left one; upper, lower: offsets in the middle.
        power: how much the middle is left behind; 1 is a straight band.
    """

    def pull(rows: Rows) -> Callable[[int, float], Offset]:
        def offset(row: int, s: float) -> Offset:
            share = abs(s) ** power
            _, dy, dz = np.array(rows[row]) * (1 - share) + np.array(corner) * share
            return (-float(corner[0] * np.sign(s) * abs(s) ** min(power, 1.2)), float(dy), float(dz))

        return offset

    return lip_rows(UPPER_LIP, pull(upper), True) | lip_rows(LOWER_LIP, pull(lower), True)
