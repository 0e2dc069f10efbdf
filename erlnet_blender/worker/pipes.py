"""A child process whose pipes never block the caller (standard library only).

On POSIX the pipes are non-blocking and no thread is needed. Windows has no such pipes, so there a
thread for each output passes on what it reads, and writing relies on the child's reader thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

POSIX = os.name == "posix"
CHUNK = 1 << 20
MAX_PER_READ = 16 << 20


class PipedProcess:
    """A running child: `write` queues bytes, `read_stdout` and `read_stderr` return what is there.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            # A session of its own, so that Ctrl-C in a terminal reaches the caller alone, who then cancels.
            start_new_session=POSIX,
            creationflags=0 if POSIX else 0x08000000,  # CREATE_NO_WINDOW
        )
        self._stdin: IO[bytes] = self._process.stdin  # type: ignore[assignment]
        self._out: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        self._err: IO[bytes] = self._process.stderr  # type: ignore[assignment]
        self._unsent = bytearray()
        reader = _NonBlockingReader if POSIX else _ThreadReader
        self._stdout, self._stderr = reader(self._out), reader(self._err)
        if POSIX:
            os.set_blocking(self._stdin.fileno(), False)

    @property
    def returncode(self) -> int | None:
        """None while it runs; the exit status, or minus the signal, afterwards."""
        return self._process.poll()

    def write(self, data: bytes) -> None:
        """Send `data`, now or with the next calls of `flush`."""
        self._unsent += data
        self.flush()

    def flush(self) -> None:
        """Send what the pipe takes without blocking; a dead child is noticed by `returncode`, not here."""
        try:
            while self._unsent:
                sent = self._stdin.write(bytes(self._unsent[:CHUNK]))
                if not sent:
                    return
                del self._unsent[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()

    def read_stdout(self, everything: bool = False) -> bytes:
        """What the child has written since the last call; a bounded part of it unless `everything`."""
        pieces = [self._stdout.read()]
        while everything and pieces[-1]:
            pieces.append(self._stdout.read())
        return b"".join(pieces)

    def read_stderr(self) -> bytes:
        """What the child has written to stderr since the last call."""
        return self._stderr.read()

    def wait_for_output(self, timeout_s: float) -> None:
        """Sleep until there is something to read, at most `timeout_s`."""
        if POSIX and not self._unsent:
            select.select([self._out], [], [], timeout_s)
        else:
            time.sleep(min(timeout_s, 0.02))

    def close_stdin(self) -> None:
        """Tell the child that there is nothing more to do."""
        with contextlib.suppress(OSError):
            self._stdin.close()

    def terminate(self) -> None:
        """Ask the child to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the child now."""
        if self._process.poll() is None:
            self._process.kill()

    def wait(self, timeout_s: float) -> bool:
        """Whether the child ends within `timeout_s`."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def release(self) -> None:
        """Kill the child if it runs, reap it and close the pipes."""
        self.kill()
        self.wait(5)
        for stream in (self._stdin, self._out, self._err):
            with contextlib.suppress(OSError, ValueError):
                stream.close()


class _NonBlockingReader:
    def __init__(self, stream) -> None:
        self._fd = stream.fileno()
        os.set_blocking(self._fd, False)

    def read(self) -> bytes:
        pieces, size = [], 0
        while size < MAX_PER_READ:
            try:
                data = os.read(self._fd, CHUNK)
            except (BlockingIOError, OSError):
                break
            if not data:
                break
            pieces.append(data)
            size += len(data)
        return b"".join(pieces)


class _ThreadReader:
    def __init__(self, stream) -> None:
        self._fd = stream.fileno()
        self._pieces: queue.Queue[bytes] = queue.Queue(maxsize=256)
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _pass_on(self) -> None:
        try:
            while data := os.read(self._fd, CHUNK):
                self._pieces.put(data)
        except OSError:
            return

    def read(self) -> bytes:
        pieces, size = [], 0
        while size < MAX_PER_READ:
            try:
                pieces.append(self._pieces.get_nowait())
            except queue.Empty:
                break
            size += len(pieces[-1])
        return b"".join(pieces)
