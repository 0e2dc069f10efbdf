"""Add > Mesh > ERLNet Head."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..formats.head_model import HeadModel, default_head_path
from ..scene.appearance import dress
from ..scene.rig import build_rig, mesh_of
from .explained import Explained, object_mode_reason


class ERLNET_OT_add_head(Explained, bpy.types.Operator):
    """Add a FLAME head with its rig"""

    bl_idname = "erlnet.add_head"
    bl_label = "ERLNet Head"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(
        name="Head Model",
        description="A head model (.npz); empty is the one that comes with ERLNet",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Not in edit mode."""
        return object_mode_reason(context)

    def run(self, context: bpy.types.Context) -> None:
        """Build the rig at the 3D cursor and dress it."""
        path = Path(bpy.path.abspath(self.filepath)) if self.filepath else default_head_path()
        head = HeadModel.load(path)
        rig = build_rig(head, path)
        rig.location = context.scene.cursor.location
        dress(mesh_of(rig), rig, head)


def menu(self, context: bpy.types.Context) -> None:
    """The entry in Add > Mesh."""
    self.layout.operator(ERLNET_OT_add_head.bl_idname, icon="MONKEY")


CLASSES = (ERLNET_OT_add_head,)


def register() -> None:
    """Add the menu entry."""
    bpy.types.VIEW3D_MT_mesh_add.append(menu)


def unregister() -> None:
    """Remove the menu entry."""
    bpy.types.VIEW3D_MT_mesh_add.remove(menu)
