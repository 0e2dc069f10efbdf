"""Our entries in File > Import and File > Export."""

from __future__ import annotations

import bpy


def draw_import(self, context: bpy.types.Context) -> None:
    """What comes in."""
    self.layout.operator("erlnet.import_track", text="FaceTrack (.npz)")
    self.layout.operator("erlnet.import_arkit", text="ARKit Face, Live Link Face (.csv)")


def draw_export(self, context: bpy.types.Context) -> None:
    """What goes out."""
    self.layout.operator("erlnet.export_track", text="FaceTrack (.npz)")
    self.layout.operator("erlnet.export_arkit", text="ARKit Face, Live Link Face (.csv)")


def register() -> None:
    """Add the entries."""
    bpy.types.TOPBAR_MT_file_import.append(draw_import)
    bpy.types.TOPBAR_MT_file_export.append(draw_export)


def unregister() -> None:
    """Remove them."""
    bpy.types.TOPBAR_MT_file_export.remove(draw_export)
    bpy.types.TOPBAR_MT_file_import.remove(draw_import)
