"""Give up the job that runs."""

from __future__ import annotations

import bpy

from ..scene import jobs
from .explained import Explained


class ERLNET_OT_cancel_job(Explained, bpy.types.Operator):
    """Stop the running job; the scene stays as it was"""

    bl_idname = "erlnet.cancel_job"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Something must be running."""
        return "" if jobs.current() is not None else "Nothing is running"

    def run(self, context: bpy.types.Context) -> None:
        """Cancel; the operator that started the job notices at its next tick."""
        jobs.current().cancel()
        jobs.redraw(context)


CLASSES = (ERLNET_OT_cancel_job,)
