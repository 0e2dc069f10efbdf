"""The generated motion from before the last bake, and back."""

from __future__ import annotations

import bpy

from ..scene.layers import base_strip, before_strip, revert_bake
from ..scene.rig import find_rig
from .explained import Explained, rig_reason
from .waiting import busy_reason


class ERLNET_OT_revert_bake(Explained, bpy.types.Operator):
    """Bring back the motion from before the last bake; once more brings the last bake back. Your keys stay"""

    bl_idname = "erlnet.revert_bake"
    bl_label = "Revert Last Bake"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be an earlier bake."""
        reason = busy_reason() or rig_reason(context)
        return reason or ("" if before_strip(find_rig(context)) else "There is no bake before the last one")

    def run(self, context: bpy.types.Context) -> None:
        """Exchange the two."""
        rig = find_rig(context)
        revert_bake(rig)
        first, last = base_strip(rig).action.frame_range
        self.report({"INFO"}, f"{rig.name} plays the bake before the last one: frames {first:.0f} to {last:.0f}")


CLASSES = (ERLNET_OT_revert_bake,)
