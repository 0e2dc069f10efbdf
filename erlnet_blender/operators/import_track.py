"""File > Import > FaceTrack (.npz): a face track becomes keyframes."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..face_track import FaceTrack
from ..scene.rig import check_head, find_rig, set_shape
from .explained import Explained, rig_reason
from .frame_range import StartFrame


class ERLNET_OT_import_track(StartFrame, Explained, bpy.types.Operator, ImportHelper):
    """Key the head from a face track (.npz)"""

    bl_idname = "erlnet.import_track"
    bl_label = "Import FaceTrack"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".npz"
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN"})
    identity: bpy.props.BoolProperty(
        name="Identity",
        description="Take the shape of the file's head as well; otherwise its motion alone",
        default=False,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def draw(self, context: bpy.types.Context) -> None:
        """The options in the file browser."""
        self.draw_start()
        self.layout.prop(self, "identity")

    def run(self, context: bpy.types.Context) -> None:
        """Read the file and write its keys."""
        path = Path(bpy.path.abspath(self.filepath))
        rig = find_rig(context)
        track = FaceTrack.load(path)
        if self.identity:
            check_head(rig, track)
            set_shape(rig, track.shape)
        count = self.write_keys(context.scene, rig, track, path.stem)
        self.report({"INFO"}, f"Keyed {rig.name} with {count} frames")


CLASSES = (ERLNET_OT_import_track,)
