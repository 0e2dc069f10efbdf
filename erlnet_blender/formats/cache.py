"""Results that take seconds and depend on files alone, kept for this user; a cache that cannot be used is no error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from ..errors import ErlnetError
from .atomic import atomic_path
from .npz import read_npz

MAX_BYTES = 64 << 20
FOLDER_VARIABLE = "ERLNET_CACHE"


def cache_folder() -> Path:
    """Where this user's cache lies; it need not exist, and may be deleted at any time."""
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "erlnet"


def recall(name: str) -> dict[str, np.ndarray] | None:
    """The arrays that `keep` stored under `name`; None where there are none, or they are damaged."""
    try:
        path = cache_folder() / f"{name}.npz"
        return read_npz(path, "cached result", MAX_BYTES) if path.is_file() else None
    except (ErlnetError, OSError, RuntimeError):  # RuntimeError: a user without a home
        return None


def keep(name: str, **arrays: np.ndarray) -> None:
    """Store arrays under `name`, if this user's disk lets us."""
    try:
        with atomic_path(cache_folder() / f"{name}.npz") as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except (ErlnetError, OSError, RuntimeError):
        pass
