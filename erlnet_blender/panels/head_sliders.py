"""Sliders for every component of the chosen head: who it is, and its raw expressions by region."""

from __future__ import annotations

import json

import bpy

from ..scene.controls import FACE_BONE, REGIONS, region_of
from ..scene.rig import EXPRESSION_NAMES, SHAPE_NAMES, find_rig, is_seated, mesh_of
from .sections import paragraph

# So many are shown of components that have no names, until one is searched for or all are asked for.
FEW = 10


class _Sub:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ERLNet"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        return find_rig(context) is not None


class ERLNET_PT_identity(_Sub, bpy.types.Panel):
    """Who the head is"""

    bl_label = "Identity"
    bl_parent_id = "ERLNET_PT_head"

    def draw(self, context: bpy.types.Context) -> None:
        """One slider for each shape component, one standard deviation a unit."""
        layout, rig = self.layout, find_rig(context)
        keys = mesh_of(rig).data.shape_keys.key_blocks
        names = labels(rig, SHAPE_NAMES, "Shape", len(keys))
        chosen = shown(layout, rig, {key: name for key, name in names.items() if key in keys})
        column = layout.column(align=True)
        for key in chosen:
            column.prop(keys[key], "value", text=names[key].replace("_", " "), slider=True)
        if not is_seated(rig):
            paragraph(layout, "The bones still rest where the joints of another identity are", "INFO")
            layout.operator("erlnet.seat_joints", icon="CON_ARMATURE")


class ERLNET_PT_edit_raw(_Sub, bpy.types.Panel):
    """The head's own coefficients, which the bake writes"""

    bl_label = "Expressions"
    bl_parent_id = "ERLNET_PT_edit"
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        """One slider each, named as the head names them, the regions of the face under each other."""
        layout, rig = self.layout, find_rig(context)
        face = rig.pose.bones[FACE_BONE]
        names = labels(rig, EXPRESSION_NAMES, "Exp", len(face.keys()))
        chosen = shown(layout, rig, {key: name for key, name in names.items() if key in face})
        for region in REGIONS:
            members = [key for key in chosen if region_of(names[key]) == region]
            if not members:
                continue
            column = layout.column(align=True)
            if len(members) < len(chosen):
                column.label(text=region)
            for key in members:
                column.prop(face, f'["{key}"]', text=names[key].replace("_", " "), slider=True)


def labels(rig: bpy.types.Object, stored: str, prefix: str, count: int) -> dict[str, str]:
    """Shape key or control to the name that the head gives it; empty numbers where it gives none."""
    names = json.loads(rig.get(stored, "[]"))
    keys = [f"{prefix}{index + 1:03d}" for index in range(max(len(names), count))]
    return {key: names[index] if index < len(names) else key for index, key in enumerate(keys)}


def shown(layout: bpy.types.UILayout, rig: bpy.types.Object, names: dict[str, str]) -> list[str]:
    """The components that are searched for; of many without names the first few, unless all are asked for."""
    settings = rig.erlnet
    if len(names) > 2 * FEW:
        row = layout.row(align=True)
        row.prop(settings, "search", text="", icon="VIEWZOOM")
        row.prop(settings, "show_all", text="", icon="COLLAPSEMENU", toggle=True)
    text = settings.search.lower().replace(" ", "_")
    found = [key for key, name in names.items() if text in name.lower().replace(" ", "_")]
    nameless = all(key == name for key, name in names.items())
    if text or settings.show_all or not nameless or len(found) <= FEW:
        return found
    paragraph(layout, f"The first {FEW} of {len(found)}: search for another, or show all", "INFO")
    return found[:FEW]


CLASSES = (ERLNET_PT_identity, ERLNET_PT_edit_raw)
