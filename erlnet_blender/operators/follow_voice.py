"""The bake goes where its recording went: re-timed without baking again."""

from __future__ import annotations

import bpy

from ..scene.follow import baked_voices, bring_edits, edits_left_behind, follow, moves_of
from ..scene.rig import find_rig
from .explained import Explained, rig_reason


class ERLNET_OT_follow_voice(Explained, bpy.types.Operator):
    """Move the baked keys to where the sound strip is now, at its speed; keys set by hand stay where they are"""

    bl_idname = "erlnet.follow_voice"
    bl_label = "Follow Voice"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """A voice must have been baked, and moved."""
        reason = rig_reason(context)
        if reason:
            return reason
        rig = find_rig(context)
        if not baked_voices(rig):
            return "No voice has been baked onto this head"
        return "" if moves_of(rig) else "The baked keys are where their voices are"

    def run(self, context: bpy.types.Context) -> None:
        """Move them, and say by how much."""
        moved = [f"{move.strip!r} by {move.frames:+g} frames" for move in follow(find_rig(context))]
        self.report({"INFO"}, f"Moved {', '.join(moved)}")


class ERLNET_OT_bring_edits(Explained, bpy.types.Operator):
    """Move the keys that were set by hand over the voice to where the voice is now"""

    bl_idname = "erlnet.bring_edits"
    bl_label = "Bring My Keys Along"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Keys by hand must have been left behind."""
        reason = rig_reason(context)
        if reason:
            return reason
        left = edits_left_behind(find_rig(context))
        return "" if left else "No keys set by hand were left behind by a voice that moved"

    def run(self, context: bpy.types.Context) -> None:
        """Move them, and say how many."""
        self.report({"INFO"}, f"Moved {bring_edits(find_rig(context))} keys")


CLASSES = (ERLNET_OT_follow_voice, ERLNET_OT_bring_edits)
