"""Whole poses: back to neutral, left and right exchanged, and keys for what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from mathutils.kdtree import KDTree

from ..errors import ErlnetError
from ..formats.head_model import JOINTS, HeadModel
from .controls import EYELIDS, FACE_BONE, SIGNED, all_controls, expression_key
from .drags import drags_of
from .rig import head_of, set_rotation

ROTATION_PATHS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
# How far a vertex may be from its mirror image for a head to count as symmetric, metres.
SYMMETRY_M = 0.003

# (bone, data path of the property from the bone): its value as numbers.
Channels = dict[tuple[str, str], tuple[float, ...]]


def rotation_path(bone: bpy.types.PoseBone) -> str:
    """The property that turns a bone in its rotation mode."""
    return ROTATION_PATHS.get(bone.rotation_mode, "rotation_euler")


def pose_channels(rig: bpy.types.Object) -> Channels:
    """Every number of the pose that an animator can key."""
    bones, head = rig.pose.bones, head_of(rig)
    paths = [(name, rotation_path(bones[name])) for name in JOINTS]
    paths += [(name, "location") for name in _moving_bones(rig, head)]
    paths += [(FACE_BONE, f'["{control.name}"]') for control in all_controls(head) if control.name in bones[FACE_BONE]]
    values = {(bone, path): bones[bone].path_resolve(path) for bone, path in paths}
    return {key: (value,) if isinstance(value, float) else tuple(value) for key, value in values.items()}


@contextmanager
def auto_keying(scene: bpy.types.Scene, rig: bpy.types.Object) -> Iterator[None]:
    """If the user's auto-keying is on, key at the current frame what changes inside the block."""
    before = pose_channels(rig)
    yield
    if scene.tool_settings.use_keyframe_insert_auto:
        for (bone, path), value in pose_channels(rig).items():
            if value != before.get((bone, path)):
                rig.pose.bones[bone].keyframe_insert(path)


def reset_pose(rig: bpy.types.Object, joints: bool = True, root: bool = False) -> None:
    """Set controls and handles to neutral.

    Args:
        joints: also the rotation of neck, jaw and eyes, and the eyes' target.
        root: also the rotation and the place of the root.
    """
    bones, head = rig.pose.bones, head_of(rig)
    for control in all_controls(head):
        if control.name in bones[FACE_BONE]:
            bones[FACE_BONE][control.name] = 0.0
    for name in _moving_bones(rig, head):
        if name == "root" and not root or name == "look_at" and not joints:
            continue
        bones[name].location = (0.0, 0.0, 0.0)
    for name in JOINTS:
        if root if name == "root" else joints:
            set_rotation(bones[name], Quaternion())
    rig.update_tag()


def mirror_pose(rig: bpy.types.Object) -> None:
    """Exchange left and right: expressions, lids, handles, eyes, and the turns of root, neck and jaw.

    Raises:
        ErlnetError: the head neither names its expressions nor is symmetric. The pose is unchanged.
    """
    bones, head = rig.pose.bones, head_of(rig)
    face = bones[FACE_BONE]
    keys = [expression_key(index) for index in range(head.expressiondirs.shape[-1])]
    expressions = mirrored_expressions(head, np.array([face[key] for key in keys]))
    turns = {name: bones[name].matrix_basis.to_quaternion() for name in JOINTS}
    places = {name: bones[name].location.copy() for name in _moving_bones(rig, head)}
    for key, value in zip(keys, expressions.tolist(), strict=True):
        face[key] = value
    if head.eyelids is not None:
        left, right = (face[name] for name in EYELIDS)
        face[EYELIDS[0]], face[EYELIDS[1]] = right, left
    for name, turn in turns.items():
        set_rotation(bones[bpy.utils.flip_name(name)], Quaternion((turn.w, turn.x, -turn.y, -turn.z)))
    for name, place in places.items():
        bones[bpy.utils.flip_name(name)].location = place * Vector((-1.0, 1.0, 1.0))
    rig.update_tag()


def mirrored_expressions(head: HeadModel, values: np.ndarray) -> np.ndarray:
    """(E,) or (E, N) coefficients of the mirror image of the face with coefficients `values` of that shape.

    By name where the head has names; else by least squares over the vertices and their mirror images.

    Raises:
        ErlnetError: no names, and the head is not symmetric.
    """
    if head.meta.get("expression_names"):
        names = head.expression_names
        signs = [-1.0 if name in SIGNED else 1.0 for name in names]
        return np.array([values[_partner(names, index)] * sign for index, sign in enumerate(signs)])
    tree = KDTree(len(head.v_template))
    for index, place in enumerate(head.v_template.tolist()):
        tree.insert(place, index)
    tree.balance()
    found = [tree.find((-x, y, z)) for x, y, z in head.v_template.tolist()]
    if np.median([distance for _, _, distance in found]) > SYMMETRY_M:
        raise ErlnetError("The head is not symmetric and does not name its expressions", head.id, "mirror it by hand")
    basis = head.expressiondirs.astype(np.float64)
    image = basis[[index for _, index, _ in found]] * np.array([-1.0, 1.0, 1.0])[:, None]
    flat = basis.reshape(-1, basis.shape[-1])
    return np.linalg.lstsq(flat, image.reshape(flat.shape) @ values, rcond=None)[0]


def _partner(names: list[str], index: int) -> int:
    """The expression of the other side; an expression without sides, or whose other side is missing, is its own."""
    name = names[index]
    other = {"_L": "_R", "_R": "_L"}.get(name[-2:])
    other = f"{name[:-2]}{other}" if other else name
    return names.index(other) if other in names else index


def _moving_bones(rig: bpy.types.Object, head: HeadModel) -> list[str]:
    """The bones whose location is part of the pose; a rig that an earlier version built has fewer."""
    names = ["root", "look_at", *(drag.name for drag in drags_of(head))]
    return [name for name in names if name in rig.pose.bones]
