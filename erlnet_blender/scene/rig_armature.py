"""The armature of a rig: FLAME's joints as bones, the face bone with its controls, and hidden mechanism."""

from __future__ import annotations

import bpy
import numpy as np

from ..formats.head_model import JOINTS, HeadModel
from .controls import FACE_BONE, OPEN_JAW_RAD, Control, all_controls
from .drags import DETAIL, MAIN, OPEN_KEY, drags_of, sources_of_keys
from .drivers import sum_driver
from .rig_bones import (
    OPEN_BONE,
    BoneRest,
    corrected_axes,
    follower_bone,
    lay_bones,
    leave_edit_mode,
    reader_bone,
    rest_bones,
)
from .rig_drags import add_drags, drag_rests
from .rig_gaze import add_gaze, gaze_rest
from .rig_pivots import add_pivots, moving_joints
from .widgets import FLAT_RING, GAZE, MIDDLE, RING, wear

MECHANISM = "Mechanism"
# Outline, size and offset from the head of the bone in metres and FLAME's axes, colour.
SHAPES = {
    "root": (FLAT_RING, 0.16, (0.0, 0.0, 0.0), MIDDLE),
    "neck": (FLAT_RING, 0.10, (0.0, 0.0, 0.0), MIDDLE),
    "jaw": (RING, 0.018, (0.0, -0.065, 0.125), MIDDLE),
    "left_eye": (RING, 0.016, (0.0, 0.0, 0.06), GAZE),
    "right_eye": (RING, 0.016, (0.0, 0.0, 0.06), GAZE),
    FACE_BONE: (RING, 0.03, (0.0, 0.0, 0.0), MIDDLE),
}


def all_rests(head: HeadModel, shaped: np.ndarray) -> list[BoneRest]:
    """Every bone of a rig at rest, parents before their children.

    Args:
        shaped: (V, 3) vertices of the head with its identity.
    """
    joints = head.J_regressor.astype(np.float64) @ shaped
    return [*rest_bones(head, joints), gaze_rest(joints), *drag_rests(head, shaped)]


def build_armature(
    head: HeadModel, shaped: np.ndarray, name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    """Make the armature object, link it to `collection` and make it the one that is selected and active.

    Args:
        shaped: (V, 3) vertices of the head with its identity.
    """
    leave_edit_mode()
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    collection.objects.link(rig)
    view_layer = bpy.context.view_layer
    for other in view_layer.objects.selected:
        other.select_set(False)
    view_layer.objects.active = rig
    rig.select_set(True)
    lay_bones(armature, all_rests(head, shaped))
    _sort_into_collections(armature, {drag.name for drag in drags_of(head) if drag.collection == DETAIL})
    for bone_name in JOINTS:
        bone = rig.pose.bones[bone_name]
        bone.rotation_mode = "XYZ"
        bone.lock_scale = (True, True, True)
        if bone_name != "root":
            # FLAME's joints only turn; a moved bone could not be rendered or exported.
            bone.lock_location = (True, True, True)
    _add_mechanism(rig, corrected_axes(head))
    _add_controls(rig.pose.bones[FACE_BONE], all_controls(head))
    sources = sources_of_keys(head)
    _drive_jaw(rig, sources[OPEN_KEY])
    add_pivots(rig, moving_joints(head), sources)
    add_drags(rig, head)
    add_gaze(rig)
    for bone_name, (outline, size_m, offset_m, colour) in SHAPES.items():
        wear(rig.pose.bones[bone_name], outline, size_m, colour, offset_m)
    armature.display_type = "STICK"
    rig.show_in_front = True
    return rig


def _sort_into_collections(armature: bpy.types.Armature, detail: set[str]) -> None:
    main, fine, mechanism = (armature.collections.new(name) for name in (MAIN, DETAIL, MECHANISM))
    for bone in armature.bones:
        if bone.name.startswith(("MCH-", "DEF-")):
            mechanism.assign(bone)
        else:
            (fine if bone.name in detail else main).assign(bone)
    mechanism.is_visible = False


def _add_mechanism(rig: bpy.types.Object, corrected: list[tuple[int, int]]) -> None:
    """Let each reader bone follow the tip of its axis; the driver then reads its local location."""
    for joint, axis in corrected:
        constraint = rig.pose.bones[reader_bone(joint, axis)].constraints.new("COPY_LOCATION")
        constraint.name = "Follow the turned axis"
        constraint.target, constraint.subtarget = rig, follower_bone(joint, axis)


def _add_controls(face: bpy.types.PoseBone, controls: list[Control]) -> None:
    face.rotation_mode = "XYZ"
    face.lock_location = face.lock_rotation = face.lock_scale = (True, True, True)
    for control in controls:
        face[control.name] = 0.0
        face.id_properties_ui(control.name).update(
            default=0.0,
            min=-control.hard_limit,
            max=control.hard_limit,
            soft_min=control.soft_min,
            soft_max=control.soft_max,
            description=control.description,
            precision=2,
        )
        face.property_overridable_library_set(f'["{control.name}"]', True)


def _drive_jaw(rig: bpy.types.Object, sources: list[tuple[str, str]]) -> None:
    """`open` turns the jaw through a constraint, so the jaw bone stays free for keys and hands."""
    pattern = rig.pose.bones[OPEN_BONE]
    pattern.rotation_mode = "XYZ"
    pattern.rotation_euler = (OPEN_JAW_RAD, 0.0, 0.0)
    constraint = rig.pose.bones["jaw"].constraints.new("COPY_ROTATION")
    constraint.name = "Open"
    constraint.target, constraint.subtarget = rig, OPEN_BONE
    constraint.mix_mode = "AFTER"
    constraint.target_space = constraint.owner_space = "LOCAL"
    sum_driver(constraint, "influence", rig, sources)
