"""File > Export > FaceTrack (.npz): the animation of a head becomes a face track file."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ExportHelper

from ..scene.keyframes import read_track
from ..scene.rig import find_rig
from .explained import Explained, rig_reason
from .frame_range import FrameRange


class ERLNET_OT_export_track(FrameRange, Explained, bpy.types.Operator, ExportHelper):
    """Write the head's animation to a face track (.npz), as Blender evaluates it"""

    bl_idname = "erlnet.export_track"
    bl_label = "Export FaceTrack"
    bl_options = {"REGISTER"}

    filename_ext = ".npz"
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def draw(self, context: bpy.types.Context) -> None:
        """The options in the file browser."""
        self.draw_frames()

    def run(self, context: bpy.types.Context) -> None:
        """Read every frame and save."""
        rig = find_rig(context)
        track = read_track(rig, context.scene, *self.frame_range(context.scene, rig))
        track.save(bpy.path.abspath(self.filepath))
        self.report({"INFO"}, f"Wrote {len(track)} frames")


CLASSES = (ERLNET_OT_export_track,)
