"""The sequencer's sidebar: bake the strip where it lies."""

from __future__ import annotations

import bpy

from .sections import draw_bake, draw_voice


class ERLNET_PT_sequencer(bpy.types.Panel):
    """Voice to keyframes"""

    bl_label = "ERLNet"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "ERLNet"

    def draw(self, context: bpy.types.Context) -> None:
        """Voice and bake, as in the 3D view."""
        draw_voice(self.layout, context)
        draw_bake(self.layout, context)


CLASSES = (ERLNET_PT_sequencer,)
