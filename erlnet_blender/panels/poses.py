"""The sidebar's list of visemes and emotions."""

from __future__ import annotations

import bpy

from ..scene.pose_assets import pose_assets
from ..scene.pose_library import EMOTIONS, VISEMES
from ..scene.rig import find_rig


class ERLNET_PT_poses(bpy.types.Panel):
    """Visemes and emotions at a click"""

    bl_label = "Poses"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ERLNet"
    bl_parent_id = "ERLNET_PT_edit"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        return find_rig(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Strength and keying, a button a pose, and the way into Blender's own pose library."""
        layout, settings = self.layout, context.scene.erlnet
        row = layout.row(align=True)
        row.prop(settings, "pose_strength", slider=True)
        row.prop(settings, "pose_key", text="", icon="KEY_HLT" if settings.pose_key else "KEY_DEHLT")
        layout.prop(settings, "pose_leave_mouth")
        for poses, columns in ((VISEMES, 5), (EMOTIONS, 2)):
            grid = layout.grid_flow(row_major=True, columns=columns, even_columns=True, align=True)
            for pose in poses:
                button = grid.operator("erlnet.apply_pose", text=pose.label)
                button.pose, button.strength = pose.name, settings.pose_strength
                button.leave_mouth, button.key = settings.pose_leave_mouth, settings.pose_key
        known = pose_assets(find_rig(context))
        text = f"Renew Pose Library ({len(known)})" if known else "Add Pose Library"
        layout.operator("erlnet.add_pose_library", text=text, icon="ASSET_MANAGER")


CLASSES = (ERLNET_PT_poses,)
