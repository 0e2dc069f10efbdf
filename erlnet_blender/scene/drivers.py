"""Drivers without Python expressions, which need no permission to run scripts."""

from __future__ import annotations

import bpy

from .controls import FACE_BONE


def sum_driver(
    owner: bpy.types.bpy_struct, path: str, rig: bpy.types.Object, controls: list[str], index: int = -1
) -> None:
    """Let the property `path` of `owner` (or its element `index`) be the sum of controls of the face bone."""
    curve = owner.driver_add(path, index)
    curve.driver.type = "SUM"
    for index, control in enumerate(controls):
        variable = curve.driver.variables.new()
        variable.name = f"control_{index}"
        variable.targets[0].id = rig
        variable.targets[0].data_path = f'pose.bones["{FACE_BONE}"]["{control}"]'


def location_driver(owner: bpy.types.bpy_struct, path: str, rig: bpy.types.Object, bone: str, axis: str) -> None:
    """Let `path` of `owner` be the local location of a bone along X, Y or Z, its constraints included."""
    curve = owner.driver_add(path)
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.name, variable.type = "location", "TRANSFORMS"
    target = variable.targets[0]
    target.id, target.bone_target = rig, bone
    target.transform_type, target.transform_space = f"LOC_{axis}", "LOCAL_SPACE"
