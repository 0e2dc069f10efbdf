"""Both layers into one Action, for editing it as a whole or for other programs."""

from __future__ import annotations

import bpy

from ..scene.flatten import flatten
from ..scene.rig import find_rig
from .explained import Explained, layers_reason
from .waiting import busy_reason


class ERLNET_OT_flatten_layers(Explained, bpy.types.Operator):
    """Put the bake and your keys together into one Action without NLA tracks; a later bake replaces its frames"""

    bl_idname = "erlnet.flatten_layers"
    bl_label = "Flatten"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a bake on a track of its own."""
        return busy_reason() or layers_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Sum up, with as many keys as the Bake panel says."""
        rig = find_rig(context)
        action = flatten(rig, *rig.erlnet.bake.bounds)
        self.report({"INFO"}, f"{rig.name} now has one Action, {action.name!r}")


CLASSES = (ERLNET_OT_flatten_layers,)
