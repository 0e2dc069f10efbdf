"""The head turned further over a span of frames."""

from __future__ import annotations

import bpy

from ..scene.edits.adjust import offset_head
from .edit_range import EditsRange


class ERLNET_OT_edit_offset_head(EditsRange, bpy.types.Operator):
    """Turn, nod or tilt the head by an amount over a span of frames, on top of how it moves"""

    bl_idname = "erlnet.edit_offset_head"
    bl_label = "Offset Head"
    bl_options = {"REGISTER", "UNDO"}

    turn: bpy.props.FloatProperty(
        name="Turn", description="To the head's own left; negative to its right", default=0.1745329, subtype="ANGLE",
        soft_min=-1.5, soft_max=1.5,
    )  # fmt: skip
    nod: bpy.props.FloatProperty(
        name="Nod", description="Down; negative up", default=0.0, subtype="ANGLE", soft_min=-1.0, soft_max=1.0
    )
    tilt: bpy.props.FloatProperty(
        name="Tilt", description="To the head's own right shoulder; negative to its left", default=0.0, subtype="ANGLE",
        soft_min=-1.0, soft_max=1.0,
    )  # fmt: skip
    eyes_stay: bpy.props.BoolProperty(
        name="Eyes Stay",
        description="Let the eyes turn back as far, so that they look where they looked",
        default=False,
    )

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """The angles."""
        column = layout.column(align=True)
        for name in ("turn", "nod", "tilt"):
            column.prop(self, name)
        layout.prop(self, "eyes_stay")

    def edit(self, rig: bpy.types.Object, span: tuple[int, int]) -> int:
        """Turn the neck."""
        return offset_head(rig, span, (self.nod, self.turn, self.tilt), self.soft, self.eyes_stay)


CLASSES = (ERLNET_OT_edit_offset_head,)
