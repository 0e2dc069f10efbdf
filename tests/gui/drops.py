"""Sounds dropped onto the 3D view and onto the sequencer, as from a file manager."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bpy

from .window import Window


def main(window: Window, view_sound: str, strip_sound: str) -> Iterator[float]:
    """`view`, `sequencer`: what strips there are after each drop, and what of them the head speaks.

    `blind`: in which workspaces nobody sees them.
    """
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    with window.inside(window.area("VIEW_3D")):
        bpy.ops.erlnet.add_head()
    rig = bpy.context.object
    below = window.area("DOPESHEET_EDITOR")
    below.ui_type = "SEQUENCE_EDITOR"
    yield from window.drawn()
    for name, area, sound in (
        ("view", window.area("VIEW_3D"), view_sound),
        ("sequencer", below, strip_sound),
    ):
        before = len(_strips())
        yield from _drop(window, area, sound)
        yield from window.until(lambda count=before: len(_strips()) > count, f"the strip in the {name}", 120)
        yield from window.drawn()
        window.found[name] = [[strip.name, strip.show_waveform] for strip in _strips()], rig.erlnet.speech.strip
    spaces = bpy.data.workspaces
    window.found["blind"] = [item.name for item in spaces if not getattr(item, "sequencer_scene", True)]
    with window.inside(below):
        bpy.ops.sequencer.view_all()
    yield from window.picture("dropped", below)


def _strips() -> list:
    scene = getattr(bpy.context.workspace, "sequencer_scene", None) or bpy.context.scene
    editor = scene.sequence_editor
    return list(getattr(editor, "strips", None) or getattr(editor, "sequences", ())) if editor else []


def _drop(window: Window, area: bpy.types.Area, sound: str) -> Iterator[float]:
    region = window.region(area, "WINDOW")
    x, y = region.x + region.width // 2, window.window.height - region.y - region.height // 3
    drag = Path(__file__).with_name("drag.py")
    command = [os.environ["ERLNET_PYTHON"], str(drag), window.id, str(x), str(y), sound]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    yield from window.until(lambda: process.poll() is not None, "the drop", 120)
    if process.returncode:
        raise RuntimeError(process.stderr.read())
