"""How long Blender's window is held up during a bake, and by whom.

A timer of 5 ms notes when it is called. Where it was called late, three clocks say why: how long our own Python ran
(operators, panels, handlers), how long the main thread computed at all, and how long it only waited for a processor.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .window import ADDON, Window

TICK_S, LATE_S = 0.005, 0.05


class Clock:
    """Who has the main thread.

    Args:
        spent_s: computing time of our own functions so far.
        worst: for each of them the longest call, computing and passing seconds.
    """

    def __init__(self) -> None:
        self.spent_s, self.worst = 0.0, {}
        self._inside = False
        self._schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def now(self) -> tuple[float, float, float, float]:
        """Seconds: passed, spent by us, computed by the main thread, waited for a processor (where Linux counts it)."""
        waited = int(self._schedule.read_text().split()[1]) / 1e9 if self._schedule.exists() else 0.0
        return time.perf_counter(), self.spent_s, time.thread_time(), waited

    def watched(self, inner: Callable, name: str) -> Callable:
        """The function, and what it takes is counted; one inside another counts once."""

        def measured(*arguments: object) -> object:
            if self._inside:
                return inner(*arguments)
            self._inside, begun, begun_s = True, time.thread_time(), time.perf_counter()
            try:
                return inner(*arguments)
            finally:
                self._inside = False
                took = time.thread_time() - begun, time.perf_counter() - begun_s
                self.spent_s += took[0]
                self.worst[name] = max(self.worst.get(name, took), took)

        return measured

    def watch(self, owner: type, name: str) -> None:
        """The same for a method that Blender calls; Blender looks at how many arguments it takes."""
        inner = getattr(owner, name)
        measured = self.watched(inner, f"{owner.__name__}.{name}")
        if inner.__code__.co_argcount == 3:
            setattr(owner, name, lambda self, context, event: measured(self, context, event))
        else:
            setattr(owner, name, lambda self, context: measured(self, context))


def main(window: Window, sound: str) -> Iterator[float]:
    """Bake twice: `bakes`, each with its `late` calls [phase, passed, ours, computed, waited], in milliseconds."""
    with window.inside(window.area("VIEW_3D")):
        bpy.ops.erlnet.start_here(filepath=sound)
    window.draw_little()
    yield from window.open_sidebar()
    yield from window.drawn()
    window.found["bakes"] = []
    with _watched() as clock:
        window.found["idle"] = yield from _listen(window, clock, _pause(3))
        for _ in range(2):
            clock.worst.clear()
            bake = yield from _listen(window, clock, _bake(window))
            window.found["bakes"].append(bake | {"worst": {name: _ms(took) for name, took in clock.worst.items()}})
    window.found["frames"] = bpy.context.scene.frame_end
    window.found["blender"] = _blenders_own()


@contextmanager
def _watched() -> Iterator[Clock]:
    """Everything of ours that Blender calls by itself: operators, panels, handlers, timers."""
    clock, kept = Clock(), []
    waiting = importlib.import_module(f"{ADDON}.operators.waiting").WaitsForWorker
    explained = importlib.import_module(f"{ADDON}.operators.explained").Explained
    for owner, name in ((waiting, "invoke"), (waiting, "modal"), (explained, "execute")):
        clock.watch(owner, name)
    for module in importlib.import_module(f"{ADDON}.addon").MODULES:
        for item in getattr(module, "CLASSES", ()):
            if issubclass(item, bpy.types.Panel):
                clock.watch(item, "draw")
    for module, name in (("follow", "_follow_when_idle"), ("seating", "seat_changed")):
        module = importlib.import_module(f"{ADDON}.scene.{module}")
        setattr(module, name, clock.watched(getattr(module, name), name))
    for handlers in (getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)):
        for index, handler in enumerate(handlers if isinstance(handlers, list) else ()):
            if handler.__module__.startswith(ADDON):
                kept.append((handlers, index, handler))
                handlers[index] = bpy.app.handlers.persistent(clock.watched(handler, handler.__name__))
    try:
        yield clock
    finally:
        for handlers, index, handler in kept:
            handlers[index] = handler


def _listen(window: Window, clock: Clock, steps: Iterator[float]) -> Iterator[float]:
    """Play steps while a timer ticks; returns how often it was called, and when late."""
    calls = []

    def tick() -> float:
        calls.append((window.phase, *clock.now()))
        return TICK_S

    bpy.app.timers.register(tick, persistent=True)
    try:
        yield from steps
    finally:
        bpy.app.timers.unregister(tick)
    late = []
    for before, after in zip(calls, calls[1:], strict=False):
        passed, *others = (end - start for start, end in zip(before[1:], after[1:], strict=True))
        if passed > LATE_S:
            late.append([before[0], *_ms((passed, *others))])
    return {"calls": len(calls), "late": late}


def _pause(seconds: float) -> Iterator[float]:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        yield 0.1


def _bake(window: Window) -> Iterator[float]:
    window.phase = "start"
    with window.inside(window.area("VIEW_3D")):
        bpy.ops.erlnet.bake_speech("INVOKE_DEFAULT")
    while (job := window.job()) is not None:
        window.phase = job.state
        yield 0.02
    window.phase = "landed"
    yield from _pause(3)
    window.phase = "idle"


def _blenders_own() -> dict[str, float]:
    """What Blender itself takes for the same scene, milliseconds: an undo step, and the next frame."""
    scene, took = bpy.context.scene, {}
    for name, do in (
        ("undo_push", lambda: bpy.ops.ed.undo_push(message="nothing")),
        ("frame_set", lambda: scene.frame_set(scene.frame_current + 1)),
    ):
        begun = time.thread_time()
        do()
        took[name] = round(1e3 * (time.thread_time() - begun), 1)
    return took


def _ms(seconds: tuple[float, ...]) -> list[float]:
    return [round(1e3 * value, 1) for value in seconds]
