"""The handles on the face as bones: where they rest, how far they go, what they drive."""

from __future__ import annotations

import bpy
import numpy as np

from ..formats.head_model import HeadModel
from .drags import DETAIL, MAIN, Drag, drags_of, place_of
from .drivers import drag_driver
from .rig_bones import HIDDEN_LENGTH_M, BoneRest
from .widgets import DIAMOND, LEFT, MIDDLE, RIGHT, wear

COLOURS = {".L": LEFT, ".R": RIGHT}
SIZE_M = {MAIN: 0.006, DETAIL: 0.0035}


def drag_rests(head: HeadModel, shaped: np.ndarray) -> list[BoneRest]:
    """The bones of the handles; they follow the neck, not the jaw, so that a pull is the same at every opening."""
    return [BoneRest(drag.name, place_of(drag, head, shaped), HIDDEN_LENGTH_M, "neck") for drag in drags_of(head)]


def add_drags(rig: bpy.types.Object, head: HeadModel) -> None:
    """Limit the handles, give them their shapes and let each pull be a driven property of its bone."""
    for drag in drags_of(head):
        bone = rig.pose.bones[drag.name]
        bone.rotation_mode = "XYZ"
        bone.lock_rotation = bone.lock_scale = (True, True, True)
        _limit(bone, drag)
        for pull in drag.pulls:
            bone[pull.name] = 0.0
            low = -1.0 if pull.sign == 0 else 0.0
            bone.id_properties_ui(pull.name).update(min=low, max=1.0, description="What dragging this bone adds")
            drag_driver(bone, f'["{pull.name}"]', pull.axis, pull.sign, drag.range_m)
        wear(bone, DIAMOND, SIZE_M[drag.collection], COLOURS.get(drag.name[-2:], MIDDLE))


def _limit(bone: bpy.types.PoseBone, drag: Drag) -> None:
    """Hold the bone, and the mouse that drags it, to where its pulls lead."""
    limits = np.zeros((3, 2))
    for pull in drag.pulls:
        if pull.sign <= 0:
            limits[pull.axis, 0] = -drag.range_m
        if pull.sign >= 0:
            limits[pull.axis, 1] = drag.range_m
    bone.lock_location = [bool(not limit.any()) for limit in limits]
    constraint = bone.constraints.new("LIMIT_LOCATION")
    constraint.owner_space, constraint.use_transform_limit = "LOCAL", True
    for axis, (low, high) in zip("xyz", limits.tolist(), strict=True):
        setattr(constraint, f"use_min_{axis}", True)
        setattr(constraint, f"use_max_{axis}", True)
        setattr(constraint, f"min_{axis}", low)
        setattr(constraint, f"max_{axis}", high)
