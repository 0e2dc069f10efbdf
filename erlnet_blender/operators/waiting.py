"""The manners of operators whose work the worker does: Blender stays usable, Esc cancels, one undo step at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import bpy

from ..errors import Cancelled, ErlnetError
from ..scene import jobs
from ..scene.diagnostics import note_fault
from .explained import Explained

TICK_S = 0.1
# While the result is put into the scene: how often, and how long at a time, so that the window stays smooth.
WRITE_TICK_S, WRITE_S = 0.02, 0.015


class WaitsForWorker(Explained):
    """Mixed into an operator, before `bpy.types.Operator`; the operator defines `start` and `finish`."""

    _timer = None
    _steps: Iterator[float] | None = None

    def start(self, context: bpy.types.Context) -> jobs.Job:
        """Begin the job.

        Raises:
            ErlnetError: something is missing; nothing was begun.
        """
        raise NotImplementedError

    def finish(self, job: jobs.Job) -> Iterator[float]:
        """Put the result of the job into the scene; a generator that yields now and then how much of it is (0..1).

        Returns:
            A sentence about it, and what the worker remarked.

        Raises:
            ErlnetError: it does not fit any more. Nothing is changed, as when it is closed before its end.
        """
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the job and go on listening by timer; without a window, wait for it."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            self._job = self.start(context)
        except ErlnetError as error:
            note_fault(self.bl_label, str(error))
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._listen(context, TICK_S)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Do it and wait, for scripts and the command line."""
        self._job = self.start(context)
        while not self._job.poll():
            self._job.client.wait(TICK_S)
        self._begin_finish()
        while not self._go_on(math.inf):
            pass

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """At each tick: progress; at the end: the result, a piece at a tick. Everything else is the user's."""
        if event.type == "ESC" and event.value == "PRESS":
            self._job.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            ended = self._tick(context)
        except Cancelled:
            self.report({"INFO"}, self._job.message)
            ended = {"CANCELLED"}
        except ErlnetError as error:
            note_fault(self.bl_label, str(error))
            self.report({"ERROR"}, str(error))
            ended = {"CANCELLED"}
        if ended:
            self._stop_listening(context)
            return ended
        progress = f"{self._job.fraction:.0%} {self._job.text}"
        context.workspace.status_text_set(f"{self._job.title}: {progress}   (Esc cancels)")
        jobs.redraw(context)
        return {"PASS_THROUGH"}

    def _tick(self, context: bpy.types.Context) -> set[str]:
        """What the operator ends with; empty if it goes on."""
        if self._steps is None:
            if self._job.poll():
                self._begin_finish()
                self._listen(context, WRITE_TICK_S)
            return set()
        return {"FINISHED"} if self._go_on(time.perf_counter() + WRITE_S) else set()

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, e.g. when another file is opened."""
        self._job.cancel()
        self._stop_listening(context)

    def _begin_finish(self) -> None:
        """Look at what became of the job.

        Raises:
            ErlnetError: it failed or was cancelled.
        """
        job = self._job
        if job.state == jobs.CANCELLED:
            raise Cancelled(job.message)
        if job.error is not None:
            raise job.error
        self._steps = self.finish(job)

    def _go_on(self, until_s: float) -> bool:
        """Put more of the result into the scene until that time; True when all of it is.

        Raises:
            ErlnetError: the job was cancelled, or its result does not fit.
        """
        job = self._job
        try:
            while job.state == jobs.WRITING:
                job.wrote(next(self._steps))
                if time.perf_counter() >= until_s:
                    return False
        except StopIteration as end:
            done, remarks = end.value
            job.succeed("; ".join([f"{done} in {job.seconds:.1f}\u00a0s", *remarks]))
            self.report({"WARNING" if remarks else "INFO"}, job.message)
            return True
        except BaseException as error:
            job.fail(error if isinstance(error, ErlnetError) else ErlnetError(f"{type(error).__name__}: {error}"))
            raise
        self._steps.close()
        raise Cancelled(job.message)

    def _listen(self, context: bpy.types.Context, tick_s: float) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
        self._timer = context.window_manager.event_timer_add(tick_s, window=context.window)

    def _stop_listening(self, context: bpy.types.Context) -> None:
        if self._steps is not None:
            self._steps.close()
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        jobs.redraw(context)


def busy_reason() -> str:
    """Why no job can be started now; empty if one can."""
    running = jobs.current()
    return f"{running.title} is still running" if running is not None else ""
