"""Bones back to the joints of the identity."""

from __future__ import annotations

import bpy

from ..scene.rig import find_rig, is_seated, seat_joints
from .explained import Explained, object_mode_reason, rig_reason


class ERLNET_OT_seat_joints(Explained, bpy.types.Operator):
    """Move the bones to where the joints of the present identity are; keys and controls stay"""

    bl_idname = "erlnet.seat_joints"
    bl_label = "Seat Joints"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head whose bones are not where they belong."""
        reason = rig_reason(context) or object_mode_reason(context)
        if reason:
            return reason
        return "The bones are where they belong" if is_seated(find_rig(context)) else ""

    def run(self, context: bpy.types.Context) -> None:
        """Seat the bones of the chosen head."""
        seat_joints(find_rig(context))


CLASSES = (ERLNET_OT_seat_joints,)
