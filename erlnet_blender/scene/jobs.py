"""The one long job that Blender waits for without freezing: a request to the worker and how far it is.

An operator's timer calls `Job.poll`; panels read `current` and `last`. Jobs hold no pointers into
Blender's data, so undo and file loading cannot break them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..errors import ErlnetError
from ..worker import protocol
from ..worker.client import WorkerClient

RUNNING, WRITING, DONE, FAILED, CANCELLED = "running", "writing", "done", "failed", "cancelled"

_current: Job | None = None
_last: Job | None = None


@dataclass
class Job:
    """A request to the worker.

    Args:
        title: what is being done, for panels, e.g. ``"Baking voice"``.
        kind: of the request, as in `worker.protocol`.
        state: running, writing (the worker is done, its result goes into the scene), done, failed or cancelled.
        fraction, text: how far it is (0..1), and at what.
        message: after the end, what became of it.
        error: why it failed.
        header, arrays: the result.
    """

    title: str
    kind: str
    client: WorkerClient
    request_id: int
    state: str = RUNNING
    fraction: float = 0.0
    text: str = ""
    message: str = ""
    error: ErlnetError | None = None
    header: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    started_s: float = field(default_factory=time.monotonic)

    def poll(self) -> bool:
        """Take the worker's news; True when the worker has ended. Never waits."""
        if self.state != RUNNING:
            return True
        for event in self.client.poll(self.request_id):
            if event.kind == protocol.PROGRESS:
                self.fraction = float(event.header.get("fraction", self.fraction))
                self.text = str(event.header.get("text", ""))
            elif event.kind == protocol.RESULT:
                self.header, self.arrays = event.header, event.arrays
                self.state = WRITING
            elif event.error is not None:
                self.error = event.error
                self._end(FAILED, str(event.error))
            else:
                self._end(CANCELLED, "Cancelled, nothing was changed")
        return self.state != RUNNING

    def cancel(self) -> None:
        """Give the job up; the scene stays as it is."""
        if self.state == RUNNING:
            self.client.cancel(self.request_id)
            self.client.poll(self.request_id)
        if self.state in (RUNNING, WRITING):
            self._end(CANCELLED, "Cancelled, nothing was changed")

    def wrote(self, fraction: float) -> None:
        """So much of the result (0..1) is in the scene."""
        self.fraction, self.text = fraction, "writing keys"

    def succeed(self, message: str) -> None:
        """The result is in the scene."""
        self._end(DONE, message)

    def fail(self, error: ErlnetError) -> None:
        """Say that what came back could not be used."""
        self.error = error
        self._end(FAILED, str(error))

    @property
    def seconds(self) -> float:
        """Since the job began."""
        return time.monotonic() - self.started_s

    def _end(self, state: str, message: str) -> None:
        global _current, _last
        self.state, self.message = state, message
        _last = self
        if _current is self:
            _current = None


def start(client: WorkerClient, title: str, kind: str, header: dict, arrays: dict | None = None) -> Job:
    """Send a request and make it the current job.

    Raises:
        ErlnetError: another job is running, or the worker cannot be started.
    """
    global _current
    if _current is not None:
        raise ErlnetError(f"{_current.title} is still running", "", "wait for it or cancel it")
    _current = Job(title, kind, client, client.submit(kind, header, arrays))
    return _current


def current() -> Job | None:
    """The job that runs now."""
    return _current


def last() -> Job | None:
    """The job that ended last."""
    return _last


def ended(kind: str) -> Job | None:
    """The job that ended last, if it was of this kind and has something to say."""
    return _last if _last is not None and _last.kind == kind and _last.message else None


def redraw(context: bpy.types.Context) -> None:
    """Let every panel show the job's progress; the picture beside it is not drawn anew."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "SEQUENCE_EDITOR"):
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


@bpy.app.handlers.persistent
def _forget(*_: object) -> None:
    """Another file is opened: its user did not ask for this job."""
    global _last
    if _current is not None:
        _current.cancel()
    _last = None


def register() -> None:
    """Watch for another file."""
    bpy.app.handlers.load_pre.append(_forget)


def unregister() -> None:
    """Cancel what runs."""
    bpy.app.handlers.load_pre.remove(_forget)
    _forget()
