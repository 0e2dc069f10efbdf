"""The sidebar's way to other programs."""

from __future__ import annotations

import bpy

from ..operators.game_copy import ARKIT, OWN
from ..scene.arkit import arkit_rig_reason
from ..scene.rig import find_rig
from .sections import paragraph


class ERLNET_PT_export(bpy.types.Panel):
    """The performance for other programs"""

    bl_label = "Export"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ERLNet"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        return find_rig(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """The copies for Blender's own exporters, and the files that we write ourselves."""
        layout = self.layout
        reason = arkit_rig_reason(find_rig(context))
        column = layout.column(align=True)
        column.operator("erlnet.game_copy", text="Game-ready Copy", icon="ARMATURE_DATA").shape_keys = OWN
        row = column.row(align=True)
        row.enabled = not reason
        row.operator("erlnet.game_copy", text="ARKit Copy", icon="SHAPEKEY_DATA").shape_keys = ARKIT
        paragraph(layout, "The copy goes out through File > Export: glTF, FBX, USD or Alembic", "INFO")
        column = layout.column(align=True)
        column.operator("erlnet.export_track", text="FaceTrack (.npz)", icon="EXPORT")
        column.operator("erlnet.export_arkit", text="ARKit Face (.csv)", icon="EXPORT")
        if reason:
            paragraph(layout, reason, "INFO")


CLASSES = (ERLNET_PT_export,)
