"""Where this user's settings, data and cache lie, by the customs of each system. None of the folders need exist."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CACHE_VARIABLE = "ERLNET_CACHE"


def config_folder() -> Path:
    """Settings."""
    return _base(("APPDATA", "AppData/Roaming"), "Library/Application Support", ("XDG_CONFIG_HOME", ".config"))


def data_folder() -> Path:
    """Files made for this user that scenes refer to, such as converted heads."""
    return _base(("APPDATA", "AppData/Roaming"), "Library/Application Support", ("XDG_DATA_HOME", ".local/share"))


def cache_folder() -> Path:
    """Results that can be made again; the folder may be deleted at any time."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    return _base(("LOCALAPPDATA", "AppData/Local"), "Library/Caches", ("XDG_CACHE_HOME", ".cache"))


def _base(windows: tuple[str, str], mac: str, linux: tuple[str, str]) -> Path:
    """Our folder in the one that a variable names, or else in its usual place in the user's home."""
    variable, usual = windows if os.name == "nt" else ("", mac) if sys.platform == "darwin" else linux
    return Path(os.environ.get(variable) or Path.home() / usual) / "erlnet"
