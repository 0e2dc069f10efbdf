"""What the command line shows of long work, and what it hides of Blender's own chatter."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TextIO

LINE_INTERVAL_S = 5.0
BAR_WIDTH = 30


class Progress:
    """A bar on a terminal, a plain line now and then otherwise.

    Args:
        task: what is being done, e.g. ``"baking"``.
        stream: where to show it; None is stdout.
    """

    def __init__(self, task: str, stream: TextIO | None = None) -> None:
        self._task, self._stream = task, stream or sys.stdout
        self._is_terminal = self._stream.isatty()
        self._started_s = time.monotonic()
        self._shown_s, self._shown = -LINE_INTERVAL_S, -1.0

    def __call__(self, fraction: float, text: str = "") -> None:
        """Show how much is done, 0..1, and a word on it."""
        now_s = time.monotonic()
        fraction = min(max(fraction, 0.0), 1.0)
        interval_s = 0.05 if self._is_terminal else LINE_INTERVAL_S
        if now_s - self._shown_s < interval_s or fraction == self._shown:
            return
        self._shown_s, self._shown = now_s, fraction
        if self._is_terminal:
            filled = round(BAR_WIDTH * fraction)
            line = f"{self._task} [{'#' * filled}{' ' * (BAR_WIDTH - filled)}] {fraction:4.0%} {text}"
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + line[:width].ljust(width))
        else:
            self._write(f"{self._task}: {fraction:.0%} {text}".rstrip() + "\n")

    def close(self, outcome: str = "done") -> None:
        """The last line: how it ended and how long it took."""
        line = f"{self._task}: {outcome}, {time.monotonic() - self._started_s:.1f} s"
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r" + line[:width].ljust(width) + "\n")
        else:
            self._write(line + "\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


@contextlib.contextmanager
def progress(task: str) -> Iterator[Progress]:
    """A `Progress` that ends with the block; on a terminal a failed one leaves no half line."""
    shown = Progress(task)
    try:
        yield shown
    except BaseException:
        shown.close("stopped")
        raise
    shown.close()


@contextlib.contextmanager
def quiet_blender() -> Iterator[None]:
    """Keep what Blender writes to the terminal in a file; Python's stdout and stderr stay as they are.

    What was written is shown on stderr if the block ends with an error that is not the user's.
    """
    from .errors import ErlnetError

    with tempfile.TemporaryFile() as log:
        sys.stdout.flush()
        sys.stderr.flush()
        saved = os.dup(1), os.dup(2)
        old = sys.stdout, sys.stderr
        # A process under test may have replaced stdout by something that is no file.
        streams = [_writer_of(stream, number, fd) for stream, number, fd in zip(old, (1, 2), saved, strict=True)]
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout, sys.stderr = streams
        failed = False
        try:
            yield
        except (ErlnetError, KeyboardInterrupt):
            raise
        except BaseException:
            failed = True
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            _flush_c()
            sys.stdout, sys.stderr = old
            for fd, number in zip(saved, (1, 2), strict=True):
                os.dup2(fd, number)
                os.close(fd)
            if failed:
                log.seek(0)
                sys.stderr.write(log.read()[-20_000:].decode("utf-8", "replace"))


def _flush_c() -> None:
    """What C code has printed waits in a buffer of its own, and would appear after the log is gone."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


def _writer_of(stream: TextIO, number: int, fd: int) -> TextIO:
    try:
        is_the_file = stream.fileno() == number
    except (OSError, ValueError, AttributeError):
        is_the_file = False
    if not is_the_file:
        return stream
    return os.fdopen(fd, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)
