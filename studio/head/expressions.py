"""Expressions and eyelids on the cage: sculpted shapes spread biharmonically, seals solved exactly (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .eyelids import LEFT, RIGHT, lid_motion
from .rings import LOWER_LIP, MOUTH_RIM, UPPER_LIP
from .shapes import AROUND_MOUTH, Shape, mouth_shapes, upper_face_shapes
from .skinning import before_jaw, jaw_posed
from .surface import Membrane, smoothstep

SEAL_DEG = 10.0  # mouth_close seals the lips at this opening of the jaw
UPPER_SHARE = 0.36  # of the way to the seal that the upper lip goes
PAIRED = (
    "stretch", "smile", "frown", "upper_lip_raise", "lower_lip_depress", "dimple", "brow_outer_up", "brow_down",
    "cheek_raise", "nose_wrinkle", "puff", "squint", "eye_wide",
)  # fmt: skip
# The order of the components in the file.
NAMES = (
    "mouth_close", "lips_press", "pucker", "funnel", "stretch_L", "stretch_R", "smile_L", "smile_R", "frown_L",
    "frown_R",
    "upper_lip_raise_L", "upper_lip_raise_R", "lower_lip_depress_L", "lower_lip_depress_R", "f_tuck", "dimple_L",
    "dimple_R", "mouth_shift", "jaw_forward", "tongue_up", "tongue_out", "tongue_back", "brow_inner_up",
    "brow_outer_up_L", "brow_outer_up_R", "brow_down_L", "brow_down_R", "cheek_raise_L", "cheek_raise_R",
    "nose_wrinkle_L", "nose_wrinkle_R", "puff_L", "puff_R", "squint_L", "squint_R", "eye_wide_L", "eye_wide_R",
    "lip_roll_upper", "lip_roll_lower",
)  # fmt: skip
TONGUE_ONLY = ("tongue_up", "tongue_out", "tongue_back")


def solve_shape(cage: Cage, membrane: Membrane, shape: Shape) -> np.ndarray:
    """(V, 3) cage offsets of one sculpted shape."""
    mirror = cage.mirror
    handles = {v: np.array(d, float) for v, d in shape.handles.items()}
    if shape.one_half:
        for v, d in list(handles.items()):
            if mirror[v] != v:
                handles[int(mirror[v])] = d * [-1, 1, 1]
    handles |= {cage.bag[depth][k]: np.array(d, float) for (depth, k), d in shape.bag.items()}
    # The inner side of the lips goes with their rim.
    for k, v in enumerate(MOUTH_RIM):
        if v in handles:
            for depth, share in ((1, 1.0), (2, 0.75)):
                handles.setdefault(cage.bag[depth][k], handles[v] * share)
    still = set(shape.still) | {int(mirror[v]) for v in shape.still}
    still |= {v for ring in cage.rings[1:] for v in ring} | {v for ring in cage.bag[4:] for v in ring}
    for v in still:
        handles.setdefault(v, np.zeros(3))
    return membrane.spread(handles)


def mouth_close(cage: Cage, membrane: Membrane, jaw: np.ndarray) -> np.ndarray:
    """(V, 3) offsets that bring the inner lips together again when the jaw is open by SEAL_DEG."""
    posed = jaw_posed(cage.points, jaw, SEAL_DEG)
    handles: dict[int, np.ndarray] = {}
    upper_inner, lower_inner = UPPER_LIP[3], LOWER_LIP[3]
    for k in range(1, 10):
        up, low = upper_inner[k], lower_inner[k]
        way = posed[low] - posed[up]
        for rings, move in ((UPPER_LIP, UPPER_SHARE * way), (LOWER_LIP, -(1 - UPPER_SHARE) * way)):
            inner = rings[3][k]
            goal = posed[inner] + move
            offset = before_jaw(goal[None], jaw[[inner]], SEAL_DEG)[0] - cage.points[inner]
            for ring, share in zip(rings, (0.82, 0.92, 1.0, 1.0), strict=True):
                handles[ring[k]] = offset * share
    for k, v in enumerate(MOUTH_RIM):
        if v in handles:
            handles[cage.bag[1][k]] = handles[v]
            handles[cage.bag[2][k]] = 0.8 * handles[v]
    for v in (61, 76, 62, 78, 291, 306, 292, 308):
        handles[v] = np.zeros(3)
    handles |= {18: np.array([0, 0.45, 0.05]), 200: np.array([0, 0.16, 0.04]), 164: np.array([0, -0.10, 0])}
    for v in (*AROUND_MOUTH, 50, 280):
        handles.setdefault(v, np.zeros(3))
        handles.setdefault(int(cage.mirror[v]), np.zeros(3))
    for ring in (*cage.rings[1:], *cage.bag[4:]):
        for v in ring:
            handles.setdefault(v, np.zeros(3))
    return membrane.spread(handles)


def cage_expressions(cage: Cage, membrane: Membrane, jaw: np.ndarray) -> dict[str, np.ndarray]:
    """(V, 3) cage offsets of every expression but the tongue's, halves already split."""
    shapes = mouth_shapes(cage) | upper_face_shapes()
    full = {name: solve_shape(cage, membrane, shape) for name, shape in shapes.items()}
    full["mouth_close"] = mouth_close(cage, membrane, jaw)
    full["jaw_forward"] = jaw[:, None] * np.array([0, -0.05, 0.55])
    full["mouth_shift"] = full["mouth_shift"] + jaw[:, None] * np.array([0.12, 0, 0])
    full["squint"] = (
        sum(lid_motion(cage, membrane, side, 0.22, 1.5) for side in (LEFT, RIGHT)) + 0.5 * full["cheek_raise"]
    )
    full["eye_wide"] = sum(lid_motion(cage, membrane, side, -0.24, -0.25) for side in (LEFT, RIGHT))
    for name, offsets in full.items():
        if name != "mouth_shift":
            full[name] = 0.5 * (offsets + offsets[cage.mirror] * [-1, 1, 1])
    left = smoothstep(-1.2, 1.2, cage.points[:, 0])[:, None]
    for name in PAIRED:
        offsets = full.pop(name)
        full[f"{name}_L"], full[f"{name}_R"] = offsets * left, offsets * (1 - left)
    return full


def tongue_offsets(points: np.ndarray, back: np.ndarray) -> dict[str, np.ndarray]:
    """Offsets (N, 3) of the tongue's points; `back` (N,) is 0 at the tip and 1 at the root."""
    tip = smoothstep(0.75, 0.0, back)[:, None]
    body = smoothstep(1.0, 0.25, back)[:, None]
    narrow = np.stack([-0.3 * points[:, 0], 0 * back, 0 * back], 1)
    return {
        "tongue_up": tip * [0, 1.15, 0.15],
        "tongue_out": body * [0, 0.75, 1.9] + tip * (narrow + [0, 0.05, 0.4]),
        "tongue_back": body * [0, 0.45, -0.9] + tip * [0, -0.35, 0],
    }


def teeth_offset(name: str) -> np.ndarray:
    """(3,) how the lower teeth and the tongue go with an expression of the jaw."""
    return np.array({"jaw_forward": (0, -0.05, 0.55), "mouth_shift": (0.12, 0, 0)}.get(name, (0.0, 0.0, 0.0)))
