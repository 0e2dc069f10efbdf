"""File > Import > ARKit Face (.csv): a recording of Live Link Face becomes keyframes."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..formats.arkit import at_rate, read_csv
from ..scene.arkit import arkit_rig_reason, check_names, track_of
from ..scene.rig import find_rig
from .explained import Explained, rig_reason
from .frame_range import StartFrame


class ERLNET_OT_import_arkit(StartFrame, Explained, bpy.types.Operator, ImportHelper):
    """Key the head from a recording of the app Live Link Face (.csv)"""

    bl_idname = "erlnet.import_arkit"
    bl_label = "Import ARKit Face"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".csv"
    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    recorded_fps: bpy.props.FloatProperty(
        name="Recorded FPS",
        description="Frames a second that the timecode counts; 0 guesses from its largest frame number",
        default=0.0,
        min=0.0,
        max=240.0,
    )
    head_motion: bpy.props.BoolProperty(
        name="Head Motion", description="Turn the neck as the recorded head turns", default=True
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head whose expressions have names."""
        return rig_reason(context) or arkit_rig_reason(find_rig(context))

    def draw(self, context: bpy.types.Context) -> None:
        """The options in the file browser."""
        self.draw_start()
        self.layout.prop(self, "recorded_fps")
        self.layout.prop(self, "head_motion")

    def run(self, context: bpy.types.Context) -> None:
        """Read the file, bring it to the scene's frame rate and write its keys."""
        path = Path(bpy.path.abspath(self.filepath))
        rig, render = find_rig(context), context.scene.render
        recording = at_rate(read_csv(path, self.recorded_fps or None), render.fps / render.fps_base)
        count = self.write_keys(context.scene, rig, track_of(recording, check_names(rig), self.head_motion), path.stem)
        self.report({"INFO"}, f"Keyed {rig.name} with {count} frames")


CLASSES = (ERLNET_OT_import_arkit,)
