"""Where every bone of a rig rests, and how bones are laid there: at creation, and again for another identity.

Bones lie in FLAME's own axes and all point along +Y with no roll, so that each rest matrix has
identity orientation and a bone's local rotation is FLAME's joint rotation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from ..errors import ErlnetError
from ..formats.head_model import JOINTS, PARENTS, HeadModel
from .controls import FACE_BONE
from .rig_pivots import base_bone, driven_bones, moving_joints, pivot_bone, skin_bone

AXES = "xyz"
BONE_LENGTH_M = {"root": 0.06, "neck": 0.09, "jaw": 0.045, "left_eye": 0.025, "right_eye": 0.025}
OPEN_BONE = "MCH-jaw_open"
HIDDEN_LENGTH_M = 0.01


@dataclass(frozen=True)
class BoneRest:
    """A bone at rest: its head `place` (3,) in metres, its length along +Y, its parent."""

    name: str
    place: np.ndarray
    length_m: float
    parent: str | None
    deforms: bool = False


def follower_bone(joint: int, axis: int) -> str:
    """The hidden bone at joint + axis that turns with the joint."""
    return f"MCH-{JOINTS[joint]}_{AXES[axis]}_tip"


def reader_bone(joint: int, axis: int) -> str:
    """The hidden bone whose local location is (R - I) axis of a joint's rotation R."""
    return f"MCH-{JOINTS[joint]}_{AXES[axis]}_read"


def corrective_entries(head: HeadModel) -> list[tuple[int, int]]:
    """The (joint 1..4, entry 0..8 of R - I, row-major) whose pose corrective moves any vertex."""
    rows = np.flatnonzero(np.abs(head.posedirs).max(1) > 0)
    return [(1 + int(row) // 9, int(row) % 9) for row in rows]


def corrected_axes(head: HeadModel) -> list[tuple[int, int]]:
    """The (joint, axis) pairs whose turned axis drives pose correctives."""
    return sorted({(joint, entry % 3) for joint, entry in corrective_entries(head)})


def shaped_vertices(head: HeadModel, shape: np.ndarray) -> np.ndarray:
    """(V, 3) vertices at rest with identity coefficients `shape` (S',), S' at most the head's S."""
    return head.v_template + head.shapedirs[..., : len(shape)] @ np.asarray(shape, np.float32)


def rest_bones(head: HeadModel, joints: np.ndarray) -> list[BoneRest]:
    """The joints, the face bone and the hidden mechanism, parents before their children.

    Args:
        joints: (5, 3) places of the joints for the identity, metres.
    """
    moving = moving_joints(head)
    hidden = HIDDEN_LENGTH_M
    bones = [BoneRest(name, np.zeros(3), hidden, None) for name in driven_bones(moving)]
    for index, name in enumerate(JOINTS):
        place = joints[index]
        if index in moving:
            bones.append(BoneRest(pivot_bone(index), place, hidden, skin_bone(PARENTS[index], moving)))
        bones.append(BoneRest(name, place, BONE_LENGTH_M[name], base_bone(index, moving), index not in moving))
        if index in moving:
            bones.append(BoneRest(f"DEF-{name}", place, hidden, name, True))
    eyes = (joints[3] + joints[4]) / 2
    bones.append(BoneRest(FACE_BONE, eyes + [0, 0.14, 0], 0.03, "neck"))
    bones.append(BoneRest(OPEN_BONE, joints[2], hidden, base_bone(2, moving)))
    for joint, axis in corrected_axes(head):
        place = joints[joint] + np.eye(3)[axis]
        bones.append(BoneRest(follower_bone(joint, axis), place, hidden, JOINTS[joint]))
        bones.append(BoneRest(reader_bone(joint, axis), place, hidden, base_bone(joint, moving)))
    return bones


def lay_bones(armature: bpy.types.Armature, rests: list[BoneRest]) -> None:
    """Put each bone at its rest place; bones that the armature lacks are made, its other bones stay.

    Raises:
        ErlnetError: the armature is linked from another file.
    """
    if armature.library is not None or armature.override_library is not None:
        raise ErlnetError("The head's bones are linked from another file", armature.name, "make them local first")
    with _edit_mode(armature) as bones:
        for rest in rests:
            bone = bones.get(rest.name)
            if bone is None:
                bone = bones.new(rest.name)
                bone.use_deform = rest.deforms
                bone.parent = bones[rest.parent] if rest.parent else None
            bone.head = rest.place.tolist()
            bone.tail, bone.roll = (rest.place + [0, rest.length_m, 0]).tolist(), 0.0


def leave_edit_mode() -> None:
    """Bring the active object back to object mode."""
    active = bpy.context.view_layer.objects.active
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


@contextmanager
def _edit_mode(armature: bpy.types.Armature) -> Iterator[bpy.types.bpy_prop_collection]:
    """The armature's edit bones; what was active, selected and in which mode is restored after.

    Blender lets nothing but edit mode move a bone at rest, and only through a visible active object. A
    short-lived object that shares the armature serves, so the rig itself may be hidden or elsewhere.
    """
    view_layer = bpy.context.view_layer
    active, selected = view_layer.objects.active, list(view_layer.objects.selected)
    mode = active.mode if active is not None else "OBJECT"
    leave_edit_mode()
    stand_in = bpy.data.objects.new("ERLNet stand-in", armature)
    bpy.context.scene.collection.objects.link(stand_in)
    try:
        for item in selected:
            item.select_set(False)
        stand_in.select_set(True)
        view_layer.objects.active = stand_in
        bpy.ops.object.mode_set(mode="EDIT")
        try:
            yield armature.edit_bones
        finally:
            bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        bpy.data.objects.remove(stand_in)
        for item in selected:
            item.select_set(True)
        view_layer.objects.active = active
        if mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)
