"""The handles that an animator drags on the face, and which expressions each way of each raises (no bpy).

A handle exists where the head has the expressions that it moves. Its own location is its value, so it is
keyed, posed, mirrored and stored in pose libraries like any bone; what it gives is added to the sliders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..formats.head_model import HeadModel
from .controls import EYELID_KEYS, FACE_BONE, all_controls, expression_key

# What the jaw's opening is called among the keys, though a constraint does it.
OPEN_KEY = "open"
MAIN, DETAIL = "Main", "Detail"
# How far a handle floats in front of the skin, metres.
FLOAT_M = 0.012

# way: (axis, sign) for the head's own left side; sign 0 goes both ways. "out" is away from the middle.
WAYS = {
    "up": (1, 1), "down": (1, -1), "out": (0, 1), "in": (0, -1), "front": (2, 1), "back": (2, -1), "side": (0, 0),
}  # fmt: skip

# name: (landmarks of MediaPipe on the left and the right, collection, range in metres, way to expression).
_SIDED = {
    "brow": (334, 105, MAIN, 0.015, {"up": "brow_outer_up", "down": "brow_down"}),
    "lid_upper": (386, 159, MAIN, 0.010, {"down": "Eyelid", "up": "eye_wide"}),
    "lid_lower": (374, 145, DETAIL, 0.008, {"up": "squint"}),
    "cheek": (425, 205, DETAIL, 0.015, {"up": "cheek_raise", "out": "puff", "in": "cheek_suck"}),
    "nostril": (358, 129, DETAIL, 0.010, {"up": "nose_wrinkle", "out": "nostril_flare"}),
    "lip_corner": (
        291, 61, MAIN, 0.020,
        {"up": "smile", "down": "frown", "out": "stretch", "back": "dimple", "front": "sharp_lip_pull"},
    ),
    "lip_upper": (269, 39, DETAIL, 0.010, {"up": "upper_lip_raise"}),
    "lip_lower": (405, 181, DETAIL, 0.010, {"down": "lower_lip_depress"}),
}  # fmt: skip
# name: (landmark, collection, range in metres, way to expression).
_CENTRAL = {
    "brow_inner": (9, MAIN, 0.015, {"up": "brow_inner_up", "down": "brow_together"}),
    "lips": (
        0, MAIN, 0.020,
        {"side": "mouth_shift", "up": "mouth_close", "down": "funnel", "front": "pucker", "back": "lips_press"},
    ),
    "lip_upper": (11, DETAIL, 0.010, {"up": "upper_lip_shrug", "back": "lip_roll_upper"}),
    "lip_lower": (16, DETAIL, 0.010, {"up": "f_tuck", "back": "lip_roll_lower"}),
    "chin": (
        152, MAIN, 0.030, {"down": OPEN_KEY, "up": "chin_raise", "side": "jaw_side", "front": "jaw_forward"}
    ),
    "tongue": (
        14, DETAIL, 0.020,
        {"side": "tongue_side", "up": "tongue_up", "front": "tongue_out", "back": "tongue_back"},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Pull:
    """One way of a handle: moving along `axis` (0..2) by the handle's range adds 1 to `key`.

    Args:
        name: of the expression, and of the property of the bone that holds the value.
        sign: 1 or -1 for one direction, 0 for both (the other way subtracts).
        key: the shape key, or `OPEN_KEY`.
    """

    name: str
    axis: int
    sign: int
    key: str


@dataclass(frozen=True)
class Drag:
    """A handle: a bone that is moved within `range_m` metres of its rest, on each axis that pulls something."""

    name: str
    landmark: int
    collection: str
    range_m: float
    pulls: tuple[Pull, ...]


def drags_of(head: HeadModel) -> list[Drag]:
    """The handles that this head's expressions allow."""
    keys = {name: expression_key(index) for index, name in enumerate(head.expression_names)}
    keys[OPEN_KEY] = OPEN_KEY
    if head.eyelids is not None:
        keys |= {name: name for name in EYELID_KEYS}
    drags = []
    for name, (left, right, collection, range_m, ways) in _SIDED.items():
        for side, landmark, mirror in (("L", left, 1), ("R", right, -1)):
            pulls = []
            for way, expression in ways.items():
                axis, sign = WAYS[way]
                expression = f"{expression}_{side}"
                if expression in keys:
                    pulls.append(Pull(expression, axis, sign * mirror if axis == 0 else sign, keys[expression]))
            drags.append(Drag(f"{name}.{side}", landmark, collection, range_m, tuple(pulls)))
    for name, (landmark, collection, range_m, ways) in _CENTRAL.items():
        known = {way: expression for way, expression in ways.items() if expression in keys}
        pulls = [Pull(expression, *WAYS[way], keys[expression]) for way, expression in known.items()]
        drags.append(Drag(name, landmark, collection, range_m, tuple(pulls)))
    return [drag for drag in drags if drag.pulls]


def place_of(drag: Drag, head: HeadModel, shaped: np.ndarray) -> np.ndarray:
    """(3,) where a handle rests: before its landmark, or where its expression moves the head that has none.

    Args:
        shaped: (V, 3) vertices with the identity.
    """
    if head.landmark_faces is not None and head.landmark_faces[drag.landmark] >= 0:
        corners = shaped[head.faces[head.landmark_faces[drag.landmark]]]
        place = head.landmark_bary[drag.landmark] @ corners
    else:
        weights = _motion(drag.pulls[0], head) ** 4
        place = weights @ shaped / max(float(weights.sum()), 1e-12)
    return place.astype(np.float64) + [0, 0, FLOAT_M]


def _motion(pull: Pull, head: HeadModel) -> np.ndarray:
    """(V,) how much a pull moves each vertex, 1 at most."""
    if pull.key == OPEN_KEY:
        return head.weights[:, 2] / max(float(head.weights[:, 2].max()), 1e-12)
    if pull.key in EYELID_KEYS:
        offsets = head.eyelids[EYELID_KEYS.index(pull.key)]
    else:
        offsets = head.expressiondirs[..., head.expression_names.index(pull.name)]
    size = np.linalg.norm(offsets, axis=1)
    return size / max(float(size.max()), 1e-12)


def sources_of_keys(head: HeadModel) -> dict[str, list[tuple[str, str]]]:
    """Shape key (or `OPEN_KEY`) to the (bone, property) pairs whose sum is its value."""
    sources = {OPEN_KEY: [(FACE_BONE, "open")]}
    for control in all_controls(head):
        for key in control.keys:
            sources.setdefault(key, []).append((FACE_BONE, control.name))
    for drag in drags_of(head):
        for pull in drag.pulls:
            sources[pull.key].append((drag.name, pull.name))
    return sources
