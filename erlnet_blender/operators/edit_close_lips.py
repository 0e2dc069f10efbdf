"""Lips that meet at the current frame."""

from __future__ import annotations

import bpy

from ..scene.edits.adjust import close_lips
from ..scene.rig import EXPRESSION_NAMES, find_rig
from .edit_range import EditsMoment, edit_reason


class ERLNET_OT_edit_close_lips(EditsMoment, bpy.types.Operator):
    """Seal the lips at the current frame against the jaw as it moves, as for M, B and P"""

    bl_idname = "erlnet.edit_close_lips"
    bl_label = "Close Lips"
    bl_options = {"REGISTER", "UNDO"}
    NATURAL_S = (0.1, 0.04, 0.12)

    press: bpy.props.FloatProperty(
        name="Press", description="How firmly they meet: 1 as for M, B and P, 0 they only touch", default=1.0, min=0.0,
        max=2.0, subtype="FACTOR",
    )  # fmt: skip

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """The head must have lips that it can close."""
        reason = edit_reason(context)
        if reason:
            return reason
        if '"mouth_close"' not in find_rig(context).get(EXPRESSION_NAMES, ""):
            return "This head has no expression named mouth_close: close its lips with the sliders"
        return ""

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """How firmly."""
        layout.prop(self, "press")

    def run(self, context: bpy.types.Context) -> None:
        """Seal them, and say whether there was anything to do."""
        if not close_lips(find_rig(context), self.pulse(context.scene), self.press):
            self.report({"INFO"}, f"The lips are sealed at frame {context.scene.frame_current} already")


CLASSES = (ERLNET_OT_edit_close_lips,)
