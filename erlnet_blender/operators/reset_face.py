"""Back to the neutral face."""

from __future__ import annotations

import bpy

from ..scene.pose import auto_keying, reset_pose
from ..scene.rig import find_rig
from .explained import Explained, rig_reason

FACE, POSE, ALL = "FACE", "POSE", "ALL"


class ERLNET_OT_reset_face(Explained, bpy.types.Operator):
    """Set the head to neutral at this frame. Keys are not touched, but auto-keying keys what changes"""

    bl_idname = "erlnet.reset_face"
    bl_label = "Reset"
    bl_options = {"REGISTER", "UNDO"}

    part: bpy.props.EnumProperty(
        name="What",
        description="How much of the head is reset",
        items=[
            (FACE, "Face", "Expressions, lids and handles"),
            (POSE, "Face and Head", "Also neck, jaw and eyes; the root, which places the head, stays"),
            (ALL, "Everything", "Also the root"),
        ],
        default=POSE,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Reset, and key what changed if auto-keying is on."""
        rig = find_rig(context)
        with auto_keying(context.scene, rig):
            reset_pose(rig, joints=self.part != FACE, root=self.part == ALL)


CLASSES = (ERLNET_OT_reset_face,)
