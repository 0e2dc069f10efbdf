"""The pictures of the manual: every panel in every state, the style library, both layers, visemes as markers."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from .window import ADDON, Window

STYLES = {"Calm": "neutral", "Cheerful": "happy", "Weary": "sad", "Furious": "angry", "Astonished": "surprised"}
TABS = {"head", "voice", "style", "bake", "edit", "avatar", "export"}
OPENED = {"style_library", "adjust", "timing", "controls", "poses", "export"}


def main(window: Window, *parts: str) -> Iterator[float]:
    """Go through an animator's session and take pictures of it; of these parts only (`PARTS`), or of all."""
    bpy.context.preferences.system.use_region_overlap = False
    for part in parts or PARTS:
        yield from PARTS[part](window)
    _arrange(TABS)


class Slow:
    """A job's client that hands on one piece of news at a time, and the rest only when the bake has been photographed.

    Args:
        enough: how far the job may be until then (0..1); beyond 1 nothing is held back.
    """

    def __init__(self, job: Any) -> None:
        self.job, self.client, self.news, self.enough = job, job.client, [], 0.02

    @property
    def waits(self) -> bool:
        """Whether there is news that is held back."""
        return bool(self.news) and self.enough <= 1 and (self.job.fraction >= self.enough or self.news[0].is_last)

    def poll(self, request_id: int) -> list:
        self.news += self.client.poll(request_id)
        return [] if self.waits or not self.news else [self.news.pop(0)]

    def cancel(self, request_id: int) -> None:
        self.client.cancel(request_id)


def _view(window: Window) -> bpy.types.Area:
    return window.area("VIEW_3D")


def _sidebar(window: Window, name: str) -> Iterator[float]:
    yield from window.picture(name, window.region(_view(window), "UI"))


def _arrange(shown: set[str]) -> None:
    """Only these panels of the tab, and their sub-panels open where they are drawn for the first time.

    Blender has no word for opening a panel, but asks its class how it wants to begin.
    """
    for name in ("sidebar", "style_library", "edits", "head_sliders", "poses", "export"):
        for panel in importlib.import_module(f"{ADDON}.panels.{name}").CLASSES:
            if not issubclass(panel, bpy.types.Panel):
                continue
            if panel.is_registered:
                bpy.utils.unregister_class(panel)
            own = panel.__name__.removeprefix("ERLNET_PT_")
            if own in OPENED:
                panel.bl_options = set()
            if (getattr(panel, "bl_parent_id", "").removeprefix("ERLNET_PT_") or own) in shown:
                bpy.utils.register_class(panel)


def _bake(window: Window) -> Iterator[float]:
    with window.inside(_view(window)):
        bpy.ops.erlnet.bake_speech("INVOKE_DEFAULT")
    yield from window.until(lambda: window.job() is None, "the end of the bake")


def _stage(window: Window) -> None:
    """A head, unless there is one."""
    if "Head" not in bpy.context.scene.objects:
        with window.inside(_view(window)):
            bpy.ops.erlnet.start_here()
        window.draw_little()


def _baked(window: Window) -> Iterator[float]:
    """A head that has been baked, unless there is one."""
    _stage(window)
    animation = bpy.context.scene.objects["Head"].animation_data
    if animation is None or not animation.nla_tracks:
        yield from _bake(window)


def _states(window: Window) -> Iterator[float]:
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    window.draw_little()
    yield from window.open_sidebar()
    yield from _sidebar(window, "no_head")
    with window.inside(_view(window)):
        bpy.ops.erlnet.add_head()
    yield from _sidebar(window, "no_strip")
    bpy.ops.wm.read_homefile(app_template="")
    yield 0
    with window.inside(_view(window)):
        bpy.ops.erlnet.start_here()
    window.draw_little()
    yield from window.open_sidebar()
    yield from _sidebar(window, "ready")
    python = os.environ.pop("ERLNET_PYTHON")
    yield from _sidebar(window, "worker_missing")
    os.environ["ERLNET_PYTHON"] = python
    speech = bpy.context.scene.objects["Head"].erlnet.speech
    model = Path(tempfile.gettempdir()) / "my_model.safetensors"
    model.write_text("no weights")
    speech.weights = str(model)
    yield from _bake(window)
    yield from _sidebar(window, "error")
    model.unlink()
    speech.weights = ""
    with window.inside(_view(window)):
        bpy.ops.erlnet.bake_speech("INVOKE_DEFAULT")
    job = window.job()
    job.client = slow = Slow(job)
    yield from window.until(lambda: slow.waits, "a bake")
    yield from _sidebar(window, "baking")
    slow.enough = 2.0
    yield from window.until(lambda: window.job() is None, "the end of the bake")
    yield from _sidebar(window, "baked")


def _animation(window: Window) -> Iterator[float]:
    """The workspace for it, where no panel was drawn yet."""
    if window.window.screen.name != "Animation":
        _arrange(TABS)
        window.window.workspace = bpy.data.workspaces["Animation"]
        yield from window.until(lambda: window.window.screen.name == "Animation", "the workspace")
        window.draw_little()


def _layers(window: Window) -> Iterator[float]:
    """An animator's keys between two bakes, in the NLA editor; visemes in the timeline; the voice in the sequencer."""
    yield from _baked(window)
    rig = bpy.context.scene.objects["Head"]
    face = rig.pose.bones["face"]
    for frame, smile, brows in ((20, 0, 0), (32, 0.6, 0.4), (55, 0.4, 0.2), (70, 0, 0)):
        face["smile"], face["brow_up"] = smile, brows
        for name in ("smile", "brow_up"):
            rig.keyframe_insert(f'pose.bones["face"]["{name}"]', frame=frame)
    rig.erlnet.speech.style = "happy"
    yield from _bake(window)
    yield from _animation(window)
    below = window.area("DOPESHEET_EDITOR")
    for name, kind, view_all in (("sequencer", "SEQUENCE_EDITOR", "sequencer"), ("layers", "NLA_EDITOR", "nla")):
        below.ui_type = kind
        below.spaces.active.show_region_ui = False
        if kind == "SEQUENCE_EDITOR":
            below.spaces.active.timeline_overlay.show_strip_source = False
        yield from window.drawn()
        with window.inside(below):
            getattr(bpy.ops, view_all).view_all()
        yield from window.picture(name, below)
    below.ui_type, scene = "TIMELINE", bpy.context.scene
    with window.inside(_view(window)):
        bpy.ops.erlnet.edit_show_visemes()
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 1, 40
    yield from window.drawn()
    with window.inside(below):
        bpy.ops.anim.scene_range_frame()
    scene.use_preview_range = False
    yield from window.picture("visemes", below)


def _sections(window: Window) -> Iterator[float]:
    """Edit, Avatar and Export with all that they hold."""
    yield from _baked(window)
    yield from _animation(window)
    yield from window.open_sidebar()
    for name, shown in (("edit", {"edit"}), ("avatar", {"avatar", "export"})):
        _arrange(shown)
        yield from _sidebar(window, name)


def _library(window: Window) -> Iterator[float]:
    """Faces in the style library, and the menu in which they are chosen."""
    _stage(window)
    speech = bpy.context.scene.objects["Head"].erlnet.speech
    with window.inside(_view(window)):
        for name, speech.style in STYLES.items():
            bpy.ops.erlnet.save_style(name=name, source="SETTINGS")
    yield from _animation(window)
    _arrange({"style"})
    yield from window.open_sidebar()
    yield from _sidebar(window, "style")
    # Blender does not say that the picture is a button, so it is looked for above the next one.
    x, y = yield from window.button(_view(window), "UI", "erlnet.use_style")
    yield from window.point(x, round(y + 90 * bpy.context.preferences.system.ui_scale))
    yield from window.click()
    yield from window.picture("style_menu", _view(window), keep_pointer=True)


PARTS = {"states": _states, "layers": _layers, "sections": _sections, "library": _library}
