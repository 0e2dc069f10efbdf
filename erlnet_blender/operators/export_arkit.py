"""File > Export > ARKit Face (.csv): the animation of a head as ARKit weights, in the layout of Live Link Face."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ExportHelper

from ..formats.arkit import write_csv
from ..scene.arkit import arkit_rig_reason, read_recording
from ..scene.rig import find_rig
from .explained import Explained, rig_reason
from .frame_range import FrameRange


class ERLNET_OT_export_arkit(FrameRange, Explained, bpy.types.Operator, ExportHelper):
    """Write the head's animation as ARKit's 52 weights (.csv), as the app Live Link Face records them"""

    bl_idname = "erlnet.export_arkit"
    bl_label = "Export ARKit Face"
    bl_options = {"REGISTER"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head whose expressions have names."""
        return rig_reason(context) or arkit_rig_reason(find_rig(context))

    def draw(self, context: bpy.types.Context) -> None:
        """The options in the file browser."""
        self.draw_frames()

    def run(self, context: bpy.types.Context) -> None:
        """Read every frame, solve for the weights and save."""
        rig = find_rig(context)
        recording = read_recording(rig, context.scene, *self.frame_range(context.scene, rig))
        write_csv(bpy.path.abspath(self.filepath), recording)
        self.report({"INFO"}, f"Wrote {len(recording.weights)} frames")


CLASSES = (ERLNET_OT_export_arkit,)
