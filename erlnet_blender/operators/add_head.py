"""Add > Mesh > ERLNet Head."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..formats.head_model import HeadModel, default_head_path
from ..preferences import preferred_python
from ..scene.appearance import dress
from ..scene.rig import build_rig, mesh_of
from ..worker.flame_conversion import head_file_of
from .explained import Explained, object_mode_reason


class ERLNET_OT_add_head(Explained, bpy.types.Operator):
    """Add a FLAME head with its rig"""

    bl_idname = "erlnet.add_head"
    bl_label = "ERLNet Head"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(
        name="Head Model",
        description="A head model (.npz) or a FLAME model (.pkl, .npz, .pt); empty is the one that comes with ERLNet",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    choose_file: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.npz;*.pkl;*.pt", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Not in edit mode."""
        return object_mode_reason(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the file first, if the entry in the menu says so."""
        if not self.choose_file:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Build the rig at the 3D cursor and dress it; a FLAME file is converted first, for this user's use."""
        path = default_head_path()
        if self.filepath:
            chosen = head_file_of(Path(bpy.path.abspath(self.filepath)), preferred_python())
            path = chosen.path
            for note in chosen.notes:
                self.report({"INFO"}, note)
        head = HeadModel.load(path)
        rig = build_rig(head, path)
        rig.location = context.scene.cursor.location
        dress(mesh_of(rig), rig, head)


def menu(self, context: bpy.types.Context) -> None:
    """The entries in Add > Mesh."""
    self.layout.operator(ERLNET_OT_add_head.bl_idname, icon="MONKEY")
    from_file = self.layout.operator(ERLNET_OT_add_head.bl_idname, text="FLAME Head from File...", icon="FILE_FOLDER")
    from_file.choose_file = True


CLASSES = (ERLNET_OT_add_head,)


def register() -> None:
    """Add the menu entry."""
    bpy.types.VIEW3D_MT_mesh_add.append(menu)


def unregister() -> None:
    """Remove the menu entry."""
    bpy.types.VIEW3D_MT_mesh_add.remove(menu)
