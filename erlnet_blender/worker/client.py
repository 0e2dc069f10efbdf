"""Blender's side of the worker: start it, ask, listen without ever blocking, restart it, stop it.

`WorkerClient.submit` and `poll` never wait; `call` waits, for scripts and the command line. Any thread
may use a client (Blender renders in threads of its own); each request has its own mailbox, so that
the bake job, the viewport and a final render do not take each other's events.
"""

from __future__ import annotations

import atexit
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import Cancelled, ErlnetError, WorkerError
from . import protocol
from .environment import worker_command, worker_environment, worker_python
from .pipes import PipedProcess
from .protocol import Message, MessageReader, ProtocolError

LOG_LINES = 200
TIMEOUT_S = 3600.0
SILENCE_S = 30.0
GRACE_S = 5.0
ATTEMPTS = 2

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Event:
    """What happened to a request.

    Args:
        id: the request.
        kind: ``progress`` (header: fraction 0..1, text), ``result``, ``error`` or ``cancelled``; the last three
            are the last event of a request.
        error: for ``error``: what to tell the user.
    """

    id: int
    kind: str
    header: dict = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    error: ErlnetError | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more will be heard of the request."""
        return self.kind != protocol.PROGRESS


@dataclass
class _Request:
    message: bytes
    deadline_s: float
    attempts: int = 0
    events: deque[Event] = field(default_factory=deque)


class WorkerClient:
    """One worker process, started when first needed.

    Args:
        python_executable: the Python that runs the worker.
        command: instead of the add-on's worker, for tests.
        silence_s: a worker that is not heard for so long is taken for hung.
        grace_s: how long a worker may take to answer a cancel, and then a terminate.
    """

    def __init__(
        self,
        python_executable: str | Path = sys.executable,
        command: Sequence[str] | None = None,
        silence_s: float = SILENCE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._python = Path(python_executable)
        self._command = list(command) if command else worker_command(python_executable)
        self._silence_s, self._grace_s = silence_s, grace_s
        self._lock = threading.RLock()
        self._process: PipedProcess | None = None
        self._reader = MessageReader()
        self._requests: dict[int, _Request] = {}
        self._stopping: dict[int, float] = {}  # cancelled requests: when patience with the worker ends
        self._log: deque[str] = deque([""], maxlen=LOG_LINES)
        self._next_id = 1
        self._heard_s = self._looked_s = 0.0
        self._terminated_s: float | None = None

    @property
    def log(self) -> list[str]:
        """The last lines of the worker's stderr."""
        return [line for line in self._log if line.strip()]

    @property
    def is_running(self) -> bool:
        """Whether there is a worker process now."""
        return self._process is not None and self._process.returncode is None

    def submit(self, kind: str, header: dict, arrays: Arrays | None = None, timeout_s: float = TIMEOUT_S) -> int:
        """Send a request; returns its id at once.

        Args:
            timeout_s: an answer that takes longer is given up as an error, and the worker is restarted.

        Raises:
            WorkerError: the worker cannot be started.
        """
        with self._lock:
            request_id, self._next_id = self._next_id, self._next_id + 1
            message = protocol.encode(Message(request_id, kind, header, arrays or {}))
            request = _Request(message, time.monotonic() + timeout_s)
            self._pump()
            self._ensure_started()
            self._requests[request_id] = request
            self._send(request)
            return request_id

    def poll(self, request_id: int) -> list[Event]:
        """The new events of a request, oldest first; never waits. Unknown ids have none."""
        with self._lock:
            self._pump()
            request = self._requests.get(request_id)
            if request is None:
                return []
            events = list(request.events)
            request.events.clear()
            if events and events[-1].is_last:
                del self._requests[request_id]
            return events

    def cancel(self, request_id: int) -> None:
        """Give a request up: its next event is ``cancelled``; a worker that does not stop is stopped."""
        with self._lock:
            request = self._requests.get(request_id)
            if request is None or (request.events and request.events[-1].is_last):
                return
            self._finish(request_id, Event(request_id, protocol.CANCELLED))
            self._tell_to_stop(request_id)

    def wait(self, timeout_s: float) -> None:
        """Sleep until the worker says something, at most `timeout_s`."""
        process = self._process
        if process is None:
            time.sleep(timeout_s)
            return
        try:
            process.wait_for_output(timeout_s)
        except (OSError, ValueError):  # closed meanwhile by another thread
            time.sleep(min(timeout_s, 0.01))

    def call(
        self,
        kind: str,
        header: dict,
        arrays: Arrays | None = None,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> tuple[dict, Arrays]:
        """Send a request and wait for its result.

        Args:
            progress: called with the fraction done (0..1) and a word on what is being done.
            cancelled: asked 20 times a second whether to give up.

        Returns:
            The header and the arrays of the result.

        Raises:
            ErlnetError: the input is at fault. Cancelled: `cancelled` said so. WorkerError: the worker failed.
        """
        request_id = self.submit(kind, header, arrays, timeout_s)
        try:
            while True:
                for event in self.poll(request_id):
                    if event.kind == protocol.RESULT:
                        return event.header, event.arrays
                    if event.kind == protocol.CANCELLED:
                        raise Cancelled
                    if event.error is not None:
                        raise event.error
                    if progress is not None:
                        progress(event.header.get("fraction", 0.0), event.header.get("text", ""))
                if cancelled is not None and cancelled():
                    raise Cancelled
                self.wait(0.05)
        finally:
            self.cancel(request_id)
            self.poll(request_id)

    def close(self) -> None:
        """Stop the worker; open requests end as cancelled. The client may be used again."""
        with self._lock:
            for request_id in list(self._requests):
                self._finish(request_id, Event(request_id, protocol.CANCELLED))
            if self._process is not None:
                self._process.close_stdin()
                if not self._process.wait(0.5):
                    self._process.terminate()
                    self._process.wait(0.5)
                self._release()

    # The rest runs with the lock held.

    def _ensure_started(self) -> None:
        if self._process is not None:
            return
        try:
            self._process = PipedProcess(self._command, worker_environment(self._python))
        except OSError as error:
            what, remedy = f"The worker cannot start ({error.strerror or error})", "choose another Python"
            raise WorkerError(what, self._command[0], remedy) from error
        self._reader = MessageReader()
        self._heard_s = self._looked_s = time.monotonic()

    def _send(self, request: _Request) -> None:
        assert self._process is not None
        request.attempts += 1
        self._process.write(request.message)

    def _finish(self, request_id: int, event: Event) -> None:
        request = self._requests[request_id]
        if not (request.events and request.events[-1].is_last):
            request.events.append(event)

    def _pump(self) -> None:
        if self._process is None:
            return
        returncode = self._process.returncode  # asked before reading, so that last words are not lost
        self._process.flush()
        self._take_log(self._process.read_stderr())
        try:
            data = self._process.read_stdout(everything=returncode is not None)
            for message in self._reader.feed(data):
                self._take(message)
        except ProtocolError as error:
            self._worker_lost(f"The worker sent garbage ({error})")
            return
        if returncode is not None:
            self._worker_lost(f"The worker died ({_exit_reason(returncode)})")
            return
        self._watch(bool(data))

    def _watch(self, heard: bool) -> None:
        now_s = time.monotonic()
        # A caller that did not look for a while (a sleeping laptop, a dialog) proves nothing about the worker.
        if heard or now_s - self._looked_s > self._silence_s / 2:
            self._heard_s = now_s
        self._looked_s = now_s
        open_requests = {key: value for key, value in self._requests.items() if not _is_finished(value)}
        if (open_requests or self._stopping) and now_s - self._heard_s > self._silence_s:
            self._worker_lost(f"The worker was silent for {self._silence_s:g} s")
            return
        for request_id, request in open_requests.items():
            if now_s > request.deadline_s:
                error = WorkerError("The worker took too long", "", "try again with less to do")
                self._finish(request_id, Event(request_id, protocol.ERROR, error=error))
                self._tell_to_stop(request_id)
        if self._stopping and now_s > min(self._stopping.values()):
            self._stop_ladder(now_s)

    def _tell_to_stop(self, request_id: int) -> None:
        if self._process is not None:
            self._process.write(protocol.encode(Message(request_id, protocol.CANCEL)))
            self._stopping[request_id] = time.monotonic() + self._grace_s

    def _stop_ladder(self, now_s: float) -> None:
        assert self._process is not None
        if self._terminated_s is None:
            self._terminated_s = now_s
            self._process.terminate()
        elif now_s - self._terminated_s > self._grace_s:
            self._worker_lost("The worker did not stop")

    def _take(self, message: Message) -> None:
        if message.kind in (protocol.RESULT, protocol.ERROR, protocol.CANCELLED):
            self._stopping.pop(message.id, None)
        request = self._requests.get(message.id)
        if request is None or _is_finished(request):
            return  # a heartbeat, or a late answer to a cancelled request
        if message.kind == protocol.PROGRESS:
            request.events.append(Event(message.id, protocol.PROGRESS, message.header))
        elif message.kind == protocol.RESULT:
            request.events.append(Event(message.id, protocol.RESULT, message.header, message.arrays))
        elif message.kind == protocol.ERROR:
            request.events.append(Event(message.id, protocol.ERROR, message.header, error=_error_of(message.header)))
        elif message.kind == protocol.CANCELLED:
            request.events.append(Event(message.id, protocol.CANCELLED))

    def _take_log(self, data: bytes) -> None:
        if not data:
            return
        # Of a flood only the end is kept, and only so much of one line.
        first, *rest = data[-(1 << 16) :].decode("utf-8", "replace").split("\n")
        self._log[-1] = (self._log[-1] + first)[-2000:]
        self._log.extend(line[-2000:] for line in rest)

    def _worker_lost(self, reason: str) -> None:
        """Restart the worker for the requests that were not yet tried twice; the others end with `reason`."""
        blamed = not self._stopping  # a worker that we stopped ourselves costs the others no attempt
        self._release()
        waiting = []
        for request_id, request in self._requests.items():
            if _is_finished(request):
                continue
            if blamed and request.attempts >= ATTEMPTS:
                last_words = f": {self.log[-1].strip()}" if self.log else ""
                error = WorkerError(f"{reason}{last_words}", "", "try again, and see the log if it happens twice")
                self._finish(request_id, Event(request_id, protocol.ERROR, error=error))
            else:
                waiting.append(request_id)
        if not waiting:
            return
        try:
            self._ensure_started()
        except WorkerError as error:
            for request_id in waiting:
                self._finish(request_id, Event(request_id, protocol.ERROR, error=error))
            return
        for request_id in waiting:
            self._send(self._requests[request_id])

    def _release(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._take_log(self._process.read_stderr())
            self._process.release()
        self._process, self._terminated_s = None, None
        self._stopping.clear()


def _is_finished(request: _Request) -> bool:
    return bool(request.events) and request.events[-1].is_last


def _error_of(header: dict) -> ErlnetError:
    kind = ErlnetError if header.get("user_fault") else WorkerError
    return kind(str(header.get("what", "The worker failed")), header.get("where", ""), str(header.get("remedy", "")))


def _exit_reason(returncode: int) -> str:
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"{name}, out of memory?" if name == "SIGKILL" else name


_shared: WorkerClient | None = None
_shared_python: Path | None = None
_shared_lock = threading.Lock()


def shared_client(preferred_python: str = "") -> WorkerClient:
    """The one worker of this Blender; a changed choice of Python replaces it.

    Args:
        preferred_python: the path in the add-on's preferences; empty to search (see `environment`).

    Raises:
        ErlnetError: there is no Python for the worker.
    """
    global _shared, _shared_python
    python = worker_python(preferred_python)
    with _shared_lock:
        if _shared is None or python != _shared_python:
            if _shared is not None:
                _shared.close()
            _shared, _shared_python = WorkerClient(python), python
        return _shared


def close_shared_client() -> None:
    """Stop the worker of this Blender, if there is one."""
    global _shared
    with _shared_lock:
        if _shared is not None:
            _shared.close()
            _shared = None


atexit.register(close_shared_client)
