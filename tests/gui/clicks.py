"""From an empty scene to a head that talks, by mouse alone: how many clicks it takes.

Blender tells which button is under the pointer, but not where its own small handles are. So the script first feels for
the arrow that opens the sidebar and for our tab, then starts Blender's file anew, and goes the way that a user goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bpy
import numpy as np

from .window import Window

Place = tuple[int, int]


def main(window: Window) -> Iterator[float]:
    """Learn, then count: `clicks`, and `movement`, how far the lips move while it plays, in metres."""
    yield from _empty(window)
    arrow = yield from _feel(window, _edge(window), lambda: _view(window).spaces.active.show_region_ui)
    yield from window.drawn(1)
    tab = yield from _feel(window, _tabs(window), lambda: _sidebar(window).active_panel_category == "ERLNet")
    yield from _empty(window)
    window.found["clicks"] = 0
    yield from window.point(*arrow)
    yield from window.click()
    yield from window.until(lambda: _view(window).spaces.active.show_region_ui, "the sidebar")
    yield from window.point(*tab)
    yield from window.drawn(1)
    yield from window.click()
    yield from window.until(lambda: _sidebar(window).active_panel_category == "ERLNet", "our tab")
    yield from window.drawn(1)
    yield from window.button(_view(window), "UI", "erlnet.start_here")
    yield from window.click()
    yield from window.until(lambda: "Head" in bpy.context.scene.objects, "the head")
    window.draw_little()
    yield from window.drawn(1)
    yield from window.button(_view(window), "UI", "erlnet.bake_speech")
    yield from window.click()
    yield from window.until(lambda: window.job() is not None, "the bake")
    yield from window.until(lambda: window.job() is None, "the end of the bake")
    yield from window.drawn(1)
    timeline = window.area("DOPESHEET_EDITOR")
    yield from window.button(timeline, "HEADER", "screen.animation_play()")
    yield from window.click()
    yield from window.until(lambda: window.window.screen.is_animation_playing, "the playback")
    lips, frame = [], bpy.context.scene.frame_current
    while len(lips) < 8:
        yield from window.until(lambda now=frame: bpy.context.scene.frame_current != now, "the next frame")
        frame = bpy.context.scene.frame_current
        lips.append(_mouth(window))
    with window.inside(timeline):
        bpy.ops.screen.animation_cancel()
    window.found["movement"] = float(np.ptp(np.stack(lips), axis=0).max())


def _empty(window: Window) -> Iterator[float]:
    bpy.ops.wm.read_homefile(app_template="")
    yield 0
    window.draw_little()
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    yield from window.point(4, 4)
    yield from window.drawn(1)


def _view(window: Window) -> bpy.types.Area:
    return window.area("VIEW_3D")


def _sidebar(window: Window) -> bpy.types.Region:
    return window.region(_view(window), "UI")


def _edge(window: Window) -> list[Place]:
    """Where the arrow of a closed sidebar may be: at the right edge, below the headers."""
    view = _view(window)
    headers = [region for region in view.regions if region.type in ("HEADER", "TOOL_HEADER")]
    top = min(region.y for region in headers if region.height > 1)
    return [(view.x + view.width - 6, top - down) for down in (32, 27, 37, 22, 42)]


def _tabs(window: Window) -> list[Place]:
    """Where our tab may be: down the right edge of the sidebar, first where it stands without other add-ons."""
    sidebar, scale = _sidebar(window), bpy.context.preferences.system.ui_scale
    downs = [200, *range(20, 600, 20)]
    return [(sidebar.x + sidebar.width - 13, round(sidebar.y + sidebar.height - down * scale)) for down in downs]


def _feel(window: Window, places: list[Place], worked: Callable[[], bool]) -> Iterator[float]:
    """Click at one place after another until it does something; returns that place."""
    for place in places:
        yield from window.point(*place)
        yield from window.click()
        for _ in range(30):
            yield 0.1
            if worked():
                return place
    raise LookupError("nothing there can be clicked")


def _mouth(window: Window) -> np.ndarray:
    """(V, 3) the head's vertices as they are drawn at this frame, metres."""
    graph = bpy.context.evaluated_depsgraph_get()
    head = next(item for item in bpy.context.scene.objects["Head"].children if item.type == "MESH")
    mesh = head.evaluated_get(graph).data
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)
