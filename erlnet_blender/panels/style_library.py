"""The sidebar's list of the user's own styles, with pictures."""

from __future__ import annotations

import bpy

from ..scene.own_styles import saved_styles
from ..scene.previews import icon_of
from ..scene.rig import find_rig
from .sections import paragraph

# Blender keeps pointers into the texts of a menu that changes, so the last one must stay alive.
_items: list[tuple[str, str, str, int, int]] = []


def style_items(_self: object, _context: object) -> list[tuple[str, str, str, int, int]]:
    """The styles that can be used, with their pictures, as items of an enumeration."""
    items = []
    for style in saved_styles():
        if style.fault:
            continue
        kinds = [kind for kind, there in (("settings", style.settings), ("motion", style.has_motion)) if there]
        icon = icon_of(f"{style.path}:{style.path.stat().st_mtime_ns}", style.picture)
        items.append((style.path.name, style.name, " and ".join(kinds).capitalize(), icon, len(items)))
    _items[:] = items
    return _items


def _number(self: ERLNET_PG_window) -> int:
    """The place of the chosen style in the list, which changes when others come and go; the first if it is gone."""
    return next((number for file, _, _, _, number in style_items(None, None) if file == self.saved_file), 0)


def _choose(self: ERLNET_PG_window, number: int) -> None:
    self.saved_file = next((item[0] for item in style_items(None, None) if item[4] == number), "")


class ERLNET_PG_window(bpy.types.PropertyGroup):
    """What is chosen in panels that show something of the computer and not of the file."""

    saved_file: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    saved_style: bpy.props.EnumProperty(
        name="Saved Style",
        description="A style of your library",
        items=style_items,
        get=_number,
        set=_choose,
        options={"SKIP_SAVE"},
    )


class ERLNET_PT_style_library(bpy.types.Panel):
    """Styles that you saved, on this computer"""

    bl_label = "Style Library"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ERLNet"
    bl_parent_id = "ERLNET_PT_style"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        return find_rig(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Pictures to choose from, and what can be done with the chosen one."""
        layout, window = self.layout, context.window_manager.erlnet
        styles = saved_styles()
        usable = [style for style in styles if not style.fault]
        if usable:
            layout.template_icon_view(window, "saved_style", show_labels=True, scale=4.8, scale_popup=4.8)
            chosen = next(style for style in usable if style.path.name == window.saved_style)
            row = layout.row(align=True)
            row.label(text=chosen.name)
            row.operator("erlnet.rename_style", text="", icon="GREASEPENCIL")
            row.operator("erlnet.delete_style", text="", icon="TRASH")
            row = layout.row(align=True)
            row.operator("erlnet.use_style", text="Use", icon="CHECKMARK").second = False
            second = row.row(align=True)
            second.enabled = chosen.has_motion
            second.operator("erlnet.use_style", text="Mix In", icon="ADD").second = True
            if not chosen.has_motion:
                paragraph(layout, "Only a style with a motion can be mixed in", "INFO")
        elif not styles:
            paragraph(layout, "No style is saved yet: save how this head speaks, or a track file", "INFO")
        for style in styles:
            if style.fault:
                row = layout.row()
                paragraph(row, style.fault, "ERROR")
                row.operator("erlnet.delete_style", text="", icon="TRASH").file = style.path.name
        layout.operator("erlnet.save_style", icon="FILE_TICK")


CLASSES = (ERLNET_PG_window, ERLNET_PT_style_library)


def register() -> None:
    """Add `WindowManager.erlnet`."""
    bpy.types.WindowManager.erlnet = bpy.props.PointerProperty(type=ERLNET_PG_window)


def unregister() -> None:
    """Remove it."""
    del bpy.types.WindowManager.erlnet
