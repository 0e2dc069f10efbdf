"""Visemes as markers of the timeline, and another timing of what is said."""

from __future__ import annotations

import bpy

from ..scene.edits import markers
from ..scene.layers import baked_action
from ..scene.rig import find_rig
from .edit_range import edit_reason
from .explained import Explained


def _viseme_reason(context: bpy.types.Context) -> str:
    reason = edit_reason(context)
    if reason:
        return reason
    rig = find_rig(context)
    if not markers.has_visemes(rig):
        return "No visemes are known: bake the voice (again), and the bake says what is said when"
    if baked_action(rig)[0].library is not None:
        return "The bake is linked from another file: bake the voice here first"
    return ""


def _marker_reason(context: bpy.types.Context) -> str:
    reason = _viseme_reason(context)
    if reason:
        return reason
    return "" if markers.shown_rig(context.scene) == find_rig(context) else "Show the visemes of this head first"


class ERLNET_OT_edit_show_visemes(Explained, bpy.types.Operator):
    """Put a marker at each viseme of the bake: drag it in the timeline, several at once for a word"""

    bl_idname = "erlnet.edit_show_visemes"
    bl_label = "Show Visemes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """A bake must have told what is said."""
        return _viseme_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Lay the markers."""
        count = markers.show_markers(context.scene, find_rig(context))
        self.report({"INFO"}, f"{count} markers: drag them in the timeline")


class ERLNET_OT_edit_hide_visemes(Explained, bpy.types.Operator):
    """Take the markers of visemes away; the timing stays"""

    bl_idname = "erlnet.edit_hide_visemes"
    bl_label = "Hide Visemes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """They must be shown."""
        return "" if markers.shown_rig(context.scene) is not None else "No visemes are shown"

    def run(self, context: bpy.types.Context) -> None:
        """Remove the markers."""
        markers.hide_markers(context.scene)


class ERLNET_OT_edit_apply_retiming(Explained, bpy.types.Operator):
    """Move the baked keys to where the markers were dragged; the next bake keeps this timing"""

    bl_idname = "erlnet.edit_apply_retiming"
    bl_label = "Apply Retiming"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """The markers of this head must be shown."""
        return _marker_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Move the keys."""
        count = markers.apply_markers(context.scene, find_rig(context))
        self.report({"INFO"}, f"{count} visemes retimed" if count else "No marker was moved")


class ERLNET_OT_edit_clear_retiming(Explained, bpy.types.Operator):
    """Let everything be said when the recording says it"""

    bl_idname = "erlnet.edit_clear_retiming"
    bl_label = "Clear Retiming"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Something must be retimed."""
        return _viseme_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Move the keys back."""
        markers.clear_retiming(context.scene, find_rig(context))


CLASSES = (
    ERLNET_OT_edit_show_visemes,
    ERLNET_OT_edit_hide_visemes,
    ERLNET_OT_edit_apply_retiming,
    ERLNET_OT_edit_clear_retiming,
)
