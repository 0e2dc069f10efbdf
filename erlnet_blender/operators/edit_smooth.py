"""Jitter out of a span of frames."""

from __future__ import annotations

import bpy

from ..errors import ErlnetError
from ..scene.edits.adjust import smooth
from .edit_range import EditsParts


class ERLNET_OT_edit_smooth(EditsParts, bpy.types.Operator):
    """Smooth the movements over a span of frames (Savitzky-Golay); contacts of the lips stay"""

    bl_idname = "erlnet.edit_smooth"
    bl_label = "Smooth"
    bl_options = {"REGISTER", "UNDO"}

    window: bpy.props.IntProperty(
        name="Window",
        description="Frames that are looked at together; odd, larger is smoother",
        default=7,
        min=3,
        soft_max=51,
    )
    order: bpy.props.IntProperty(
        name="Order",
        description="Of the polynomial that is laid through the window; higher keeps more of quick movements",
        default=2,
        min=0,
        max=9,
    )

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """Window, also in seconds, and order."""
        render = bpy.context.scene.render
        column = layout.column(align=True)
        column.prop(self, "window")
        column.prop(self, "order")
        column.label(text=f"{self.odd_window} frames are {self.odd_window * render.fps_base / render.fps:.2f} s")

    @property
    def odd_window(self) -> int:
        """The window that is used: the number, or the next odd one."""
        return self.window | 1

    def edit(self, rig: bpy.types.Object, span: tuple[int, int]) -> int:
        """Smooth what moves.

        Raises:
            ErlnetError: the window is too short for the order.
        """
        if self.order >= self.odd_window:
            what = f"A window of {self.odd_window} frames is too short for order {self.order}"
            raise ErlnetError(what, rig.name, "choose a longer window or a lower order")
        return smooth(rig, span, self.odd_window, self.order, frozenset(self.parts), self.soft)


CLASSES = (ERLNET_OT_edit_smooth,)
