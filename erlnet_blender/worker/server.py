"""The worker's side of the pipes: one request at a time, heartbeats, cancel while computing.

The main thread computes; a reader thread takes requests, so that a cancel is heard during the work
and the end of stdin (Blender is gone) ends the process at once; a third thread beats each second.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping

import numpy as np

from ..errors import Cancelled, ErlnetError, WorkerError
from . import protocol
from .protocol import Message, MessageReader, ProtocolError

HEARTBEAT_S = 1.0
PROGRESS_INTERVAL_S = 0.05

Arrays = dict[str, np.ndarray]
# (header, arrays, progress(fraction, text), cancelled() -> bool) -> (header, arrays)
Handler = Callable[[dict, Arrays, Callable[..., None], Callable[[], bool]], tuple[dict, Arrays]]


class Server:
    """Serves requests from one file descriptor and answers on another, until its input ends.

    Args:
        handlers: kind of request to the function that answers it.
    """

    def __init__(self, handlers: Mapping[str, Handler], in_fd: int, out_fd: int) -> None:
        self._handlers, self._in_fd, self._out_fd = handlers, in_fd, out_fd
        self._requests: queue.Queue[Message] = queue.Queue()
        self._cancelled: set[int] = set()
        self._write_lock = threading.Lock()

    def serve(self) -> None:
        """Answer requests until a shutdown; the process ends when the input does."""
        for target in (self._read, self._beat):
            threading.Thread(target=target, name=f"erlnet-{target.__name__.strip('_')}", daemon=True).start()
        while (request := self._requests.get()).kind != protocol.SHUTDOWN:
            self._answer(request)
            self._cancelled.discard(request.id)

    def _read(self) -> None:
        reader = MessageReader()
        try:
            while data := os.read(self._in_fd, 1 << 20):
                for message in reader.feed(data):
                    if message.kind == protocol.CANCEL:
                        self._cancelled.add(message.id)
                    else:
                        self._requests.put(message)
        except (OSError, ProtocolError) as error:
            print(f"worker: {error}", file=sys.stderr, flush=True)
        # Nobody is left to answer. Exit handlers of the libraries could block, so leave without them.
        os._exit(0)

    def _beat(self) -> None:
        parent = os.getppid()
        while True:
            time.sleep(HEARTBEAT_S)
            # Also ends if Blender was killed while another process holds the pipe open. PR_SET_PDEATHSIG would
            # not do: it fires when the *thread* that started the worker ends, and Blender renders in such threads.
            if os.name == "posix" and os.getppid() != parent:
                os._exit(0)
            self._send(Message(0, protocol.HEARTBEAT))

    def _answer(self, request: Message) -> None:
        def cancelled() -> bool:
            return request.id in self._cancelled

        last_sent_s = 0.0

        def progress(fraction: float, text: str = "") -> None:
            nonlocal last_sent_s
            if cancelled():
                raise Cancelled
            now_s = time.monotonic()
            if now_s - last_sent_s >= PROGRESS_INTERVAL_S or fraction >= 1:
                last_sent_s = now_s
                self._send(Message(request.id, protocol.PROGRESS, {"fraction": float(fraction), "text": str(text)}))

        try:
            if cancelled():
                raise Cancelled
            handler = self._handlers.get(request.kind)
            if handler is None:
                raise WorkerError(f"The worker does not know the request {request.kind}", "", "update the add-on")
            header, arrays = handler(request.header, request.arrays, progress, cancelled)
            self._send(Message(request.id, protocol.RESULT, header, arrays))
        except Cancelled:
            self._send(Message(request.id, protocol.CANCELLED))
        except Exception as error:
            self._send(Message(request.id, protocol.ERROR, describe(error)))

    def _send(self, message: Message) -> None:
        data = memoryview(protocol.encode(message))
        with self._write_lock:
            try:
                while data:
                    data = data[os.write(self._out_fd, data) :]
            except OSError:
                os._exit(0)


def describe(error: Exception) -> dict:
    """An error as a header: what happened, where, what to do next, and whether the user can do it."""
    if isinstance(error, ErlnetError):
        user_fault = not isinstance(error, WorkerError)
        return {"what": error.what, "where": error.where, "remedy": error.remedy, "user_fault": user_fault}
    traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        remedy = "lower the resolution or the samples"
        return {"what": "Out of memory", "where": "", "remedy": remedy, "user_fault": True}
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] != __name__.split(".")[0]:
        remedy = "install it there, or choose another Python in the preferences (see `erlnet doctor`)"
        what = f"The worker's Python has no module {error.name}"
        return {"what": what, "where": sys.executable, "remedy": remedy, "user_fault": True}
    what = f"The worker failed ({type(error).__name__}: {error})"
    return {"what": what, "where": "", "remedy": "see the log, please report it", "user_fault": False}


def claim_pipes() -> tuple[int, int]:
    """Take stdin and stdout for messages; whatever a library prints goes to stderr from now on."""
    in_fd, out_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    if os.name == "nt":
        import msvcrt

        for fd in (in_fd, out_fd):
            msvcrt.setmode(fd, os.O_BINARY)  # type: ignore[attr-defined]
    return in_fd, out_fd


def main(handlers: Mapping[str, Handler] | None = None) -> None:
    """Serve Blender over stdin and stdout."""
    faulthandler.enable()  # a crash in a library leaves its place in the log
    in_fd, out_fd = claim_pipes()
    if handlers is None:
        from .handlers import HANDLERS as handlers  # noqa: N811 - a constant by the name of the parameter
    Server(handlers, in_fd, out_fd).serve()
