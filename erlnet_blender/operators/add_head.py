"""Add > Mesh > Talking Head, and the same under Armature."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy
import numpy as np

from ..formats.head_model import HeadModel, default_head_path
from ..head_presets import PRESETS
from ..preferences import preferred_python
from ..scene.appearance import dress
from ..scene.rig import build_rig, mesh_of
from ..worker.flame_conversion import head_file_of
from .explained import Explained, object_mode_reason


class ERLNET_OT_add_head(Explained, bpy.types.Operator):
    """Add a FLAME head with its rig"""

    bl_idname = "erlnet.add_head"
    bl_label = "Talking Head"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.EnumProperty(
        name="Person",
        description="Who it is: the shape and the look of the head that comes with ERLNet",
        items=[(preset.name, preset.label, preset.description) for preset in PRESETS.values()],
        default="default",
    )
    filepath: bpy.props.StringProperty(
        name="Head Model",
        description="A head (.npz) or FLAME model (.pkl, .npz, .pt) in place of a person; empty is ERLNet's own",
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
        # A head from a file is whoever the file says.
        preset = PRESETS["default" if self.filepath else self.preset]
        shape = preset.coefficients(head.meta.get("shape_names") or [])
        rig = build_rig(head, path, "Head" if self.filepath else preset.label, shape=np.array(shape))
        rig.location = context.scene.cursor.location
        dress(mesh_of(rig), rig, head, preset.look)
        show_sidebar(context)


def show_sidebar(context: bpy.types.Context) -> None:
    """Open the sidebar in which the work goes on, on our tab where Blender lets add-ons choose it."""
    area = context.area
    if area is None or area.type != "VIEW_3D":
        return
    area.spaces.active.show_region_ui = True
    sidebar = next((region for region in area.regions if region.type == "UI"), None)
    with contextlib.suppress(AttributeError, TypeError):  # read-only, or no such tab before the sidebar is drawn
        sidebar.active_panel_category = "ERLNet"


def menu(self, context: bpy.types.Context) -> None:
    """The entries in Add > Mesh and Add > Armature."""
    self.layout.operator_menu_enum(ERLNET_OT_add_head.bl_idname, "preset", icon="MONKEY")
    from_file = self.layout.operator(ERLNET_OT_add_head.bl_idname, text="Talking Head from File...", icon="FILE_FOLDER")
    from_file.choose_file = True


CLASSES = (ERLNET_OT_add_head,)


MENUS = ("VIEW3D_MT_mesh_add", "VIEW3D_MT_armature_add")


def register() -> None:
    """Add the menu entries."""
    for name in MENUS:
        getattr(bpy.types, name).append(menu)


def unregister() -> None:
    """Remove the menu entries."""
    for name in MENUS:
        getattr(bpy.types, name).remove(menu)
