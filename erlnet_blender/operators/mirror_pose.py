"""The face with its left and right exchanged."""

from __future__ import annotations

import bpy

from ..scene.pose import auto_keying, mirror_pose
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_mirror_pose(Explained, bpy.types.Operator):
    """Exchange left and right of the pose at this frame. Keys are not touched, but auto-keying keys what changes"""

    bl_idname = "erlnet.mirror_pose"
    bl_label = "Mirror"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Mirror, and key what changed if auto-keying is on."""
        rig = find_rig(context)
        with auto_keying(context.scene, rig):
            mirror_pose(rig)


CLASSES = (ERLNET_OT_mirror_pose,)
