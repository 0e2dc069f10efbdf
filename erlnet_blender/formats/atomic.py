"""Writing a file so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ErlnetError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; move it there when the block ends without an error.

    The temporary file keeps the suffix of `path`, since many writers choose the format by it.

    Raises:
        ErlnetError: the folder cannot be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise ErlnetError("Cannot write, a folder has this name", path, "choose another output name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise ErlnetError(
            f"Cannot write ({error.strerror or error})", path, "choose a folder that you may write to"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write `data` to `path` at once (see `atomic_path`)."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
