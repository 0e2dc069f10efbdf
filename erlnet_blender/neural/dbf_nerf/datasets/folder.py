"""A foreign folder, read as data: names that stay inside it, JSON, numbers and tables that are checked before use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import ErlnetError

MAX_JSON_BYTES = 1 << 29
MAX_TEXT_BYTES = 64 << 20
MAX_FRAMES = 200_000
MAX_SIDE = 16_384
_ORTHOGONAL = 1e-2


class Folder:
    """A dataset's folder.

    Args:
        path: where its index is; root: the folder that the user chose, `path` if left out. What the dataset names is
            only ever opened inside it.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = Path(path)
        self._root = (root or self.path).resolve()

    def refuse(self, what: str, where: object = "", remedy: str = "make the dataset again") -> ErlnetError:
        """The error to raise: what is wrong, with a file of this folder or with the folder."""
        return ErlnetError(what, where or self.path, remedy)

    def file(self, name: object, where: object = "") -> Path:
        """The file that a dataset calls `name`; `where` is what calls it so.

        Raises:
            ErlnetError: no name, or one that leads out of the folder.
        """
        try:
            if not isinstance(name, str) or not name:
                raise ValueError
            path = (self.path / name.replace("\\", "/")).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise self.refuse(f"{str(name)[:60]!r} is not the name of a file", where) from error
        if not path.is_relative_to(self._root):
            remedy = "use data that lies inside it (of sequences that GaussianAvatars joined, choose the folder above)"
            raise self.refuse(f"The name {name[:60]!r} leaves the folder", where, remedy)
        return path

    def existing(self, name: str, where: object = "", what: str = "file") -> Path:
        """`file` that must be there."""
        path = self.file(name, where)
        if not path.is_file():
            raise self.refuse(f"No such {what}", path, "copy the dataset again, with all its folders")
        return path

    def has(self, *names: str) -> bool:
        """Whether all of these are here."""
        return all((self.path / name).exists() for name in names)

    def json(self, name: str) -> dict[str, Any]:
        """A JSON object whose "frames" are a list of objects.

        Raises:
            ErlnetError: missing, too large, truncated or of another kind.
        """
        path = self.existing(name)
        try:
            if path.stat().st_size > MAX_JSON_BYTES:
                raise self.refuse(f"The index is larger than {MAX_JSON_BYTES >> 20} MB", path)
            data = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self.refuse(f"Not a readable index ({_short(error)})", path, "copy the dataset again") from error
        frames = data.get("frames") if isinstance(data, dict) else None
        if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
            raise self.refuse('Not the index of a dataset (no list of "frames")', path)
        if len(frames) > MAX_FRAMES:
            raise self.refuse(f"The index has {len(frames)} frames, more than {MAX_FRAMES}", path)
        return data

    def lines(self, path: Path, what: str) -> Iterator[str]:
        """The lines of a small text file."""
        try:
            if path.stat().st_size > MAX_TEXT_BYTES:
                raise self.refuse(f"The {what} is larger than {MAX_TEXT_BYTES >> 20} MB", path)
            with path.open(encoding="ascii", errors="replace") as file:
                yield from file
        except OSError as error:
            raise self.refuse(f"Cannot read the {what} ({error.strerror})", path, "copy the dataset again") from error

    def vertices(self, path: Path) -> np.ndarray:
        """(V, 3) places of the vertices of an .obj, in its order."""
        try:
            rows = [line.split()[1:4] for line in self.lines(path, "mesh") if line.startswith("v ")]
            return self._finite(np.array(rows, np.float64).reshape(-1, 3), "mesh", path)
        except ValueError as error:
            raise self.refuse("Not a readable .obj", path) from error

    def column(self, path: Path, what: str) -> np.ndarray:
        """(N,) all numbers of a text file."""
        try:
            values = np.array([float(word) for line in self.lines(path, what) for word in line.split()], np.float64)
        except ValueError as error:
            raise self.refuse(f"The {what} are not numbers", path) from error
        return self._finite(values, what, path)

    def _finite(self, values: np.ndarray, what: str, path: Path) -> np.ndarray:
        if not len(values) or not np.isfinite(values).all():
            raise self.refuse(f"The {what} is empty or holds NaN or infinity", path)
        return values


def numbers(folder: Folder, value: object, shape: tuple[int, ...], what: str, where: object) -> np.ndarray:
    """A finite array of a shape out of JSON; -1 in the shape is any length."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise folder.refuse(f"{what} is not an array of numbers", where) from error
    fits = array.ndim == len(shape) and all(want in (-1, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        raise folder.refuse(f"{what} has shape {array.shape}, expected {shape}", where)
    if not np.isfinite(array).all():
        raise folder.refuse(f"{what} holds NaN or infinity", where)
    return array


def number(folder: Folder, value: object, what: str, where: object, least: float, most: float) -> float:
    """A number within limits out of JSON."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    if not good:
        raise folder.refuse(f"{what} is {str(value)[:40]}, not a number from {least:g} to {most:g}", where)
    assert isinstance(value, (int, float))
    return float(value)


def rigid(folder: Folder, value: object, where: object) -> np.ndarray:
    """(4, 4) a rotation and a translation, from a 4 x 4 or 3 x 4 matrix."""
    matrix = np.eye(4)
    rows = 3 if isinstance(value, list) and len(value) == 3 else 4
    matrix[:rows] = numbers(folder, value, (rows, 4), "A camera's matrix", where)
    rotation = matrix[:3, :3]
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if off > _ORTHOGONAL or np.linalg.det(rotation) < 0 or np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise folder.refuse("A camera's matrix is not a rotation with a translation", where)
    u, _, vt = np.linalg.svd(rotation)
    matrix[:3, :3] = u @ vt
    return matrix


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:80] or type(error).__name__
