"""A user's own styles: one ``.npz`` file each, with a name, a picture, settings, and perhaps a motion to speak like.

A file with a motion is also a face track, so that it can be chosen wherever a track can. Names are data: the file is
called after its first name, but never found by it, and it keeps its own when the style is renamed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ErlnetError
from .atomic import atomic_path
from .npz import members, read_npz
from .user_folders import data_folder

NAME, SETTINGS, PICTURE = "style_name", "style_settings", "style_picture"
LONGEST_NAME, PICTURE_SIZE = 60, 96
# Of a file's name, picture and settings.
MOST_BYTES = 1 << 20
_DELETE = "delete it in the Style Library and save it again"


@dataclass(frozen=True)
class SavedStyle:
    """A style in the library.

    Args:
        settings: property to value, numbers and words; empty for a motion alone.
        picture: (96, 96, 4) uint8 sRGB and alpha, the top row first.
        has_motion: whether the file is a face track as well.
        fault: why the file cannot be used, one sentence; empty if it can.
    """

    name: str
    path: Path
    settings: dict[str, float | str] = field(default_factory=dict)
    picture: np.ndarray = field(default_factory=lambda: np.zeros((PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8))
    has_motion: bool = False
    fault: str = ""


def library_folder() -> Path:
    """Where this user's styles lie; the folder need not exist."""
    return data_folder() / "styles"


def clean_name(text: str) -> str:
    """A name as it is kept: no control characters, single spaces, at most 60 characters.

    Raises:
        ErlnetError: nothing is left of it.
    """
    printable = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    name = " ".join(printable.split())[:LONGEST_NAME].strip()
    if not name:
        raise ErlnetError("A style needs a name", "", "type one")
    return name


def save_style(
    name: str,
    settings: Mapping[str, float | str],
    picture: np.ndarray,
    motion: Mapping[str, np.ndarray] | None = None,
    folder: Path | None = None,
) -> SavedStyle:
    """Put a style into the library; one of the same name is replaced, and keeps its file.

    Args:
        motion: the arrays of a `FaceTrack`.

    Raises:
        ErlnetError: no name, nothing to save, or the folder cannot be written to.
    """
    name, folder = clean_name(name), folder or library_folder()
    if not settings and motion is None:
        raise ErlnetError("There is nothing to save in the style", name)
    path = next((style.path for style in list_styles(folder) if style.name == name), None)
    path = path or _free_path(folder, name)
    _write(path, {**(motion or {}), NAME: name, SETTINGS: json.dumps(dict(settings)), PICTURE: picture})
    return load_style(path)


def _free_path(folder: Path, name: str) -> Path:
    """A file that no style has; one of this first name may have been renamed."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32] or "style"
    for count in itertools.count():
        salt = hashlib.sha256(f"{name}{count or ''}".encode()).hexdigest()[:8]
        path = folder / f"{plain}-{salt}.npz"
        if not path.exists():
            return path
    raise AssertionError("an endless count has ended")


def _write(path: Path, arrays: Mapping[str, object]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **{key: np.asarray(value) for key, value in arrays.items()})


def load_style(path: Path) -> SavedStyle:
    """What a file of the library says of itself; its motion is not read.

    Raises:
        ErlnetError: it is missing, damaged, or no style.
    """
    stored = read_npz(path, "style", MOST_BYTES, only=(NAME, SETTINGS, PICTURE))
    if not {NAME, SETTINGS, PICTURE} <= set(stored):
        raise ErlnetError("Not a style of the library", path, _DELETE)
    picture, name = stored[PICTURE], clean_name(str(stored[NAME]))
    if picture.shape != (PICTURE_SIZE, PICTURE_SIZE, 4) or picture.dtype != np.uint8:
        raise ErlnetError("The style's picture is damaged", path, _DELETE)
    try:
        settings = json.loads(str(stored[SETTINGS]))
    except ValueError as error:
        raise ErlnetError(f"The style's settings are damaged ({error})", path, _DELETE) from error
    if not isinstance(settings, dict) or not all(isinstance(value, (int, float, str)) for value in settings.values()):
        raise ErlnetError("The style's settings are damaged", path, _DELETE)
    has_motion = {"expr", "fps", "head_id"} <= members(path)
    if not has_motion and not settings:
        raise ErlnetError("The style has neither settings nor a motion", path, _DELETE)
    return SavedStyle(name, path, settings, picture, has_motion)


def list_styles(folder: Path | None = None) -> list[SavedStyle]:
    """Every style, by name; a file that is none stands under its file's name, with the fault."""
    styles = []
    folder = folder or library_folder()
    for path in folder.glob("*.npz") if folder.is_dir() else ():
        if path.name.startswith("."):  # being written
            continue
        try:
            styles.append(load_style(path))
        except ErlnetError as error:
            styles.append(SavedStyle(path.stem, path, fault=str(error)))
    return sorted(styles, key=lambda style: (style.name.casefold(), style.path.name))


def rename_style(path: Path, name: str) -> SavedStyle:
    """Give a style another name; its file keeps its own, so that scenes that speak like it still find it.

    Raises:
        ErlnetError: no name, a name that another style has, or a damaged file.
    """
    name = clean_name(name)
    load_style(path)
    if any(style.name == name and style.path != path for style in list_styles(path.parent)):
        raise ErlnetError("There is a style of this name", name, "choose another name")
    _write(path, {**read_npz(path, "style"), NAME: name})
    return load_style(path)


def delete_style(path: Path) -> None:
    """Remove a style, damaged or not.

    Raises:
        ErlnetError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ErlnetError(f"Cannot delete the style ({error.strerror or error})", path, "check its folder") from error
