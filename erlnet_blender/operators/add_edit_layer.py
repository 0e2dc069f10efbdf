"""A file from before the edit layer: the bake and the keys set by hand apart."""

from __future__ import annotations

import bpy

from ..scene.layers import edit_layer, is_mixed
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_add_edit_layer(Explained, bpy.types.Operator):
    """Take the bake of an older file to a track of its own; keys set by hand stay on top, the motion is the same"""

    bl_idname = "erlnet.add_edit_layer"
    bl_label = "Add Edit Layer"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a bake in the rig's own Action."""
        reason = rig_reason(context)
        if reason:
            return reason
        return "" if is_mixed(find_rig(context)) else "Bakes have an edit layer on top: keys go onto it"

    def run(self, context: bpy.types.Context) -> None:
        """Take the two apart."""
        edits = edit_layer(find_rig(context))
        self.report({"INFO"}, f"Keys now go onto {edits.name!r}, on top of the bake")


CLASSES = (ERLNET_OT_add_edit_layer,)
