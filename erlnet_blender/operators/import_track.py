"""A face track from a file becomes keyframes."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..face_track import FaceTrack
from ..scene.keyframes import write_track
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_import_track(Explained, bpy.types.Operator, ImportHelper):
    """Key the head from a face track (.npz), from the current frame on"""

    bl_idname = "erlnet.import_track"
    bl_label = "Import Track"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".npz"
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Read the file and write its keys."""
        path = Path(bpy.path.abspath(self.filepath))
        track = FaceTrack.load(path)
        rig = find_rig(context)
        write_track(rig, track, context.scene.frame_current, path.stem)
        self.report({"INFO"}, f"Keyed {rig.name} with {len(track)} frames")


CLASSES = (ERLNET_OT_import_track,)
