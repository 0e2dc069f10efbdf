"""The armature of a rig: FLAME's joints as bones, the face bone with its controls, and hidden mechanism."""

from __future__ import annotations

import bpy
import numpy as np

from ..formats.head_model import JOINTS, HeadModel
from .controls import FACE_BONE, OPEN_JAW_RAD, Control, all_controls, controls_of_keys
from .drivers import sum_driver
from .rig_bones import (
    OPEN_BONE,
    corrected_axes,
    follower_bone,
    lay_bones,
    leave_edit_mode,
    reader_bone,
    rest_bones,
)
from .rig_pivots import add_pivots, moving_joints

# Blender's bone colour sets: what moves the face stands out from what moves the whole.
COLOURS = {"root": "THEME13", "neck": "THEME09", "jaw": "THEME04", "left_eye": "THEME03", "right_eye": "THEME03"}
COLOURS[FACE_BONE] = "THEME01"


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
    lay_bones(armature, rest_bones(head, shaped))
    _sort_into_collections(armature)
    for bone_name in JOINTS:
        bone = rig.pose.bones[bone_name]
        bone.rotation_mode = "XYZ"
        bone.lock_scale = (True, True, True)
        if bone_name != "root":
            # FLAME's joints only turn; a moved bone could not be rendered or exported.
            bone.lock_location = (True, True, True)
    _add_mechanism(rig, corrected_axes(head))
    _add_controls(rig.pose.bones[FACE_BONE], all_controls(head))
    _drive_jaw(rig)
    add_pivots(rig, moving_joints(head), controls_of_keys(head))
    _add_custom_shapes(rig)
    armature.display_type = "STICK"
    rig.show_in_front = True
    return rig


def _sort_into_collections(armature: bpy.types.Armature) -> None:
    face = armature.collections.new("Face")
    mechanism = armature.collections.new("Mechanism")
    for bone in armature.bones:
        (mechanism if bone.name.startswith(("MCH-", "DEF-")) else face).assign(bone)
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


def _drive_jaw(rig: bpy.types.Object) -> None:
    """`open` turns the jaw through a constraint, so the jaw bone stays free for keys and hands."""
    pattern = rig.pose.bones[OPEN_BONE]
    pattern.rotation_mode = "XYZ"
    pattern.rotation_euler = (OPEN_JAW_RAD, 0.0, 0.0)
    constraint = rig.pose.bones["jaw"].constraints.new("COPY_ROTATION")
    constraint.name = "Open"
    constraint.target, constraint.subtarget = rig, OPEN_BONE
    constraint.mix_mode = "AFTER"
    constraint.target_space = constraint.owner_space = "LOCAL"
    sum_driver(constraint, "influence", rig, ["open"])


def _add_custom_shapes(rig: bpy.types.Object) -> None:
    """Rings and a cross that are easy to click; they are not part of the scene and never rendered."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    circle = np.stack([np.cos(turn), np.zeros(32), np.sin(turn)], 1)
    upright = circle[:, [0, 2, 1]]
    # Sizes and offsets are metres in FLAME's axes, from the head of the bone.
    for name, points, size_m, offset_m in (
        ("root", circle, 0.16, (0.0, 0.0, 0.0)),
        ("neck", circle, 0.10, (0.0, 0.0, 0.0)),
        ("jaw", upright, 0.018, (0.0, -0.045, 0.125)),
        ("left_eye", upright, 0.016, (0.0, 0.0, 0.06)),
        ("right_eye", upright, 0.016, (0.0, 0.0, 0.06)),
        (FACE_BONE, upright, 0.03, (0.0, 0.0, 0.0)),
    ):
        bone = rig.pose.bones[name]
        bone.custom_shape = _ring(f"WGT-{name}", points)
        bone.use_custom_shape_bone_size = False
        bone.custom_shape_scale_xyz = (size_m,) * 3
        bone.custom_shape_translation = offset_m
        bone.color.palette = COLOURS[name]


def _ring(name: str, points: np.ndarray) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    count = len(points)
    mesh.from_pydata(points.tolist(), [(i, (i + 1) % count) for i in range(count)], [])
    return bpy.data.objects.new(name, mesh)
