"""The tab "ERLNet" of the 3D view's sidebar: Head, Voice, Style, Bake, Edit, Avatar."""

from __future__ import annotations

import bpy

from ..operators.explained import rig_reason
from ..scene.layers import base_strip, is_mixed
from ..scene.rig import find_rig, head_name_of
from ..scene.stage import ENGINE
from ..scene.strips import picture_strip
from ..worker import protocol
from .sections import draw_bake, draw_outcome, draw_style, draw_voice, paragraph


class _Tab:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ERLNet"


class ERLNET_PT_head(_Tab, bpy.types.Panel):
    """Which head speaks"""

    bl_label = "Head"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """The chosen rig, or how to get one."""
        layout = self.layout
        rig = find_rig(context)
        if rig is None:
            paragraph(layout, rig_reason(context), "INFO")
            row = layout.row()
            row.scale_y = 1.5
            row.operator("erlnet.start_here", icon="PLAY")
            layout.operator_menu_enum("erlnet.add_head", "preset", text="Add Head", icon="ADD")
            return
        layout.label(text=rig.name, icon="ARMATURE_DATA")
        layout.label(text=head_name_of(rig), icon="BLANK1")
        row = layout.row(align=True)
        row.operator("erlnet.import_track", text="Import", icon="IMPORT")
        row.operator("erlnet.export_track", text="Export", icon="EXPORT")
        layout.operator("erlnet.fit_photo", icon="IMAGE_DATA")
        draw_outcome(layout, protocol.FIT_PHOTO)


class ERLNET_PT_voice(_Tab, bpy.types.Panel):
    """Which recording is spoken"""

    bl_label = "Voice"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Strip and clip."""
        draw_voice(self.layout, context)


class ERLNET_PT_style(_Tab, bpy.types.Panel):
    """How it is spoken"""

    bl_label = "Style"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Styles, emotion, what takes part, chance."""
        layout, rig = self.layout, find_rig(context)
        if rig is None:
            paragraph(layout, rig_reason(context), "INFO")
            return
        draw_style(layout, rig)


class ERLNET_PT_bake(_Tab, bpy.types.Panel):
    """From voice to keys"""

    bl_label = "Bake"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        """Button, progress, outcome."""
        draw_bake(self.layout, context)


class ERLNET_PT_edit(_Tab, bpy.types.Panel):
    """Hand work on the performance; the sub-panels have the tools"""

    bl_label = "Edit"
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        """Where keys go."""
        layout = self.layout
        rig = find_rig(context)
        if rig is None:
            paragraph(layout, rig_reason(context), "INFO")
        elif base_strip(rig) is not None:
            paragraph(layout, "Keys go onto the edit layer: a new bake keeps them", "NLA")
        elif is_mixed(rig):
            layout.operator("erlnet.add_edit_layer", icon="NLA_PUSHDOWN")


class ERLNET_PT_avatar(_Tab, bpy.types.Panel):
    """How the head looks in the final picture"""

    bl_label = "Avatar"
    bl_order = 5

    def draw(self, context: bpy.types.Context) -> None:
        """Engine, avatar, device."""
        layout, scene = self.layout, context.scene
        rig = find_rig(context)
        if scene.render.engine != ENGINE:
            paragraph(layout, f"The scene renders with {engine_label(context)}", "INFO")
            layout.operator("erlnet.use_engine", icon="RESTRICT_RENDER_OFF")
        layout.use_property_split = True
        layout.use_property_decorate = False
        if rig is not None:
            layout.prop(rig.erlnet, "avatar")
            if not rig.erlnet.avatar:
                layout.label(text="The avatar that comes with ERLNet", icon="BLANK1")
        layout.prop(scene.erlnet, "device")
        layout.prop(scene.erlnet, "samples")
        picture = picture_strip(scene)
        if picture:
            paragraph(layout, f"The sequencer's strip {picture} is rendered instead of the head: mute it", "ERROR")
        row = layout.row(align=True)
        row.operator("render.render", text="Image", icon="RENDER_STILL")
        row.operator("render.render", text="Movie", icon="RENDER_ANIMATION").animation = True


def engine_label(context: bpy.types.Context) -> str:
    """The chosen render engine as Blender's menu names it."""
    render = context.scene.render
    items = render.bl_rna.properties["engine"].enum_items
    return items[render.engine].name if render.engine in items else render.engine.replace("_", " ").title()


CLASSES = (
    ERLNET_PT_head,
    ERLNET_PT_voice,
    ERLNET_PT_style,
    ERLNET_PT_bake,
    ERLNET_PT_edit,
    ERLNET_PT_avatar,
)
