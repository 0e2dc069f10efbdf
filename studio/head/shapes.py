"""The expressions as a sculptor's notes: where a few landmarks go (cm) and which stay.

Each shape is written for the right half (x < 0) and mirrored, after the action units of FACS (Ekman and Friesen);
`expressions.py` spreads it over the face and splits the paired ones in left and right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .cage import Cage
from .rings import (
    BROW,
    EYE_RIM,
    EYE_UPPER,
    FOREHEAD,
    JAW_LINE,
    LOWER_LIP,
    NOSE,
    UPPER_LIP,
)

Offset = tuple[float, float, float]
UPPER_FACE = EYE_RIM + BROW + FOREHEAD
AROUND_MOUTH = UPPER_FACE + NOSE + JAW_LINE


@dataclass
class Shape:
    """Offsets of landmarks (cm), landmarks that stay, and whether offsets hold for one half or for all."""

    handles: dict[int, Offset]
    still: tuple[int, ...]
    one_half: bool = False
    bag: dict[tuple[int, int], Offset] = field(default_factory=dict)


def _rows(rings: tuple, offset: Callable[[int, float], Offset], corners: bool = False) -> dict[int, Offset]:
    """Offsets for lip rows; `offset(row, s)`: row 0 is the outer one, s from -1 (right corner) to 1."""
    columns = range(11) if corners else range(1, 10)
    return {ring[k]: offset(row, (k - 5) / 5) for row, ring in enumerate(rings) for k in columns}


def mouth_shapes(cage: Cage) -> dict[str, Shape]:
    """Shapes of the lips and cheeks."""
    x = cage.points[:, 0]
    shapes = {
        "smile": _smile(),
        "pucker": _rounding(x, narrowing=0.40, forward=(0.40, 0.70, 0.82, 0.74), opening=0.03),
        "funnel": _rounding(x, narrowing=0.26, forward=(0.35, 0.60, 0.72, 0.62), opening=0.42),
        "stretch": Shape(
            {61: (-0.6, -0.05, -0.35), 76: (-0.58, -0.05, -0.35), 62: (-0.56, -0.05, -0.35), 78: (-0.55, -0.05, -0.35),
             0: (0, -0.03, -0.12), 17: (0, 0.03, -0.12), 205: (-0.2, 0, 0), 57: (-0.55, -0.1, -0.3)},
            (*AROUND_MOUTH, 50), one_half=True,
        ),
        "frown": Shape(
            {61: (-0.12, -0.5, -0.1), 76: (-0.12, -0.49, -0.1), 78: (-0.11, -0.45, -0.1), 62: (-0.11, -0.47, -0.1),
             57: (-0.13, -0.48, -0.05), 43: (-0.1, -0.42, 0.02), 17: (0, 0.05, 0.05), 18: (0, 0.1, 0.1)},
            (*UPPER_FACE, *NOSE, 152, 50, 0, 13), one_half=True,
        ),
        "dimple": Shape(
            {61: (-0.28, 0.06, -0.35), 76: (-0.27, 0.06, -0.35), 62: (-0.26, 0.06, -0.34), 78: (-0.26, 0.06, -0.34),
             57: (-0.2, 0.05, -0.3), 186: (-0.12, 0.06, -0.12), 43: (-0.12, 0.02, -0.15), 216: (-0.1, 0.05, 0.12)},
            (*AROUND_MOUTH, 0, 17, 50), one_half=True,
        ),
        "puff": Shape(
            {205: (-0.3, 0, 0.55), 50: (-0.15, 0, 0.2), 187: (-0.45, 0, 0.3), 207: (-0.35, -0.05, 0.4),
             216: (-0.3, 0, 0.5), 212: (-0.25, -0.05, 0.4), 206: (-0.2, 0.05, 0.5), 164: (0, 0.02, 0.3),
             18: (0, 0, 0.25)},
            (*AROUND_MOUTH, 61, 0, 17), one_half=True,
        ),
    }  # fmt: skip
    return shapes | _single_lip_shapes() | _both_lip_shapes()


def _smile() -> Shape:
    corner = {61: (-0.72, 0.60, -0.52), 76: (-0.70, 0.58, -0.52), 62: (-0.68, 0.56, -0.52), 78: (-0.66, 0.54, -0.52)}
    lips = {13: (0, 0.05, -0.24), 0: (0, 0.07, -0.22), 14: (0, 0.04, -0.24), 17: (0, 0.10, -0.26),
            39: (-0.30, 0.16, -0.27), 81: (-0.28, 0.10, -0.26), 178: (-0.28, 0.09, -0.26),
            181: (-0.30, 0.15, -0.28)}  # fmt: skip
    # The cheek slides up and forward over a furrow that stays: the nasolabial fold.
    cheek = {205: (-0.33, 0.42, 0.20), 50: (-0.12, 0.38, 0.30), 101: (-0.05, 0.28, 0.22), 36: (-0.2, 0.34, 0.22),
             203: (-0.24, 0.20, -0.08), 216: (-0.50, 0.42, -0.02), 206: (-0.38, 0.34, 0.0), 212: (-0.52, 0.42, -0.15),
             57: (-0.70, 0.50, -0.42), 186: (-0.56, 0.44, -0.30), 43: (-0.55, 0.40, -0.36),
             207: (-0.42, 0.40, 0.12)}  # fmt: skip
    around = {23: (0, 0.08, 0.02), 145: (0, 0.07, 0.0), 144: (0, 0.06, 0), 153: (0, 0.06, 0), 118: (0, 0.2, 0.12),
              117: (0, 0.2, 0.1), 98: (-0.08, 0.04, 0), 129: (-0.1, 0.05, 0), 18: (0, 0.05, -0.12)}  # fmt: skip
    still = (*EYE_UPPER, *BROW, 1, 4, 5, 6, 168, 2, *JAW_LINE, *FOREHEAD)
    return Shape(corner | lips | cheek | around, still, one_half=True)


def _rounding(x: np.ndarray, narrowing: float, forward: tuple[float, ...], opening: float) -> Shape:
    """Orbicularis oris: corners come in and forward, lips protrude and evert, the skin around follows."""
    lift = (-0.02, 0.25, 0.55, 1.0)  # share of the opening by row
    handles: dict[int, Offset] = {}
    for rings, sign in ((LOWER_LIP, -1), (UPPER_LIP, 1)):
        for row, ring in enumerate(rings):
            for k in range(11):
                s = (k - 5) / 5
                # The middle narrows less than the corners, or the philtrum is pinched.
                inwards = -narrowing * x[ring[k]] * (0.62 + 0.38 * s * s)
                handles[ring[k]] = (
                    inwards,
                    sign * opening * lift[row] * (1 - s * s),
                    forward[row] * (1 - 0.22 * s * s),
                )
    n, f = narrowing / 0.40, forward[0] / 0.40
    beside = {57: (0.78 * n, 0, 0.42 * f), 186: (0.58 * n, -0.04, 0.46 * f), 43: (0.62 * n, 0.02, 0.46 * f),
              92: (0.36 * n, -0.02, 0.40 * f), 106: (0.34 * n, 0.02, 0.42 * f), 216: (0.34 * n, -0.04, 0.26 * f),
              212: (0.36 * n, 0, 0.26 * f), 165: (0.16 * n, -0.02, 0.30 * f), 167: (0.04, -0.02, 0.31 * f),
              205: (0.12 * n, -0.04, 0.03), 207: (0.14 * n, 0, 0.04), 83: (0.08, 0.03, 0.28 * f)}  # fmt: skip
    handles |= beside | {_LEFT_OF[v]: (-d[0], d[1], d[2]) for v, d in beside.items()}
    handles |= {164: (0, -0.02, 0.32 * f), 18: (0, 0.04, 0.32 * f)}
    return Shape(handles, (*AROUND_MOUTH, 50, 101))


_LEFT_OF = {
    57: 287,
    186: 410,
    43: 273,
    92: 322,
    106: 335,
    216: 436,
    212: 432,
    165: 391,
    167: 393,
    205: 425,
    207: 427,
    83: 313,
}


def _single_lip_shapes() -> dict[str, Shape]:
    def arch(s: float) -> float:
        return 1 - s * s

    def tall(s: float) -> float:
        return 1 - 0.8 * s * s

    raised = _rows(UPPER_LIP, lambda row, s: (0, 0.45 * tall(s), 0.04))
    raised |= {164: (0, 0.25, 0.05), 165: (0, 0.25, 0.05), 98: (-0.05, 0.15, 0), 203: (0, 0.2, 0.05)}
    raised |= {391: (0, 0.25, 0.05), 327: (0.05, 0.15, 0), 423: (0, 0.2, 0.05)}
    lowered = _rows(LOWER_LIP, lambda row, s: (0, -0.5 * tall(s), -0.03))
    lowered |= {18: (0, -0.3, 0), 83: (0, -0.3, 0), 313: (0, -0.3, 0)}
    upper_roll = ((0, -0.14, -0.06), (0, -0.17, -0.22), (0, -0.10, -0.34), (0, -0.01, -0.32))
    lower_roll = ((0, 0.18, -0.06), (0, 0.20, -0.24), (0, 0.10, -0.36), (0, 0.01, -0.32))
    tuck = ((0.34, -0.18), (0.38, -0.34), (0.30, -0.46), (0.10, -0.54))
    shapes = {
        "upper_lip_raise": Shape(raised, (*EYE_RIM, *BROW, 1, 4, 5, 6, 168, *JAW_LINE, *FOREHEAD, 61, 291)),
        "lower_lip_depress": Shape(lowered, (*AROUND_MOUTH, 61, 291, 199)),
        "lip_roll_upper": Shape(
            _rows(UPPER_LIP, lambda row, s: tuple(c * arch(s) for c in upper_roll[row])),
            (*AROUND_MOUTH, 61, 291, 164, 14)
        ),
        "lip_roll_lower": Shape(
            _rows(LOWER_LIP, lambda row, s: tuple(c * arch(s) for c in lower_roll[row])),
            (*AROUND_MOUTH, 61, 291, 18, 13)
        ),
        "f_tuck": Shape(
            _rows(LOWER_LIP, lambda row, s: (0, tuck[row][0] * arch(s), tuck[row][1] * arch(s)))
            | {18: (0, 0.2, -0.08)},
            (*AROUND_MOUTH, 61, 291, 13, 0, 199),
            # The inner side of the lower lip has to make room.
            bag={(depth, 10 + i): (0, -0.35 * arch((i - 5) / 5), z * arch((i - 5) / 5))
                 for depth, z in ((1, -0.55), (2, -0.35)) for i in range(1, 10)},
        ),
    }  # fmt: skip
    return shapes


def _both_lip_shapes() -> dict[str, Shape]:
    press = {0: (0.10, -0.10), 1: (0.12, -0.20), 2: (0.04, -0.26)}

    def pressed(sign: int) -> Callable[[int, float], Offset]:
        def offset(row: int, s: float) -> Offset:
            dy, dz = press.get(row, (0.0, -0.20))
            return (0, sign * dy * (1 - s * s), dz)

        return offset

    def shifted(row: int, s: float) -> Offset:
        return (0.62 - 0.12 * s * s, 0.04 * s, -0.10 * s * s)

    return {
        "lips_press": Shape(
            _rows(UPPER_LIP, pressed(-1)) | _rows(LOWER_LIP, pressed(1))
            | {78: (0, 0, -0.2), 308: (0, 0, -0.2), 18: (0, 0.12, 0.02)},
            (*AROUND_MOUTH, 164),
        ),
        "mouth_shift": Shape(
            _rows(UPPER_LIP, shifted, corners=True) | _rows(LOWER_LIP, shifted, corners=True)
            | {57: (0.35, 0, 0), 287: (0.40, 0, -0.05), 164: (0.22, 0, 0), 18: (0.5, 0, 0), 200: (0.3, 0, 0)},
            (*UPPER_FACE, *NOSE, 234, 132, 454, 361, 50, 280, 58, 288),
        ),
    }  # fmt: skip


def upper_face_shapes() -> dict[str, Shape]:
    """Shapes of brows, cheeks and nose."""
    return {
        "brow_inner_up": Shape(
            {107: (0, 0.55, 0.05), 66: (0, 0.38, 0.04), 55: (0, 0.5, 0.04), 65: (0, 0.35, 0.03), 9: (0, 0.3, 0.03),
             8: (0, 0.2, 0), 105: (0, 0.15, 0.02), 108: (0, 0.35, 0), 69: (0, 0.2, 0)},
            (*EYE_RIM, *NOSE[:8], *FOREHEAD, 46, 70), one_half=True,
        ),
        "brow_outer_up": Shape(
            {105: (0, 0.4, 0.03), 63: (0, 0.6, 0), 70: (0, 0.6, 0), 46: (0, 0.5, 0), 53: (0, 0.5, 0), 52: (0, 0.4, 0),
             66: (0, 0.2, 0), 104: (0, 0.3, 0), 68: (0, 0.35, 0), 71: (0, 0.3, 0)},
            (*EYE_RIM, *NOSE[:8], *FOREHEAD, 107, 9), one_half=True,
        ),
        "brow_down": Shape(
            {107: (0.16, -0.35, 0.06), 55: (0.14, -0.33, 0.05), 66: (0.1, -0.3, 0.08), 65: (0.08, -0.3, 0.08),
             105: (0.04, -0.2, 0.04), 52: (0.03, -0.22, 0.05), 9: (0, -0.25, 0.06), 8: (0, -0.18, 0.02),
             221: (0, -0.2, 0.02), 222: (0, -0.15, 0.02)},
            (*EYE_RIM, *NOSE[1:7], *FOREHEAD), one_half=True,
        ),
        "cheek_raise": Shape(
            {50: (-0.05, 0.35, 0.2), 101: (0, 0.3, 0.18), 118: (0, 0.28, 0.12), 117: (0, 0.28, 0.1),
             119: (0, 0.22, 0.08), 23: (0, 0.12, 0.03), 22: (0, 0.1, 0.03), 24: (0, 0.12, 0.03), 145: (0, 0.1, 0),
             144: (0, 0.1, 0), 153: (0, 0.1, 0), 111: (0, 0.2, 0.05)},
            (*EYE_UPPER, *BROW, *NOSE, *JAW_LINE, *FOREHEAD, 61, 0), one_half=True,
        ),
        "nose_wrinkle": Shape(
            {49: (-0.05, 0.25, 0.05), 129: (-0.08, 0.3, 0.03), 98: (-0.06, 0.25, 0.02), 48: (-0.06, 0.27, 0.03),
             6: (0, -0.05, 0.05), 36: (0, 0.2, 0.08), 203: (0, 0.2, 0.05), 107: (0.1, -0.2, 0.04),
             55: (0.1, -0.2, 0.04), 9: (0, -0.15, 0.05), 0: (0, 0.15, 0.03)},
            (*EYE_RIM, *FOREHEAD, *JAW_LINE, 61, 17), one_half=True,
        ),
    }  # fmt: skip
