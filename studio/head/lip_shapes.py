"""Sculpted shapes of lips, cheeks and chin (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .rings import BROW, EYE_UPPER, FOREHEAD, JAW_LINE, LOWER_LIP, NOSE, UPPER_LIP
from .shapes import AROUND_MOUTH, UPPER_FACE, Offset, Rows, Shape, arched, drawn, lip_rows

_LEFT_OF = {57: 287, 186: 410, 43: 273, 92: 322, 106: 335, 216: 436, 212: 432, 165: 391, 167: 393, 205: 425, 207: 427,
            83: 313, 182: 406}  # fmt: skip
_CHEEK = {
    205: (-0.3, 0, 0.5), 50: (-0.15, 0, 0.2), 187: (-0.45, 0, 0.3), 207: (-0.4, -0.05, 0.42),
    216: (-0.32, 0, 0.45), 212: (-0.25, -0.05, 0.38), 214: (-0.35, -0.05, 0.3), 206: (-0.2, 0.05, 0.42),
}  # fmt: skip


def mouth_shapes(cage: Cage) -> dict[str, Shape]:
    """Shapes of the lips and cheeks by name."""
    x = cage.points[:, 0]
    rounded = {
        "pucker": _rounding(x, 0.40, (0.42, 0.68, 0.78, 0.66), (0.13, 0.08, 0.02, 0.0)),
        "funnel": _rounding(x, 0.24, (0.32, 0.60, 0.72, 0.56), (0.05, 0.12, 0.20, 0.30)),
        "lip_blow": _rounding(x, 0.32, (0.30, 0.46, 0.50, 0.38), (0.06, 0.06, 0.10, 0.14)),
    }
    for vertex in (207, 187, 212, 214, 216):
        offset = _CHEEK[vertex]
        rounded["lip_blow"].handles.setdefault(vertex, (0.6 * offset[0], offset[1], 0.55 * offset[2]))
        mirrored = (-0.6 * offset[0], offset[1], 0.55 * offset[2])
        rounded["lip_blow"].handles.setdefault(int(cage.mirror[vertex]), mirrored)
    return rounded | _corner_shapes() | _cheek_shapes() | _single_lip_shapes() | _both_lip_shapes()


def _rounding(x: np.ndarray, narrowing: float, forward: tuple[float, ...], opening: tuple[float, ...]) -> Shape:
    """Orbicularis oris: corners come in and forward, lips protrude and evert, the skin around follows.

    Args:
        narrowing: share of the half width; forward, opening: by row, from the outer border inwards.
    """
    handles: dict[int, Offset] = {}
    for rings, sign in ((LOWER_LIP, -1), (UPPER_LIP, 1)):
        for row, ring in enumerate(rings):
            for k in range(11):
                s = (k - 5) / 5
                # The middle narrows less than the corners, or the philtrum is pinched.
                inwards = -narrowing * x[ring[k]] * (0.50 + 0.50 * s * s)
                handles[ring[k]] = (inwards, sign * opening[row] * (1 - s * s), forward[row] * (1 - 0.22 * s * s))
    n, f = narrowing / 0.40, forward[0] / 0.40
    beside = {57: (0.78 * n, 0, 0.42 * f), 186: (0.58 * n, -0.04, 0.46 * f), 43: (0.62 * n, 0.02, 0.46 * f),
              92: (0.38 * n, 0.0, 0.42 * f), 106: (0.36 * n, 0.0, 0.42 * f), 216: (0.34 * n, -0.04, 0.26 * f),
              212: (0.36 * n, 0, 0.26 * f), 165: (0.22 * n, 0.0, 0.32 * f), 167: (0.11 * n, 0.02, 0.34 * f),
              205: (0.12 * n, -0.04, 0.03), 207: (0.14 * n, 0, 0.04), 83: (0.12 * n, -0.02, 0.28 * f),
              182: (0.22 * n, -0.02, 0.30 * f)}  # fmt: skip
    handles |= beside | {_LEFT_OF[v]: (-d[0], d[1], d[2]) for v, d in beside.items()}
    handles |= {164: (0, 0.02, 0.34 * f), 18: (0, -0.02, 0.30 * f)}
    return Shape(handles, (*AROUND_MOUTH, 50, 101))


def _flat(offset: Offset) -> Rows:
    return (offset, offset, offset, offset)


def _corner_shapes() -> dict[str, Shape]:
    """What the corners do: smile, frown, stretch, dimple, sharp pull, each with lips that stay closed."""
    smile = drawn(
        (-0.76, 0.62, -0.50),
        ((0, -0.01, -0.20), (0, 0.03, -0.25), (0, 0.06, -0.24), (0, 0.08, -0.20)),
        ((0, 0.17, -0.20), (0, 0.16, -0.26), (0, 0.12, -0.24), (0, 0.08, -0.20)),
    )
    # The cheek slides up and forward over a furrow that stays: the nasolabial fold.
    smile |= {205: (-0.28, 0.44, 0.36), 50: (-0.15, 0.40, 0.40), 101: (-0.05, 0.25, 0.26), 36: (-0.20, 0.34, 0.32),
              187: (-0.35, 0.32, 0.28), 147: (-0.12, 0.14, 0.10), 123: (-0.12, 0.22, 0.18), 117: (0, 0.18, 0.12),
              118: (0, 0.18, 0.14), 207: (-0.45, 0.40, 0.22), 203: (-0.22, 0.18, -0.04), 206: (-0.34, 0.32, -0.06),
              216: (-0.47, 0.40, -0.12), 212: (-0.50, 0.42, -0.20), 57: (-0.68, 0.52, -0.46), 186: (-0.55, 0.42, -0.34),
              43: (-0.52, 0.40, -0.40), 92: (-0.30, 0.20, -0.24), 165: (-0.16, 0.08, -0.14), 202: (-0.30, 0.22, -0.16),
              204: (-0.16, 0.12, -0.16), 106: (-0.22, 0.18, -0.26), 164: (0, 0.0, -0.12), 18: (0, 0.05, -0.15),
              98: (-0.12, 0.06, 0), 129: (-0.12, 0.08, 0.05), 64: (-0.10, 0.04, 0), 23: (0, 0.08, 0.02),
              145: (0, 0.06, 0), 144: (0, 0.05, 0), 153: (0, 0.05, 0)}  # fmt: skip
    frown = drawn(
        (-0.04, -0.48, -0.02),
        ((0, 0.0, 0.04), (0, 0.0, 0.04), (0, 0.02, 0.03), (0, 0.04, 0.02)),
        ((0, 0.08, 0.08), (0, 0.06, 0.08), (0, 0.05, 0.05), (0, 0.04, 0.02)), power=1.8,
    ) | {57: (-0.08, -0.44, 0.06), 43: (-0.08, -0.46, 0.10), 186: (-0.02, -0.30, 0), 92: (0, -0.12, 0),
         202: (-0.12, -0.30, 0.12), 204: (-0.05, -0.20, 0.08), 212: (-0.05, -0.28, 0.05), 216: (0, -0.18, 0),
         106: (-0.04, -0.22, 0.08), 18: (0, 0.12, 0.10), 200: (0, 0.10, 0.05), 210: (-0.04, -0.14, 0.04)}  # fmt: skip
    stretch = drawn(
        (-0.64, -0.10, -0.40),
        ((0, -0.05, -0.16), (0, -0.04, -0.18), (0, -0.01, -0.15), (0, 0, -0.12)),
        ((0, 0.08, -0.16), (0, 0.06, -0.18), (0, 0.02, -0.15), (0, 0, -0.12)), power=1.3,
    ) | {57: (-0.58, -0.10, -0.32), 43: (-0.52, -0.12, -0.30), 186: (-0.48, -0.06, -0.28), 92: (-0.28, -0.02, -0.22),
         212: (-0.40, -0.06, -0.06), 216: (-0.28, 0, -0.06), 202: (-0.36, -0.12, -0.10), 207: (-0.25, 0, 0.10),
         204: (-0.25, -0.10, -0.10), 106: (-0.32, -0.04, -0.22), 187: (-0.15, 0, 0.08), 214: (-0.20, 0, 0.10),
         18: (0, 0, -0.10), 164: (0, 0, -0.08)}  # fmt: skip
    dimple = drawn(
        (-0.26, 0.07, -0.30),
        ((0, -0.03, -0.10), (0, -0.03, -0.10), (0, 0, -0.08), (0, 0.01, -0.08)),
        ((0, 0.05, -0.10), (0, 0.04, -0.10), (0, 0.02, -0.08), (0, 0.01, -0.08)),
    ) | {57: (-0.22, 0.06, -0.36), 186: (-0.16, 0.08, -0.20), 43: (-0.16, 0.03, -0.22), 212: (-0.12, 0.05, 0.12),
         216: (-0.10, 0.06, 0.14), 202: (-0.08, 0.02, 0.06), 207: (-0.12, 0.04, 0.12)}  # fmt: skip
    sharp = drawn(
        (-0.20, 0.70, -0.22),
        ((0, 0.02, -0.06), (0, 0.03, -0.06), (0, 0.04, -0.05), (0, 0.05, -0.05)),
        ((0, 0.08, -0.06), (0, 0.08, -0.06), (0, 0.06, -0.05), (0, 0.05, -0.05)), power=2.2,
    ) | {57: (-0.16, 0.62, -0.12), 186: (-0.14, 0.54, -0.05), 43: (-0.14, 0.44, -0.16), 92: (-0.06, 0.26, -0.05),
         206: (-0.10, 0.36, 0.22), 216: (-0.12, 0.46, 0.22), 205: (-0.08, 0.32, 0.40), 36: (-0.04, 0.22, 0.28),
         203: (-0.05, 0.20, 0.05), 50: (0, 0.22, 0.22), 207: (-0.08, 0.30, 0.16), 212: (-0.12, 0.44, 0.04)}  # fmt: skip
    held = (*EYE_UPPER, *BROW, 1, 4, 5, 6, 168, 2, *JAW_LINE, *FOREHEAD)
    return {
        "smile": Shape(smile, held, one_half=True),
        "frown": Shape(frown, (*UPPER_FACE, *NOSE, 152, 50), one_half=True),
        "stretch": Shape(stretch, (*UPPER_FACE, *NOSE, *JAW_LINE[-4:], 152, 50), one_half=True),
        "dimple": Shape(dimple, (*AROUND_MOUTH, 50), one_half=True),
        "sharp_lip_pull": Shape(sharp, held, one_half=True),
    }


def _cheek_shapes() -> dict[str, Shape]:
    hollow = {187: (0.42, 0, -0.20), 207: (0.34, 0, -0.38), 214: (0.36, 0, -0.22), 192: (0.30, 0, -0.10),
              216: (0.16, 0, -0.26), 212: (0.16, 0, -0.24), 147: (0.20, 0, -0.06), 205: (0.06, 0, -0.20),
              57: (0.08, 0, 0.02), 135: (0.10, 0, -0.04), 213: (0.22, 0, -0.05), 206: (0.04, 0, -0.10)}  # fmt: skip
    return {
        "puff": Shape(_CHEEK | {164: (0, 0.02, 0.22), 18: (0, 0, 0.2)}, (*AROUND_MOUTH, 61, 0, 17), one_half=True),
        "cheek_suck": Shape(hollow, (*UPPER_FACE, *NOSE, 152, 50, 61, 0, 17, 234, 93), one_half=True),
    }


def _single_lip_shapes() -> dict[str, Shape]:
    def tall(s: float) -> float:
        return 1 - 0.8 * s * s

    raised = lip_rows(UPPER_LIP, lambda row, s: (0, (0.40, 0.42, 0.45, 0.48)[row] * tall(s), 0.05))
    raised |= {164: (0, 0.20, 0.06), 165: (0, 0.26, 0.06), 98: (-0.06, 0.16, 0), 203: (-0.03, 0.22, 0.05),
               167: (0, 0.22, 0.06), 92: (0, 0.22, 0.04), 206: (0, 0.22, 0.06), 36: (0, 0.16, 0.08),
               64: (-0.05, 0.10, 0), 129: (-0.04, 0.12, 0.02)}  # fmt: skip
    lowered = lip_rows(
        LOWER_LIP, lambda row, s: (0, -(0.42, 0.46, 0.50, 0.52)[row] * tall(s), (0.02, 0, 0, -0.06)[row])
    )
    lowered |= {18: (0, -0.26, 0.04), 83: (0, -0.26, 0.04), 106: (-0.03, -0.16, 0), 182: (0, -0.18, 0.02),
                200: (0, -0.08, 0.02)}  # fmt: skip
    part_upper = ((0, 0.06, 0), (0, 0.08, 0.02), (0, 0.10, 0.02), (0, 0.12, 0.02))
    part_lower = ((0, -0.14, 0.01), (0, -0.20, 0.02), (0, -0.26, 0.02), (0, -0.30, -0.02))
    parted = lip_rows(UPPER_LIP, arched(part_upper)) | lip_rows(LOWER_LIP, arched(part_lower)) | {18: (0, -0.06, 0)}
    tuck = ((0, 0.24, -0.10), (0, 0.30, -0.26), (0, 0.33, -0.44), (0, 0.30, -0.60))
    # The upper lip makes room for it.
    over = ((0, 0.06, 0.04), (0, 0.08, 0.06), (0, 0.10, 0.06), (0, 0.12, 0.04))
    held = (*UPPER_FACE, 1, 4, 5, 6, 168, *JAW_LINE, 61, 291)
    return {
        "upper_lip_raise": Shape(raised, held, one_half=True),
        "lower_lip_depress": Shape(lowered, (*AROUND_MOUTH, 61, 291, 199), one_half=True),
        "lips_part": Shape(parted, (*AROUND_MOUTH, 61, 291, 199)),
        "f_tuck": Shape(
            lip_rows(LOWER_LIP, arched(tuck)) | lip_rows(UPPER_LIP, arched(over)) | {18: (0, 0.16, -0.05)},
            (*AROUND_MOUTH, 61, 291, 199),
            bag={(depth, i): (0, y * (1 - (i / 5 - 1) ** 2), z) for depth, y, z in ((1, 0.36, 0.08), (2, 0.38, 0.04))
                 for i in range(1, 10)},
        ),
    }  # fmt: skip


def _both_lip_shapes() -> dict[str, Shape]:
    """Lips that stay in contact while they are pressed, tightened, rolled in, pushed up or shifted."""
    upper_press = ((0, -0.10, -0.06), (0, -0.13, -0.14), (0, -0.05, -0.15), (0, 0, -0.10))
    lower_press = ((0, 0.10, -0.06), (0, 0.13, -0.14), (0, 0.05, -0.15), (0, 0, -0.10))
    upper_tight = ((0, -0.20, 0.02), (0, -0.14, -0.02), (0, -0.06, -0.02), (0, 0, -0.02))
    lower_tight = ((0, 0.24, 0.02), (0, 0.17, -0.02), (0, 0.07, -0.02), (0, 0, -0.02))
    upper_roll = ((0, -0.16, -0.08), (0, -0.20, -0.24), (0, -0.12, -0.36), (0, -0.02, -0.32))
    lower_roll = ((0, 0.20, -0.08), (0, 0.22, -0.26), (0, 0.12, -0.38), (0, 0.02, -0.32))
    raised_lower = ((0, 0.34, 0.12), (0, 0.30, 0.16), (0, 0.26, 0.14), (0, 0.22, 0.10))
    raised_upper = ((0, 0.12, 0.04), (0, 0.16, 0.08), (0, 0.20, 0.10), (0, 0.22, 0.10))
    shrug_upper = ((0, 0.20, 0.14), (0, 0.20, 0.22), (0, 0.16, 0.18), (0, 0.12, 0.08))

    def tightened(rows: Rows) -> dict[int, Offset]:
        rings = UPPER_LIP if rows is upper_tight else LOWER_LIP
        return lip_rows(rings, lambda row, s: (-0.16 * s, rows[row][1] * (1 - s * s), rows[row][2]), corners=True)

    def shifted(row: int, s: float) -> Offset:
        return (0.62 - 0.12 * s * s, 0.04 * s, -0.10 * s * s)

    chin = {18: (0, 0.40, 0.06), 83: (0, 0.36, 0.06), 200: (0, 0.36, 0.14), 201: (0, 0.34, 0.12), 199: (0, 0.30, 0.12),
            175: (0, 0.16, 0.04), 204: (0, 0.12, 0), 106: (0, 0.22, 0.04), 182: (0, 0.30, 0.06),
            194: (0, 0.24, 0.06), 164: (0, 0.05, 0.02)}  # fmt: skip
    held = (*AROUND_MOUTH, 61, 291)
    return {
        "lips_press": Shape(
            lip_rows(UPPER_LIP, arched(upper_press)) | lip_rows(LOWER_LIP, arched(lower_press))
            | {78: (0, 0, -0.06), 308: (0, 0, -0.06), 18: (0, 0.10, 0.02)}, (*AROUND_MOUTH, 164),
        ),
        "lip_tighten": Shape(
            tightened(upper_tight) | tightened(lower_tight)
            | {57: (0.10, 0, 0), 287: (-0.10, 0, 0), 18: (0, 0.10, 0.04), 164: (0, -0.05, 0.03)}, AROUND_MOUTH,
        ),
        "lip_roll_upper": Shape(lip_rows(UPPER_LIP, arched(upper_roll)), (*held, 164)),
        "lip_roll_lower": Shape(lip_rows(LOWER_LIP, arched(lower_roll)) | {18: (0, 0.06, 0)}, (*held, 200)),
        "upper_lip_shrug": Shape(
            lip_rows(UPPER_LIP, arched(shrug_upper)) | lip_rows(LOWER_LIP, arched(_flat((0, 0.10, 0.04))))
            | {164: (0, 0.10, 0.08), 167: (0, 0.10, 0.08), 393: (0, 0.10, 0.08)}, held,
        ),
        "chin_raise": Shape(
            lip_rows(UPPER_LIP, arched(raised_upper)) | lip_rows(LOWER_LIP, arched(raised_lower)) | chin,
            (*UPPER_FACE, *NOSE, *JAW_LINE[3:], 61, 291), one_half=True,
        ),
        "mouth_shift": Shape(
            lip_rows(UPPER_LIP, shifted, corners=True) | lip_rows(LOWER_LIP, shifted, corners=True)
            | {57: (0.35, 0, 0), 287: (0.40, 0, -0.05), 164: (0.22, 0, 0), 18: (0.5, 0, 0), 200: (0.3, 0, 0)},
            (*UPPER_FACE, *NOSE, 234, 132, 454, 361, 50, 280, 58, 288), lopsided=True,
        ),
    }  # fmt: skip
