"""Drivers without Python expressions, which need no permission to run scripts."""

from __future__ import annotations

import bpy


def sum_driver(
    owner: bpy.types.bpy_struct, path: str, rig: bpy.types.Object, sources: list[tuple[str, str]], index: int = -1
) -> None:
    """Let the property `path` of `owner` (or its element `index`) be a sum.

    Args:
        sources: the custom properties that are added, as (name of the bone, name of the property).
    """
    curve = _new_driver(owner, path, index)
    for number, (bone, name) in enumerate(sources):
        variable = curve.driver.variables.new()
        variable.name = f"control_{number}"
        variable.targets[0].id = rig
        variable.targets[0].data_path = f'pose.bones["{bone}"]["{name}"]'


def location_driver(owner: bpy.types.bpy_struct, path: str, rig: bpy.types.Object, bone: str, axis: str) -> None:
    """Let `path` of `owner` be the local location of a bone along X, Y or Z, its constraints included."""
    curve = _new_driver(owner, path)
    variable = curve.driver.variables.new()
    variable.name, variable.type = "location", "TRANSFORMS"
    target = variable.targets[0]
    target.id, target.bone_target = rig, bone
    target.transform_type, target.transform_space = f"LOC_{axis}", "LOCAL_SPACE"


def drag_driver(bone: bpy.types.PoseBone, path: str, axis: int, sign: int, range_m: float) -> None:
    """Let `path` of a bone grow from 0 to 1 as the bone's own location goes `range_m` metres along an axis.

    Args:
        sign: 1 or -1 for one direction, with 0 beyond the other; 0 for both, from -1 to 1.
    """
    curve = _new_driver(bone, path)
    variable = curve.driver.variables.new()
    variable.name = "location"
    variable.targets[0].id = bone.id_data
    variable.targets[0].data_path = f'pose.bones["{bone.name}"].location[{axis}]'
    # The curve of a driver maps its sum; its keys would not do, they are blurred by 0.01 along this axis.
    scale = curve.modifiers.new("GENERATOR")
    scale.poly_order, scale.coefficients = 1, (0.0, (sign or 1) / range_m)
    limits = curve.modifiers.new("LIMITS")
    limits.use_min_y = limits.use_max_y = True
    limits.min_y, limits.max_y = 0.0 if sign else -1.0, 1.0


def _new_driver(owner: bpy.types.bpy_struct, path: str, index: int = -1) -> bpy.types.FCurve:
    """The curve of a new driver of the kind that sums, without the modifier y = x that Blender gives it."""
    curve = owner.driver_add(path, index)
    curve.driver.type = "SUM"
    for modifier in curve.modifiers[:]:
        curve.modifiers.remove(modifier)
    return curve
