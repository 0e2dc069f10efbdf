"""Larger or smaller movements over a span of frames."""

from __future__ import annotations

import bpy

from ..scene.edits.adjust import exaggerate
from .edit_range import EditsParts

NEUTRAL, MEAN = "NEUTRAL", "MEAN"


class ERLNET_OT_edit_exaggerate(EditsParts, bpy.types.Operator):
    """Make the movements larger (above 1) or softer (below 1) over a span of frames; sealed lips stay sealed"""

    bl_idname = "erlnet.edit_exaggerate"
    bl_label = "Exaggerate"
    bl_options = {"REGISTER", "UNDO"}

    factor: bpy.props.FloatProperty(
        name="Factor", description="How large the movements become; 1 leaves them", default=1.3, min=0.0, soft_max=3.0
    )
    about: bpy.props.EnumProperty(
        name="About",
        description="What a movement is measured from",
        items=[
            (NEUTRAL, "Neutral", "The face at rest, looking straight ahead"),
            (
                MEAN,
                "Local Mean",
                "Where the face mostly is at the time: poses and moods stay, what moves in them grows",
            ),
        ],
        default=NEUTRAL,
    )
    mean_width: bpy.props.IntProperty(
        name="Mean Over", description="Frames about each one that the local mean is of", default=25, min=2, soft_max=250
    )

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """Factor and what it is about."""
        layout.prop(self, "factor")
        layout.prop(self, "about")
        row = layout.row()
        row.enabled = self.about == MEAN
        row.prop(self, "mean_width")

    def edit(self, rig: bpy.types.Object, span: tuple[int, int]) -> int:
        """Scale what moves."""
        width = self.mean_width if self.about == MEAN else 0
        return exaggerate(rig, span, self.factor, frozenset(self.parts), self.soft, width)


CLASSES = (ERLNET_OT_edit_exaggerate,)
