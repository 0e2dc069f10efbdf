"""The manners of operators whose work the worker does: Blender stays usable, Esc cancels, one undo step at the end."""

from __future__ import annotations

import bpy

from ..errors import Cancelled, ErlnetError
from ..scene import jobs
from .explained import Explained

TICK_S = 0.1


class WaitsForWorker(Explained):
    """Mixed into an operator, before `bpy.types.Operator`; the operator defines `start` and `finish`."""

    _timer = None

    def start(self, context: bpy.types.Context) -> jobs.Job:
        """Begin the job.

        Raises:
            ErlnetError: something is missing; nothing was begun.
        """
        raise NotImplementedError

    def finish(self, job: jobs.Job) -> tuple[str, list[str]]:
        """Put the result of the job into the scene; returns a sentence about it, and what the worker remarked.

        Raises:
            ErlnetError: it does not fit any more. Nothing is changed.
        """
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the job and go on listening by timer; without a window, wait for it."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            self._job = self.start(context)
        except ErlnetError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        """Do it and wait, for scripts and the command line."""
        self._job = self.start(context)
        while not self._job.poll():
            self._job.client.wait(TICK_S)
        self._finish()

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """At each tick: progress; at the end: the result. Everything else is the user's."""
        if event.type == "ESC" and event.value == "PRESS":
            self._job.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        ended = self._job.poll()
        jobs.redraw(context)
        if not ended:
            progress = f"{self._job.fraction:.0%} {self._job.text}"
            context.workspace.status_text_set(f"{self._job.title}: {progress}   (Esc cancels)")
            return {"PASS_THROUGH"}
        self._stop_listening(context)
        try:
            self._finish()
        except Cancelled:
            self.report({"INFO"}, self._job.message)
            return {"CANCELLED"}
        except ErlnetError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, e.g. when another file is opened."""
        self._job.cancel()
        self._stop_listening(context)

    def _finish(self) -> None:
        """Take the result of a job that is done.

        Raises:
            ErlnetError: the job failed or was cancelled, or its result does not fit.
        """
        job = self._job
        if job.state == jobs.CANCELLED:
            raise Cancelled(job.message)
        if job.error is not None:
            raise job.error
        try:
            done, remarks = self.finish(job)
        except ErlnetError as error:
            job.fail(error)
            raise
        job.message = "; ".join([f"{done} in {job.seconds:.1f}\u00a0s", *remarks])
        self.report({"WARNING" if remarks else "INFO"}, job.message)

    def _stop_listening(self, context: bpy.types.Context) -> None:
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
