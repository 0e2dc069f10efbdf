"""What the panels have in common: a reason where there is nothing, the voice, the bake and its progress."""

from __future__ import annotations

from collections.abc import Callable

import blf
import bpy

from ..errors import ErlnetError
from ..operators.bake_speech import ERLNET_OT_bake_speech
from ..operators.explained import worker_reason
from ..properties import FROM_FILE, FROM_RIG, NO_STYLE, WHOLE_STRIP
from ..scene import jobs
from ..scene.delivery import is_keyed
from ..scene.follow import baked_voices, edits_left_behind, moves_of
from ..scene.keyframes import baked_range
from ..scene.layers import EDITS, GENERATED, base_strip, before_strip, is_muted
from ..scene.rig import find_rig
from ..scene.strips import AudioClip, clip_of
from ..scene.voices import voice_of
from ..style_presets import PARTS
from ..worker import protocol

ADDON = __package__.rpartition(".")[0]
# What surrounds a line in the sidebar: icon, margins, tabs; pixels at a scale of 1.
MARGIN_PIXELS = 82


def paragraph(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """A text in as many lines as the sidebar's width needs."""
    preferences = bpy.context.preferences
    scale = preferences.system.ui_scale
    room = bpy.context.region.width - MARGIN_PIXELS * scale
    blf.size(0, preferences.ui_styles[0].widget.points * scale)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in lines_of(text, lambda line: blf.dimensions(0, line)[0] <= room):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else icon


def lines_of(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Break a text at spaces, and a word that is longer than a line (a path) where the line ends."""
    lines = [""]
    for word in text.split(" "):
        if fits(f"{lines[-1]} {word}".strip()):
            lines[-1] = f"{lines[-1]} {word}".strip()
            continue
        lines.append("")
        for piece in (word,) if fits(word) else word:
            if lines[-1] and not fits(lines[-1] + piece):
                lines.append("")
            lines[-1] += piece
    return [line for line in lines if line] or [""]


def draw_voice(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Which strip the chosen head speaks, and what of which file it plays."""
    rig = find_rig(context)
    if rig is not None:
        layout.prop(rig.erlnet.speech, "strip", text="", icon="SOUND", placeholder="The active or only strip")
    layout.operator("erlnet.add_sound", icon="FILE_SOUND")
    try:
        strip, scene = voice_of(context)
        clip = clip_of(strip, scene)
    except ErlnetError as error:
        paragraph(layout, str(error), "INFO")
        return
    _draw_clip(layout, clip)
    if scene != context.scene:
        paragraph(layout, f"The voice is in the scene {scene.name}: this scene's movie has no sound", "ERROR")
    if rig is not None and baked_voices(rig):
        _draw_follow(layout, rig)


def _draw_follow(layout: bpy.types.UILayout, rig: bpy.types.Object) -> None:
    """Whether the keys go where the strip goes, and what has stayed behind."""
    layout.prop(rig.erlnet.speech, "follow")
    moves = moves_of(rig)
    if moves:
        for move in moves:
            paragraph(layout, f"{move.strip} has moved away from its keys by {move.frames:+g} frames", "INFO")
        layout.operator("erlnet.follow_voice", icon="UV_SYNC_SELECT")
    for move in edits_left_behind(rig):
        paragraph(layout, f"Your own keys are still where {move.strip} was", "INFO")
        layout.operator("erlnet.bring_edits", icon="KEY_HLT")
        break


def _draw_clip(layout: bpy.types.UILayout, clip: AudioClip) -> None:
    column = layout.column(align=True)
    column.label(text=clip.name, icon="MUTE_IPO_ON" if clip.is_muted else "SPEAKER")
    column.label(text=f"From frame {clip.start_frame:.0f}, {clip.frames / clip.scene_fps:.2f} s", icon="BLANK1")
    if clip.start_s > 0:
        column.label(text=f"Recording from {clip.start_s:.2f} s on", icon="BLANK1")
    if clip.speed != 1:
        column.label(text=f"At {clip.speed:.0%} speed", icon="BLANK1")
    if clip.is_muted:
        paragraph(column, "Muted: it can be baked, but will not be heard", "ERROR")


def draw_style(layout: bpy.types.UILayout, rig: bpy.types.Object) -> None:
    """How the rig speaks. What may be keyed has Blender's dot beside it."""
    speech = rig.erlnet.speech
    layout.use_property_split = True
    for name in ("style", "second_style"):
        column = layout.column()
        column.prop(speech, name)
        if getattr(speech, name) == FROM_FILE:
            column.prop(speech, f"{name}_file")
        elif getattr(speech, name) == FROM_RIG:
            column.prop(speech, f"{name}_rig")
    if speech.second_style != NO_STYLE:
        layout.prop(speech, "mix", slider=True)
    layout.prop(speech, "strength", slider=True)
    column = layout.column()
    column.prop(speech, "emotion")
    shows = speech.emotion != "neutral" or is_keyed(rig, "emotion")
    row = column.row()
    row.enabled = shows
    row.prop(speech, "intensity", slider=True)
    if not shows:
        paragraph(column, "No emotion is chosen or keyed", "INFO")
    column = layout.column()
    grid = column.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
    grid.use_property_split = grid.use_property_decorate = False
    for name, *_ in PARTS:
        grid.prop(speech, f"use_{name}", toggle=True)
    off = [label for name, label, _ in PARTS if name not in speech.parts]
    if off:
        paragraph(column, f"Off, and keeps its keys: {', '.join(off)}", "INFO")
    column = layout.column()
    row = column.row()
    row.enabled = speech.use_blinks
    row.prop(speech, "blinks")
    if not speech.use_blinks:
        paragraph(column, "Blinks are off", "INFO")
    layout.prop(speech, "seed")
    layout.prop(speech, "weights")


def draw_running(layout: bpy.types.UILayout) -> bool:
    """How far the running job is, and a way to stop it; False if there is none."""
    job = jobs.current()
    if job is not None:
        layout.progress(factor=job.fraction, text=f"{job.fraction:.0%}  {job.text}")
        layout.operator("erlnet.cancel_job", icon="X")
    return job is not None


def draw_outcome(layout: bpy.types.UILayout, kind: str) -> None:
    """What became of the last job, if it was of this kind."""
    job = jobs.ended(kind)
    if job is not None:
        paragraph(layout, job.message, {jobs.DONE: "CHECKMARK", jobs.FAILED: "ERROR"}.get(job.state, "CANCEL"))
        if job.state == jobs.FAILED:
            layout.operator("erlnet.copy_diagnostics", icon="COPYDOWN")


def draw_bake(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button, or how far the running job is; and what became of the last bake."""
    if draw_running(layout):
        return
    row = layout.row()
    row.scale_y = 1.5
    row.operator("erlnet.bake_speech", icon="RENDER_ANIMATION")
    reason = ERLNET_OT_bake_speech.disabled_reason(context)
    if reason:
        paragraph(layout, reason, "INFO")
    if worker_reason():
        # Blender's module for Python and scripts run without an entry in the preferences.
        if ADDON in context.preferences.addons:
            layout.operator("preferences.addon_show", text="Choose Worker Python", icon="PREFERENCES").module = ADDON
        layout.operator("erlnet.copy_diagnostics", icon="COPYDOWN")
    draw_outcome(layout, protocol.BAKE)
    rig = find_rig(context)
    if rig is not None:
        _draw_keys(layout, rig)
        _draw_layers(layout, rig)


def _draw_keys(layout: bpy.types.UILayout, rig: bpy.types.Object) -> None:
    """Which frames are keyed, with how many keys, and what becomes of the animator's poses."""
    settings = rig.erlnet.bake
    layout.use_property_split, layout.use_property_decorate = True, False
    column = layout.column()
    column.prop(settings, "frames")
    if settings.frames == "CUSTOM":
        column.prop(settings, "first_frame")
        column.prop(settings, "last_frame")
    if settings.frames != WHOLE_STRIP:
        column.prop(settings, "blend")
    column = layout.column()
    row = column.row()
    row.use_property_split = False
    row.prop(settings, "reduce")
    if settings.reduce:
        column.prop(settings, "max_mm")
        column.prop(settings, "max_degrees")
    row = layout.row()
    row.use_property_split = False
    row.prop(settings, "keep_poses")


def _draw_layers(layout: bpy.types.UILayout, rig: bpy.types.Object) -> None:
    """Both layers as in the NLA editor, the edits above what is generated."""
    frames = baked_range(rig)
    if frames is not None and base_strip(rig) is not None:
        box = layout.box().column(align=True)
        for layer, name, icon in (
            (EDITS, "Edits", "GREASEPENCIL"),
            (GENERATED, f"Generated, {frames[0]} to {frames[1]}", "NLA"),
        ):
            row, muted = box.row(align=True), is_muted(rig, layer)
            label = row.row()
            label.active = not muted
            label.label(text=name, icon=icon)
            alone = not muted and is_muted(rig, GENERATED if layer == EDITS else EDITS)
            row.operator("erlnet.solo_layer", text="", icon="SOLO_ON" if alone else "SOLO_OFF").layer = layer
            row.operator("erlnet.mute_layer", text="", icon="CHECKBOX_DEHLT" if muted else "CHECKBOX_HLT").layer = layer
    elif frames is not None:
        layout.label(text=f"Keys {frames[0]} to {frames[1]}")
    if frames is None and before_strip(rig) is None:
        return
    column = layout.column(align=True)
    column.operator("erlnet.revert_bake", icon="LOOP_BACK")
    row = column.row(align=True)
    row.operator("erlnet.flatten_layers", icon="TRIA_DOWN_BAR")
    row.operator("erlnet.clear_bake", text="Clear", icon="TRASH")
    if before_strip(rig) is None:
        paragraph(column, "Revert: there is no bake before the last one", "INFO")
