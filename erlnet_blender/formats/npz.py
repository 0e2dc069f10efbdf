"""``.npz`` files: read from anywhere without pickles, sizes checked before they are believed; written row by row."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from ..errors import ErlnetError

MAX_BYTES = 2 << 30


def read_npz(
    path: str | os.PathLike, what: str, max_bytes: int = MAX_BYTES, only: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file.

    Args:
        what: what the file should be, for the message, e.g. ``"head model"``.
        max_bytes: the most that the arrays may take in memory.
        only: the names of those that are wanted, and no others are read.

    Raises:
        ErlnetError: missing, not an npz, too large, or holding Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise ErlnetError(f"No such {what}", path, "check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = None if only is None else {f"{name}.npy" for name in only}
            sizes = [info.file_size for info in archive.infolist() if wanted is None or info.filename in wanted]
            if sum(sizes) > max_bytes:
                raise ErlnetError(f"The {what} is larger than {max_bytes >> 20} MB", path, "use a smaller file")
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files if only is None or key in only}
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


def write_npz_rows(
    path: str | os.PathLike, pieces: Iterable[Mapping[str, np.ndarray]], rest: Callable[[], Mapping[str, np.ndarray]]
) -> None:
    """Write an ``.npz`` whose arrays come in pieces, of which only one is in memory at a time.

    Args:
        pieces: one at least, each with the same names; rows (n, ...) that follow those of the piece before.
        rest: asked after the last piece for the arrays that come whole.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        heads: dict[str, np.ndarray] = {}
        count = 0
        for piece in pieces:
            count += len(next(iter(piece.values())))
            for name, rows in piece.items():
                heads.setdefault(name, rows[:0].copy())
                with (Path(folder) / name).open("ab") as file:
                    file.write(np.ascontiguousarray(rows).tobytes())
        for name, head in heads.items():
            described = {"descr": head.dtype.str, "fortran_order": False, "shape": (count, *head.shape[1:])}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member, (Path(folder) / name).open("rb") as file:
                np.lib.format.write_array_header_1_0(member, described)  # type: ignore[arg-type]
                shutil.copyfileobj(file, member, 1 << 20)
        for name, array in rest().items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
