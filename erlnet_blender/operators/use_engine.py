"""Choose the neural render engine, and what goes with it."""

from __future__ import annotations

import bpy

from ..scene.stage import ENGINE, set_render
from .explained import Explained


class ERLNET_OT_use_engine(Explained, bpy.types.Operator):
    """Render this scene with the neural engine to a square MP4 with its sound"""

    bl_idname = "erlnet.use_engine"
    bl_label = "Use ERLNet Engine"
    bl_options = {"REGISTER", "UNDO"}

    size: bpy.props.IntProperty(
        name="Size", description="Width and height of the picture, pixels", default=256, min=16, max=2048
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Not twice."""
        return "The scene uses it already" if context.scene.render.engine == ENGINE else ""

    def run(self, context: bpy.types.Context) -> None:
        """Engine, size, view transform and output format."""
        set_render(context.scene, (self.size, self.size))


CLASSES = (ERLNET_OT_use_engine,)
