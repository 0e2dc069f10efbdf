"""What support needs, on the clipboard."""

from __future__ import annotations

import bpy

from ..scene.diagnostics import diagnostics
from .explained import Explained


class ERLNET_OT_copy_diagnostics(Explained, bpy.types.Operator):
    """Copy versions, device, worker, the last job and the last faults as text, to paste into a report"""

    bl_idname = "erlnet.copy_diagnostics"
    bl_label = "Copy Diagnostics"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Put them onto the clipboard."""
        text = diagnostics(context)
        context.window_manager.clipboard = text
        self.report({"INFO"}, f"{len(text.splitlines())} lines are on the clipboard: paste them into your report")


CLASSES = (ERLNET_OT_copy_diagnostics,)
