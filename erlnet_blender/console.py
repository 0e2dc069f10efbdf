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

from .errors import ErlnetError

LINE_INTERVAL_S = 5.0
BAR_WIDTH = 30


class Progress:
    """A bar on a terminal, a plain line now and then otherwise.

    Args:
        task: what is being done, e.g. ``"baking"``.
    """

    # Where progress is shown; None is stdout.
    stream: TextIO | None = None

    def __init__(self, task: str) -> None:
        self._task, self._stream = task, self.stream or sys.stdout
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
    """Keep what Blender prints, from C and from Python, in a file; `Progress` still shows.

    What was printed is shown on stderr if the block ends with an error that is not the user's.
    """
    with tempfile.TemporaryFile() as log, _own_stdout() as terminal:
        saved = os.dup(1), os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        # Blender writes its reports to Python's stdout.
        printed = os.fdopen(os.dup(log.fileno()), "w", encoding="utf-8", errors="replace", buffering=1)
        old = sys.stdout, sys.stderr, Progress.stream
        sys.stdout, sys.stderr, Progress.stream = printed, printed, terminal
        failed = False
        try:
            yield
        except Exception as error:
            failed = not isinstance(error, ErlnetError)
            raise
        finally:
            sys.stdout, sys.stderr, Progress.stream = old
            printed.close()
            _flush_c()
            for fd, number in zip(saved, (1, 2), strict=True):
                os.dup2(fd, number)
                os.close(fd)
            if failed:
                log.seek(0)
                sys.stderr.write(log.read()[-20_000:].decode("utf-8", "replace"))


@contextlib.contextmanager
def _own_stdout() -> Iterator[TextIO]:
    """Today's stdout, wherever file descriptor 1 will point later."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        is_a_file = sys.stdout.fileno() == 1
    except (OSError, ValueError, AttributeError):  # replaced by something in memory, as tests do
        is_a_file = False
    if not is_a_file:
        yield sys.stdout
        return
    with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1) as stream:
        yield stream


def _flush_c() -> None:
    """What C code has printed waits in a buffer of its own, and would appear after the log is gone."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
