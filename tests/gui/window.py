"""Runs inside Blender's window: plays a script step by step, so that Blender draws and hears events in between.

A script is a module of this folder with a generator `main(window, *arguments)`. It yields whenever Blender should go
on; what it waits for it asks for again and again (`yield from window.until(...)`), never by the clock.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import bpy

STEP_S, PATIENCE_S = 0.05, 600.0
ADDON = "bl_ext.user_default.erlnet_blender"


class Window:
    """Blender's window as an animator has it: pictures of it, a pointer, and patience.

    Args:
        out: a folder for the pictures.
        found: what the script finds out.
        phase: what it is at, for its own use.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.found, self.phase = out, {"pictures": {}}, ""

    @property
    def window(self) -> bpy.types.Window:
        """The first one, also after another file was loaded."""
        return bpy.context.window_manager.windows[0]

    def area(self, kind: str) -> bpy.types.Area:
        """The largest area of an editor."""
        areas = [area for area in self.window.screen.areas if area.type == kind]
        return max(areas, key=lambda area: area.width * area.height)

    def region(self, area: bpy.types.Area, kind: str) -> bpy.types.Region:
        """A region of an area: WINDOW, UI (the sidebar), HEADER …"""
        return next(region for region in area.regions if region.type == kind)

    def inside(self, area: bpy.types.Area, kind: str = "WINDOW"):
        """The context as in that region."""
        return bpy.context.temp_override(
            window=self.window, screen=self.window.screen, area=area, region=self.region(area, kind)
        )

    def until(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> Iterator[float]:
        """Let Blender go on until the condition is true.

        Raises:
            TimeoutError: it never is.
        """
        end_s = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > end_s:
                raise TimeoutError(f"waited for {what}")
            yield STEP_S

    def drawn(self, times: int = 2) -> Iterator[float]:
        """Let everything be drawn, twice: panels that have just changed find their place in the second go."""
        for _ in range(times):
            for area in self.window.screen.areas:
                area.tag_redraw()
            yield STEP_S
            with bpy.context.temp_override(window=self.window):
                bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
            yield STEP_S

    def draw_little(self) -> None:
        """Leave the objects out of the 3D views: without a graphics card each picture of a head takes seconds."""
        for area in self.window.screen.areas:
            if area.type == "VIEW_3D":
                space = area.spaces.active
                space.shading.type, space.overlay.show_overlays = "SOLID", False
                for name in dir(space):
                    if name.startswith("show_object_viewport_"):
                        setattr(space, name, False)

    def open_sidebar(self) -> Iterator[float]:
        """In the 3D view, on our tab."""

        def chosen() -> bool:
            view = self.area("VIEW_3D")
            view.spaces.active.show_region_ui = True
            view.tag_redraw()
            sidebar = self.region(view, "UI")
            with contextlib.suppress(AttributeError, TypeError):  # no tabs before it is drawn
                sidebar.active_panel_category = "ERLNet"
            return sidebar.active_panel_category == "ERLNet"

        yield from self.until(chosen, "the sidebar")

    def picture(self, name: str, part: bpy.types.Area, keep_pointer: bool = False) -> Iterator[float]:
        """Keep what the window shows of an area or a region, once it is drawn; the pointer waits in a corner."""
        if not keep_pointer:
            yield from self.point(4, 4)
        yield from self.drawn()
        (self.out / f"{name}.wanted").touch()
        yield from self.until((self.out / f"{name}.png").is_file, f"the picture {name}")
        top = self.window.height - part.y - part.height
        self.found["pictures"][name] = [part.x, top, part.x + part.width, top + part.height]

    def job(self) -> object | None:
        """What the worker does now."""
        return importlib.import_module(f"{ADDON}.scene.jobs").current()

    def point(self, x: int, y: int) -> Iterator[float]:
        """Move the pointer to a place in the window, counted like Blender from the lower left, until Blender knows."""
        with self.inside(self.area("VIEW_3D")):
            if not any(running.bl_idname == "ERLNET_OT_hear_pointer" for running in self.window.modal_operators):
                bpy.ops.erlnet.hear_pointer("INVOKE_DEFAULT")
        _xdotool("mousemove", "--window", self.id, str(x), str(self.window.height - y))
        heard = ERLNET_OT_hear_pointer
        yield from self.until(lambda: abs(heard.x - x) + abs(heard.y - y) < 4, "the pointer", 120)
        yield STEP_S

    def click(self) -> Iterator[float]:
        """Press and let go of the left mouse button where the pointer is, until Blender knows."""
        before = ERLNET_OT_hear_pointer.presses
        _xdotool("mousedown", "1")
        self.found["clicks"] = self.found.get("clicks", 0) + 1
        yield from self.until(lambda: ERLNET_OT_hear_pointer.presses > before, "the click", 120)
        # What Blender begins at the press, such as opening a sidebar, must be there to hear the release.
        yield from self._loops(5)
        _xdotool("mouseup", "1")
        yield from self._loops(5)

    def _loops(self, count: int) -> Iterator[float]:
        """Let Blender hear events so often."""
        for _ in range(count):
            yield STEP_S

    @cached_property
    def id(self) -> str:
        """The window, in the words of the screen's server; it is given the focus, without which it hears no pointer."""
        found = _xdotool("search", "--onlyvisible", "--class", "Blender").split()[-1]
        _xdotool("windowfocus", "--sync", found)
        return found

    def button(self, area: bpy.types.Area, kind: str, wanted: str) -> Iterator[float]:
        """Move the pointer down a region (along a header), as a reader would, until the wanted button is under it.

        Args:
            wanted: what the button calls (`erlnet.start_here`) or the property that it shows (`saved_style`).

        Returns:
            The place.

        Raises:
            LookupError: no such button is in sight.
        """
        region = self.region(area, kind)
        across = range(region.x + 10, region.x + region.width, 12)
        down = range(region.y + region.height - 12, region.y, -10)
        columns = [region.x + region.width * share // 4 for share in (2, 1, 3)]
        is_bar = region.width > 10 * region.height
        places = [(x, down[0]) for x in across] if is_bar else [(x, y) for x in columns for y in down]
        for place in places:
            yield from self.point(*place)
            for _ in range(2):
                yield STEP_S
                with self.inside(area, kind):
                    if wanted in _under_pointer():
                        return place
        raise LookupError(f"no button {wanted} in {area.type}")


def _under_pointer() -> str:
    """What the button under the pointer does, as Blender puts it onto the clipboard for those who write scripts."""
    for copy in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
        if copy.poll():
            copy()
            return bpy.context.window_manager.clipboard
    return ""


class ERLNET_OT_hear_pointer(bpy.types.Operator):
    """Note where the pointer is and how often its button was pressed, and pass everything on"""

    bl_idname = "erlnet.hear_pointer"
    bl_label = "Hear Pointer"

    x = y = presses = 0

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        heard = ERLNET_OT_hear_pointer
        heard.x, heard.y = event.mouse_x, event.mouse_y
        heard.presses += event.type == "LEFTMOUSE" and event.value in ("PRESS", "DOUBLE_CLICK")
        return {"PASS_THROUGH"}


def _xdotool(*arguments: str) -> str:
    return subprocess.run(["xdotool", *arguments], check=True, text=True, capture_output=True).stdout


def play() -> None:
    """Play the script that the command line names, and write down what it found."""
    out, script, *arguments = sys.argv[sys.argv.index("--") + 1 :]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    bpy.context.preferences.view.show_splash = False
    here = importlib.import_module("tests.gui.window")
    bpy.utils.register_class(here.ERLNET_OT_hear_pointer)
    window = here.Window(Path(out))
    steps = None

    def step() -> float | None:
        nonlocal steps
        try:
            if steps is None:
                steps = importlib.import_module(f"tests.gui.{script}").main(window, *arguments)
            with bpy.context.temp_override(window=window.window, screen=window.window.screen):
                return float(next(steps))
        except StopIteration:
            (window.out / "report.json").write_text(json.dumps(window.found))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(step, first_interval=0.5, persistent=True)


if __name__ == "__main__":
    play()
