"""A copy of the head that Blender's exporters can write whole."""

from __future__ import annotations

import bpy

from ..scene.arkit import arkit_copy, arkit_rig_reason
from ..scene.game_copy import game_ready_copy
from ..scene.rig import find_rig
from .explained import Explained, rig_reason
from .frame_range import FrameRange

OWN, ARKIT = "OWN", "ARKIT"


class ERLNET_OT_game_copy(FrameRange, Explained, bpy.types.Operator):
    """Copy mesh and skeleton with keys in place of drivers, for glTF, FBX, USD and Alembic; the head stays as it is"""

    bl_idname = "erlnet.game_copy"
    bl_label = "Game-ready Copy"
    bl_options = {"REGISTER", "UNDO"}

    shape_keys: bpy.props.EnumProperty(
        name="Shape Keys",
        description="Which shape keys the copy has",
        items=[
            (OWN, "Head's Own", "The head's expressions by name; jaw and eyes are bones"),
            (
                ARKIT,
                "ARKit 52",
                "ARKit's 52 shapes under their names, jaw and eyes among them; only neck and root are bones",
            ),
        ],
        default=OWN,
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """There must be a head, and no mesh in edit mode."""
        return rig_reason(context) or ("" if context.mode in ("OBJECT", "POSE") else "Leave edit mode first")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask which frames and which shape keys."""
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        """The options, with the reason why ARKit's shapes cannot be made."""
        self.layout.prop(self, "shape_keys")
        reason = arkit_rig_reason(find_rig(context))
        if self.shape_keys == ARKIT and reason:
            self.layout.label(text=reason, icon="ERROR")
        self.draw_frames()

    def run(self, context: bpy.types.Context) -> None:
        """Make the copy; it is selected, so that an exporter's `Selected Objects` takes it alone."""
        rig = find_rig(context)
        make = arkit_copy if self.shape_keys == ARKIT else game_ready_copy
        copy = make(rig, context.scene, *self.frame_range(context.scene, rig))
        self.report({"INFO"}, f"{copy.name!r} is selected: export it with Selected Objects only")


CLASSES = (ERLNET_OT_game_copy,)
