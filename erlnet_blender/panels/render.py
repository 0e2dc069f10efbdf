"""The render properties while the neural engine is chosen."""

from __future__ import annotations

import bpy

from ..scene.stage import ENGINE


class ERLNET_PT_render(bpy.types.Panel):
    """Quality and device of the neural engine"""

    bl_label = "ERLNet"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for our engine."""
        return context.engine == ENGINE

    def draw(self, context: bpy.types.Context) -> None:
        """Device and samples."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(context.scene.erlnet, "device")
        layout.prop(context.scene.erlnet, "samples")


CLASSES = (ERLNET_PT_render,)
