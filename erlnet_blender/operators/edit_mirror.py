"""Left and right exchanged over a span of frames."""

from __future__ import annotations

import bpy

from ..scene.edits.adjust import mirror
from .edit_range import EditsParts


class ERLNET_OT_edit_mirror(EditsParts, bpy.types.Operator):
    """Exchange left and right of the movements over a span of frames"""

    bl_idname = "erlnet.edit_mirror"
    bl_label = "Mirror Range"
    bl_options = {"REGISTER", "UNDO"}

    def edit(self, rig: bpy.types.Object, span: tuple[int, int]) -> int:
        """Exchange the sides."""
        return mirror(rig, span, frozenset(self.parts), self.soft)


CLASSES = (ERLNET_OT_edit_mirror,)
