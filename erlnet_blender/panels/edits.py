"""The sidebar's tools for hand work: Adjust over frames and at the current one, Timing, and Controls to key."""

from __future__ import annotations

import bpy

from ..operators.edit_blink import ERLNET_OT_edit_add_blink
from ..operators.edit_close_lips import ERLNET_OT_edit_close_lips
from ..operators.edit_range import motion_reason
from ..operators.edit_visemes import ERLNET_OT_edit_show_visemes
from ..operators.frame_range import scene_range
from ..scene.controls import EYELIDS, FACE_BONE, LOOK_AT, SEMANTIC
from ..scene.edits import markers
from ..scene.edits.marker_watch import trouble
from ..scene.pose import rotation_path
from ..scene.rig import find_rig
from .sections import paragraph


class _Sub:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "ERLNet"
    bl_parent_id = "ERLNET_PT_edit"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        return find_rig(context) is not None


class ERLNET_PT_adjust(_Sub, bpy.types.Panel):
    """Edits of the motion, on top of the bake"""

    bl_label = "Adjust"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Which frames and parts, what to do with them; what to do at the current frame."""
        layout, scene = self.layout, context.scene
        reason = motion_reason(context)
        if reason:
            paragraph(layout, reason, "INFO")
        _draw_range(layout, scene)
        grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
        grid.prop(scene.erlnet, "edit_parts")
        column = layout.column(align=True)
        row = column.row(align=True)
        for text, factor in (("Exaggerate", 1.3), ("Soften", 0.7)):
            button = row.operator("erlnet.edit_exaggerate", text=text)
            button.factor, button.parts = factor, scene.erlnet.edit_parts
        row = column.row(align=True)
        for name in ("smooth", "mirror"):
            row.operator(f"erlnet.edit_{name}").parts = scene.erlnet.edit_parts
        column.operator("erlnet.edit_offset_head")
        column.operator("erlnet.edit_copy_style")
        column = layout.column(align=True)
        column.label(text=f"At Frame {scene.frame_current}", icon="TIME")
        column.operator("erlnet.edit_close_lips")
        row = column.row(align=True)
        row.operator("erlnet.edit_add_blink")
        row.operator("erlnet.edit_remove_blink")
        moments = [
            operator.disabled_reason(context) for operator in (ERLNET_OT_edit_close_lips, ERLNET_OT_edit_add_blink)
        ]
        for text in dict.fromkeys(moments):
            if text and text != reason:
                paragraph(layout, text, "INFO")


def _draw_range(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    first, last = scene_range(scene)
    row = layout.row(align=True)
    row.label(text=f"Frames {first} to {last}")
    row.prop(scene, "use_preview_range", text="", icon="PREVIEW_RANGE")
    if scene.use_preview_range:
        row = layout.row(align=True)
        row.prop(scene, "frame_preview_start", text="First")
        row.prop(scene, "frame_preview_end", text="Last")


class ERLNET_PT_timing(_Sub, bpy.types.Panel):
    """When what is said"""

    bl_label = "Timing"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Markers on and off, and their places taken over."""
        layout, rig = self.layout, find_rig(context)
        reason = ERLNET_OT_edit_show_visemes.disabled_reason(context)
        shown = markers.shown_rig(context.scene)
        column = layout.column(align=True)
        if shown == rig:
            column.operator("erlnet.edit_hide_visemes", icon="HIDE_ON")
            if not context.scene.erlnet.viseme_follow:
                column.operator("erlnet.edit_apply_retiming", icon="CHECKMARK")
        else:
            column.operator("erlnet.edit_show_visemes", icon="MARKER_HLT")
        column.operator("erlnet.edit_clear_retiming", icon="LOOP_BACK")
        if reason:
            paragraph(layout, reason, "INFO")
        elif shown == rig:
            layout.prop(context.scene.erlnet, "viseme_follow")
            text = trouble(context.scene) if context.scene.erlnet.viseme_follow else ""
            paragraph(layout, text or "Drag markers in the timeline, several for a word", "ERROR" if text else "INFO")


class ERLNET_PT_controls(_Sub, bpy.types.Panel):
    """Sliders over the performance; hover one and press I to key it"""

    bl_label = "Controls"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Semantic controls, eyelids, jaw and head."""
        layout, rig = self.layout, find_rig(context)
        face = rig.pose.bones[FACE_BONE]
        labels = {"open": "Open", **{name: entry[0] for name, entry in SEMANTIC.items()}, "blink": "Blink"}
        labels[LOOK_AT] = "Look At"
        _sliders(layout, face, labels)
        _sliders(layout, face, dict(zip(EYELIDS, ("Lid Left", "Lid Right"), strict=True)))
        for name, label in (("neck", "Head"), ("jaw", "Jaw")):
            bone = rig.pose.bones[name]
            layout.prop(bone, rotation_path(bone), text=label)
        row = layout.row(align=True)
        row.operator("erlnet.reset_face", icon="LOOP_BACK")
        row.operator("erlnet.mirror_pose", icon="MOD_MIRROR")


def _sliders(layout: bpy.types.UILayout, face: bpy.types.PoseBone, labels: dict[str, str]) -> None:
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    for name, label in labels.items():
        if name in face:
            grid.prop(face, f'["{name}"]', text=label, slider=True)


CLASSES = (ERLNET_PT_adjust, ERLNET_PT_timing, ERLNET_PT_controls)
