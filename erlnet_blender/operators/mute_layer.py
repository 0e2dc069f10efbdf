"""Mute or solo the generated motion or the edits."""

from __future__ import annotations

import bpy

from ..scene.layers import EDITS, GENERATED, is_muted, mute, solo
from ..scene.rig import find_rig
from .explained import Explained, layers_reason

LAYERS = [
    (EDITS, "Edits", "The keys that you set, on top of what is generated"),
    (GENERATED, "Generated", "What bakes and imports have keyed"),
]


class _OfLayer(Explained):
    bl_options = {"REGISTER", "UNDO"}

    layer: bpy.props.EnumProperty(name="Layer", description="Which of the two layers", items=LAYERS, default=EDITS)

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be layers."""
        return layers_reason(context)


class ERLNET_OT_mute_layer(_OfLayer, bpy.types.Operator):
    """Leave a layer out, or let it count again; none of its keys change"""

    bl_idname = "erlnet.mute_layer"
    bl_label = "Mute Layer"

    def run(self, context: bpy.types.Context) -> None:
        """Switch it."""
        rig = find_rig(context)
        mute(rig, self.layer, not is_muted(rig, self.layer))


class ERLNET_OT_solo_layer(_OfLayer, bpy.types.Operator):
    """Show this layer alone; once more, and both are back"""

    bl_idname = "erlnet.solo_layer"
    bl_label = "Solo Layer"

    def run(self, context: bpy.types.Context) -> None:
        """Switch it."""
        solo(find_rig(context), self.layer)


CLASSES = (ERLNET_OT_mute_layer, ERLNET_OT_solo_layer)
