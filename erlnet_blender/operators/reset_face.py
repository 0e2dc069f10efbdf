"""Back to the neutral face."""

from __future__ import annotations

import bpy
import numpy as np

from ..face_track import FaceTrack
from ..scene.rig import apply_frame, find_rig, head_of
from .explained import Explained, rig_reason


class ERLNET_OT_reset_face(Explained, bpy.types.Operator):
    """Set every control of the face to neutral at this frame; keys are not touched"""

    bl_idname = "erlnet.reset_face"
    bl_label = "Reset Face"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head."""
        return rig_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Apply the zero pose; the root, which places the head, stays where it is."""
        rig = find_rig(context)
        head = head_of(rig)
        root = rig.pose.bones["root"].matrix_basis.copy()
        apply_frame(rig, FaceTrack(np.zeros((1, head.expressiondirs.shape[-1])), 25, head.id))
        rig.pose.bones["root"].matrix_basis = root


CLASSES = (ERLNET_OT_reset_face,)
