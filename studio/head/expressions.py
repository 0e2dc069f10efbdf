"""Expressions on the fine skin: sculpted shapes spread biharmonically, their creases, lips that stay closed (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .eyelids import LEFT, RIGHT, lid_motion
from .face_shapes import face_shapes
from .lip_shapes import mouth_shapes
from .relief import relief
from .rings import LOWER_LIP, MOUTH_RIM, UPPER_LIP
from .shapes import AROUND_MOUTH, Shape
from .skinning import before_jaw, jaw_posed
from .surface import Membrane, smoothstep

SEAL_DEG = 10.0  # mouth_close seals the lips at this opening of the jaw
UPPER_SHARE = 0.42  # of the way to the seal that the upper lip goes
# The order of the components in the file.
NAMES = (
    "mouth_close", "lips_press", "pucker", "funnel", "stretch_L", "stretch_R", "smile_L", "smile_R", "frown_L",
    "frown_R",
    "upper_lip_raise_L", "upper_lip_raise_R", "lower_lip_depress_L", "lower_lip_depress_R", "f_tuck", "dimple_L",
    "dimple_R", "mouth_shift", "jaw_forward", "tongue_up", "tongue_out", "tongue_back", "brow_inner_up",
    "brow_outer_up_L", "brow_outer_up_R", "brow_down_L", "brow_down_R", "cheek_raise_L", "cheek_raise_R",
    "nose_wrinkle_L", "nose_wrinkle_R", "puff_L", "puff_R", "squint_L", "squint_R", "eye_wide_L", "eye_wide_R",
    "lip_roll_upper", "lip_roll_lower",
    "jaw_side", "chin_raise", "upper_lip_shrug", "lip_tighten", "lips_part", "sharp_lip_pull_L", "sharp_lip_pull_R",
    "cheek_suck_L", "cheek_suck_R", "nostril_flare_L", "nostril_flare_R", "brow_together", "lid_follow_up_L",
    "lid_follow_up_R", "lid_follow_down_L", "lid_follow_down_R", "neck_tighten", "swallow", "tongue_side", "lip_blow",
)  # fmt: skip
SIGNED = ("mouth_shift", "jaw_side", "tongue_side")  # -1 to 1, + is the head's own left
TONGUE_ONLY = ("tongue_up", "tongue_out", "tongue_back", "tongue_side")
# Shapes that part the lips; all others leave closed lips closed.
OPENERS = ("funnel", "upper_lip_raise", "lower_lip_depress", "f_tuck", "lips_part", "lip_blow")
PAIRED = tuple(dict.fromkeys(name[:-2] for name in NAMES if name.endswith(("_L", "_R"))))
# How the lower jaw's bones go with an expression. They pass under the upper teeth, not through them.
JAW_SHIFT = {"jaw_forward": (0.0, -0.06, 0.55), "jaw_side": (0.45, -0.06, 0.0), "mouth_shift": (0.12, -0.02, 0.0)}
# Parts of the lids' way to the line where they meet; negative opens. Upper, lower.
LID_SHAPES = {
    "squint": (0.20, 1.5),
    "eye_wide": (-0.24, -0.25),
    "lid_follow_up": (-0.30, 0.7),
    "lid_follow_down": (0.45, -1.1),
}


def solve_shape(cage: Cage, membrane: Membrane, shape: Shape) -> np.ndarray:
    """(V, 3) cage offsets of one sculpted shape."""
    mirror = cage.mirror
    handles = {v: np.array(d, float) for v, d in shape.handles.items()}
    if shape.one_half:
        for v, d in list(handles.items()):
            if mirror[v] != v:
                handles.setdefault(int(mirror[v]), d * [-1, 1, 1])
    handles |= {cage.bag[depth][k]: np.array(d, float) for (depth, k), d in shape.bag.items()}
    # The inner side of the lips goes with their rim; beside the corners so does the cheek, or it folds.
    for k, v in enumerate(MOUTH_RIM):
        if v in handles:
            beside = np.cos(np.pi * k / 10) ** 4
            # What narrows the mouth leaves its inner side nearer to the teeth behind.
            inward = shape.lopsided or handles[v][0] * cage.points[v, 0] < 0
            across = (0.8, 0.4, 0.2, 0.1) if inward else (1.0, 1.0, 1.0, 1.0)
            shares = (1.0, 0.75 + 0.15 * beside, 0.7 * beside, 0.35 * beside)
            for depth, share, x in zip((1, 2, 3, 4), shares, across, strict=True):
                if share > 0.2:
                    handles.setdefault(cage.bag[depth][k], handles[v] * share * [x, 1, 1])
    still = set(shape.still) | {int(mirror[v]) for v in shape.still}
    still |= {v for ring in cage.rings[1:] for v in ring} | {v for ring in cage.bag[5:] for v in ring}
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
    handles |= {18: np.array([0, 0.45, 0.05]), 200: np.array([0, 0.16, 0.04]), 164: np.array([0, -0.14, 0])}
    for v in (*AROUND_MOUTH, 50, 280):
        handles.setdefault(v, np.zeros(3))
        handles.setdefault(int(cage.mirror[v]), np.zeros(3))
    for ring in (*cage.rings[1:], *cage.bag[4:]):
        for v in ring:
            handles.setdefault(v, np.zeros(3))
    return membrane.spread(handles)


def cage_expressions(cage: Cage, membrane: Membrane, jaw: np.ndarray) -> dict[str, np.ndarray]:
    """(V, 3) cage offsets of every expression that moves the skin, pairs still whole."""
    full = {name: solve_shape(cage, membrane, shape) for name, shape in (mouth_shapes(cage) | face_shapes()).items()}
    full["mouth_close"] = mouth_close(cage, membrane, jaw)
    for name, shift in JAW_SHIFT.items():
        full[name] = full.get(name, 0) + jaw[:, None] * np.array(shift)
    for name, (upper, lower) in LID_SHAPES.items():
        full[name] = sum(lid_motion(cage, membrane, side, upper, lower) for side in (LEFT, RIGHT))
    full["squint"] = full["squint"] + 0.5 * full["cheek_raise"]
    full["swallow"] = np.zeros_like(cage.points)
    for name, offsets in full.items():
        if name not in SIGNED:
            full[name] = 0.5 * (offsets + offsets[cage.mirror] * [-1, 1, 1])
    return full


def creased(name: str, offsets: np.ndarray, skin: np.ndarray, normals: np.ndarray, cage: Cage) -> np.ndarray:
    """(V', 3) offsets of the fine skin with the creases of the expression."""
    return offsets + relief(name, skin, cage)[:, None] * normals


def halves(name: str, offsets: np.ndarray, skin: np.ndarray) -> dict[str, np.ndarray]:
    """An expression as its components: a paired one is split at the midline, softly."""
    if name not in PAIRED:
        return {name: offsets}
    left = smoothstep(-1.2, 1.2, skin[:, 0])[:, None]
    return {f"{name}_L": offsets * left, f"{name}_R": offsets * (1 - left)}


def tongue_offsets(points: np.ndarray, back: np.ndarray) -> dict[str, np.ndarray]:
    """Offsets (N, 3) of the tongue's points; `back` (N,) is 0 at the tip and 1 at the root."""
    tip = smoothstep(0.75, 0.0, back)[:, None]
    body = smoothstep(1.0, 0.25, back)[:, None]
    narrow = np.stack([-0.3 * points[:, 0], 0 * back, 0 * back], 1)
    return {
        "tongue_up": tip * [0, 1.15, 0.15],
        "tongue_out": body * [0, 1.25, 2.2] + tip * (narrow + [0, 0.10, 0.4]),
        "tongue_back": body * [0, 0.45, -0.9] + tip * [0, -0.35, 0],
        "tongue_side": smoothstep(0.5, 0.0, back)[:, None] * [0.55, 0.10, -0.25],
    }


def teeth_offset(name: str) -> np.ndarray:
    """(3,) how the lower teeth and the tongue go with an expression of the jaw."""
    return np.array(JAW_SHIFT.get(name, (0.0, 0.0, 0.0)))
