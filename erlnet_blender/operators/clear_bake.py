"""Take baked keys away again."""

from __future__ import annotations

import bpy

from ..scene.keyframes import baked_range, clear_bake
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_clear_bake(Explained, bpy.types.Operator):
    """Remove the baked keys of the head; keys set by hand and locked curves stay"""

    bl_idname = "erlnet.clear_bake"
    bl_label = "Clear Bake"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be baked keys."""
        return rig_reason(context) or ("" if baked_range(find_rig(context)) else "The head has no baked keys")

    def run(self, context: bpy.types.Context) -> None:
        """Remove them over the whole range."""
        rig = find_rig(context)
        frames = baked_range(rig)
        if frames is not None:
            self.report({"INFO"}, f"Removed {clear_bake(rig, *frames)} keys of {rig.name}")


CLASSES = (ERLNET_OT_clear_bake,)
