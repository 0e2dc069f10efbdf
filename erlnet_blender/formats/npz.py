"""Reading ``.npz`` files from anywhere: no pickles, declared sizes checked before they are believed."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import numpy as np

from ..errors import ErlnetError

MAX_BYTES = 2 << 30


def read_npz(path: str | os.PathLike, what: str, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file.

    Args:
        what: what the file should be, for the message, e.g. ``"head model"``.
        max_bytes: the most that the arrays may take in memory.

    Raises:
        ErlnetError: missing, not an npz, too large, or holding Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise ErlnetError(f"No such {what}", path, "check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > max_bytes:
                raise ErlnetError(f"The {what} is larger than {max_bytes >> 20} MB", path, "use a smaller file")
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}
    except ErlnetError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ErlnetError(
            f"Not a readable {what} ({error})", path, "choose a .npz file that this add-on wrote"
        ) from error


def members(path: str | os.PathLike) -> set[str]:
    """The names of the arrays in an ``.npz`` file, none of which is read; empty if it is no such file."""
    path = Path(path)
    if not path.is_file():  # a pipe would wait for a writer
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    except (OSError, ValueError, EOFError, NotImplementedError, struct.error, zipfile.BadZipFile):
        return set()
