"""Solo the generated motion or the edits."""

from __future__ import annotations

import bpy

from ..scene.layers import EDITS, base_strip, solo
from ..scene.rig import find_rig
from .explained import Explained, rig_reason
from .mute_layer import LAYERS


class ERLNET_OT_solo_layer(Explained, bpy.types.Operator):
    """Show this layer alone; once more, and both are back"""

    bl_idname = "erlnet.solo_layer"
    bl_label = "Solo Layer"
    bl_options = {"REGISTER", "UNDO"}

    layer: bpy.props.EnumProperty(name="Layer", description="Which of the two layers", items=LAYERS, default=EDITS)

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be layers."""
        reason = rig_reason(context)
        return reason or ("" if base_strip(find_rig(context)) else "There are no layers: bake a voice first")

    def run(self, context: bpy.types.Context) -> None:
        """Switch it."""
        solo(find_rig(context), self.layer)


CLASSES = (ERLNET_OT_solo_layer,)
