"""The manners of our operators: a greyed button says why, a failure is one sentence."""

from __future__ import annotations

import traceback

import bpy

from ..errors import ErlnetError
from ..preferences import preferred_python
from ..scene.diagnostics import note_fault
from ..worker.environment import worker_python


class Explained:
    """Mixed into an operator, before `bpy.types.Operator`; the operator defines `run`."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Why the operator cannot run now; empty if it can."""
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """For Blender: whether the button is live, with the reason in its tooltip where it is not."""
        reason = cls.disabled_reason(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run; an `ErlnetError` becomes a report and nothing is pushed onto the undo stack."""
        try:
            self.run(context)
        except ErlnetError as error:
            note_fault(self.bl_label, str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except Exception:
            note_fault(self.bl_label, traceback.format_exc())
            raise
        return {"FINISHED"}


def worker_reason() -> str:
    """Why the worker cannot be started, and what to do; empty if it can."""
    try:
        worker_python(preferred_python())
    except ErlnetError as error:
        return str(error)
    return ""


def object_mode_reason(context: bpy.types.Context) -> str:
    """Why objects cannot be added now; empty if they can."""
    return "" if context.mode in ("OBJECT", "POSE") else "Leave edit mode first"


def layers_reason(context: bpy.types.Context) -> str:
    """Why there is no bake on a track of its own to work on; empty if there is one."""
    from ..scene.layers import base_strip
    from ..scene.rig import find_rig

    reason = rig_reason(context)
    return reason or ("" if base_strip(find_rig(context)) else "There are no layers: bake a voice first")


def rig_reason(context: bpy.types.Context) -> str:
    """Why there is no rig to work on; empty if there is one."""
    from ..scene.rig import find_rig, rigs_of

    rig = find_rig(context)
    if rig is not None:
        return "" if rig.library is None else "The head is linked: make a library override of it first"
    return "Select one of the heads" if rigs_of(context.scene) else "Add a head first"
