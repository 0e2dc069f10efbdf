"""The animation of a head becomes a face track file."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ExportHelper

from ..scene.keyframes import read_track
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_export_track(Explained, bpy.types.Operator, ExportHelper):
    """Write the head's animation over the scene's frames to a face track (.npz), as Blender evaluates it"""

    bl_idname = "erlnet.export_track"
    bl_label = "Export Track"
    bl_options = {"REGISTER"}

    filename_ext = ".npz"
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Read every frame and save."""
        scene = context.scene
        track = read_track(find_rig(context), scene, scene.frame_start, scene.frame_end)
        track.save(bpy.path.abspath(self.filepath))
        self.report({"INFO"}, f"Wrote {len(track)} frames")


CLASSES = (ERLNET_OT_export_track,)
