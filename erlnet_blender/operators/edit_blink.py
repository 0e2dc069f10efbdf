"""Blinks where there are none, and none where there are."""

from __future__ import annotations

import bpy

from ..errors import ErlnetError
from ..scene.controls import EYELIDS, FACE_BONE
from ..scene.edits.adjust import add_blink, remove_blinks
from ..scene.rig import find_rig
from .edit_range import EditsMoment, edit_reason, motion_reason
from .explained import Explained
from .frame_range import scene_range

HERE, RANGE = "HERE", "RANGE"


def _lid_reason(context: bpy.types.Context) -> str:
    reason = edit_reason(context)
    if reason:
        return reason
    has_lids = EYELIDS[0] in find_rig(context).pose.bones[FACE_BONE]
    return "" if has_lids else "This head has no eyelids to shut"


class ERLNET_OT_edit_add_blink(EditsMoment, bpy.types.Operator):
    """Shut both eyes at the current frame; the keys can be moved like any others"""

    bl_idname = "erlnet.edit_add_blink"
    bl_label = "Add Blink"
    bl_options = {"REGISTER", "UNDO"}
    # Lids fall faster than they rise.
    NATURAL_S = (0.1, 0.04, 0.18)

    shut: bpy.props.FloatProperty(
        name="Shut",
        description="How far the eyes shut: 1 all the way",
        default=1.0,
        min=0.05,
        max=1.0,
        subtype="FACTOR",
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """The head must have eyelids."""
        return _lid_reason(context)

    def draw_edit(self, layout: bpy.types.UILayout) -> None:
        """How far."""
        layout.prop(self, "shut")

    def run(self, context: bpy.types.Context) -> None:
        """Key the lids."""
        add_blink(find_rig(context), self.pulse(context.scene), self.shut)


class ERLNET_OT_edit_remove_blink(Explained, bpy.types.Operator):
    """Keep the eyes open where they blink"""

    bl_idname = "erlnet.edit_remove_blink"
    bl_label = "Remove Blink"
    bl_options = {"REGISTER", "UNDO"}

    where: bpy.props.EnumProperty(
        name="Where",
        description="Which blinks go",
        items=[
            (HERE, "Current Frame", "The blink at the current frame"),
            (RANGE, "Frame Range", "Every blink in the scene's frames, or its preview range if that is on"),
        ],
        default=HERE,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be eyelids that move."""
        return _lid_reason(context) or motion_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Bridge the blinks.

        Raises:
            ErlnetError: there are none.
        """
        scene, rig = context.scene, find_rig(context)
        here = (scene.frame_current, scene.frame_current)
        span = scene_range(scene) if self.where == RANGE else here
        count = remove_blinks(rig, span, scene.render.fps / scene.render.fps_base)
        if not count:
            place = f"in frames {span[0]} to {span[1]}" if self.where == RANGE else f"at frame {span[0]}"
            raise ErlnetError(f"The eyes do not blink {place}", rig.name, "move the current frame onto a blink")
        self.report({"INFO"}, f"Removed {count} {'blink' if count == 1 else 'blinks'}")


CLASSES = (ERLNET_OT_edit_add_blink, ERLNET_OT_edit_remove_blink)
