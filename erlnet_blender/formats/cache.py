"""Results that take seconds and depend on files alone, kept for this user; a cache that cannot be used is no error."""

from __future__ import annotations

import numpy as np

from ..errors import ErlnetError
from .atomic import atomic_path
from .npz import read_npz
from .user_folders import cache_folder

MAX_BYTES = 64 << 20


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
