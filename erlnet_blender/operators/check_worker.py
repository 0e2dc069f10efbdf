"""Does the worker start, and what does it have?"""

from __future__ import annotations

import bpy

from ..preferences import preferred_python
from ..worker.client import shared_client
from .explained import Explained

TIMEOUT_S = 60.0


class ERLNET_OT_check_worker(Explained, bpy.types.Operator):
    """Start the worker and say which torch and which graphics card it has"""

    bl_idname = "erlnet.check_worker"
    bl_label = "Check Worker"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Say hello and report the answer."""
        answer, _ = shared_client(preferred_python()).call("hello", {}, timeout_s=TIMEOUT_S)
        if not answer["torch"]:
            self.report({"ERROR"}, f"Python {answer['version']} at {answer['python']} has no torch: choose another")
            return
        card = answer.get("device") or "no graphics card, the processor computes"
        self.report({"INFO"}, f"The worker runs: Python {answer['version']}, torch {answer['torch']}, {card}")


CLASSES = (ERLNET_OT_check_worker,)
