"""Edit on top of a bake, so that the next bake does not undo the edits."""

from __future__ import annotations

import bpy

from ..scene.keyframes import baked_range
from ..scene.layers import add_edit_layer, base_strip
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_add_edit_layer(Explained, bpy.types.Operator):
    """Move the bake into an NLA track and key your changes on top: a new bake keeps them"""

    bl_idname = "erlnet.add_edit_layer"
    bl_label = "Add Edit Layer"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a bake, and no layer yet."""
        reason = rig_reason(context)
        if reason:
            return reason
        rig = find_rig(context)
        if base_strip(rig) is not None:
            return "The head has an edit layer: keys go onto it"
        return "" if baked_range(rig) else "Bake a voice first"

    def run(self, context: bpy.types.Context) -> None:
        """Push down, and make the Action for the edits."""
        edits = add_edit_layer(find_rig(context))
        self.report({"INFO"}, f"Keys now go onto {edits.name!r}, on top of the bake")


CLASSES = (ERLNET_OT_add_edit_layer,)
