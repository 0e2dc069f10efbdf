"""Visemes and emotions: as pose assets of the file, or straight onto the face."""

from __future__ import annotations

import contextlib

import bpy

from ..scene.pose_assets import add_pose_assets, apply_pose, write_catalogs
from ..scene.pose_library import POSES, menu_items, missing_expressions
from ..scene.rig import find_rig, head_of
from .explained import Explained, rig_reason


class ERLNET_OT_add_pose_library(Explained, bpy.types.Operator):
    """Put visemes and emotions into this file as pose assets, for the asset browser and the asset shelf"""

    bl_idname = "erlnet.add_pose_library"
    bl_label = "Add Pose Library"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Make the Actions, name their catalogs, refresh an open asset browser."""
        actions = add_pose_assets(find_rig(context))
        note = "" if write_catalogs() else "; save the file and run this again to sort them into catalogs"
        with contextlib.suppress(RuntimeError):  # no asset browser is open
            bpy.ops.asset.library_refresh()
        self.report({"INFO"}, f"{len(actions)} poses are in this file's asset library{note}")


class ERLNET_OT_apply_pose(Explained, bpy.types.Operator):
    """Give the face a viseme or an emotion at this frame"""

    bl_idname = "erlnet.apply_pose"
    bl_label = "Apply Pose"
    bl_options = {"REGISTER", "UNDO"}

    pose: bpy.props.EnumProperty(name="Pose", description="The viseme or emotion", items=menu_items())
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far to go from the present face to the pose: 0 stays, 1 is the pose",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    leave_mouth: bpy.props.BoolProperty(
        name="Leave Mouth", description="An emotion leaves alone what speech moves", default=False
    )
    key: bpy.props.BoolProperty(
        name="Key", description="Set keys at this frame on everything that the pose sets", default=False
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Apply, and say what the head could not do."""
        rig, pose = find_rig(context), POSES[self.pose]
        key = self.key or context.scene.tool_settings.use_keyframe_insert_auto
        apply_pose(rig, pose, self.strength, self.leave_mouth, key)
        names = head_of(rig).expression_names
        if pose.values and len(missing_expressions(pose, names)) == len(pose.values):
            self.report({"INFO"}, f"The expressions of {rig.name} have no names: only the jaw could follow")


CLASSES = (ERLNET_OT_add_pose_library, ERLNET_OT_apply_pose)
