"""Which Python runs the worker (standard library only).

Blender's own Python has no torch and must not get one, so the worker runs in another. In order:
the add-on's preference, ``ERLNET_PYTHON``, the running interpreter if it has torch, the checkout's
``.venv``, and the one that ``erlnet doctor`` recorded for this user.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ..errors import ErlnetError
from ..formats.user_folders import config_folder

VARIABLE = "ERLNET_PYTHON"
PACKAGE_FOLDER = Path(__file__).resolve().parent.parent
_IN_VENV = Path("Scripts/python.exe") if os.name == "nt" else Path("bin/python")


def worker_python(preferred: str | os.PathLike = "") -> Path:
    """The Python that runs the worker.

    Args:
        preferred: the path in the add-on's preferences; empty to search.

    Raises:
        ErlnetError: the chosen path is not a file, or nothing was found.
    """
    for path, chosen_in in ((preferred, "the add-on's preferences"), (os.environ.get(VARIABLE, ""), VARIABLE)):
        if path and str(path).strip():
            if not Path(path).is_file():
                raise ErlnetError("No Python for the worker here", path, f"correct {chosen_in}")
            return Path(path)
    if runs_torch_here():
        return Path(sys.executable)
    for candidate in (PACKAGE_FOLDER.parent / ".venv" / _IN_VENV, recorded_python()):
        if candidate is not None and candidate.is_file():
            return candidate
    raise ErlnetError(
        "No Python with torch was found for the worker",
        "",
        "run `make setup` in a checkout of the project, then choose its .venv/bin/python in the add-on's preferences",
    )


def runs_torch_here() -> bool:
    """Whether the running interpreter is a Python that has torch; torch is not imported."""
    is_python = Path(sys.executable).stem.lower().startswith("python")
    return is_python and importlib.util.find_spec("torch") is not None


def record_python(python: str | os.PathLike) -> Path:
    """Remember `python` for this user's Blenders; the file it was written to."""
    file = config_folder() / "python.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{python}\n", encoding="utf-8")
    return file


def recorded_python() -> Path | None:
    """What `record_python` wrote, if anything."""
    try:
        text = (config_folder() / "python.txt").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return Path(text) if text else None


def worker_command(python: str | os.PathLike) -> list[str]:
    """The command that starts the worker; the add-on is found by path, under any name of its package."""
    return [str(python), str(PACKAGE_FOLDER / "worker" / "__main__.py")]


def worker_environment(python: str | os.PathLike) -> dict[str, str]:
    """The environment variables of the worker."""
    environment = dict(os.environ)
    if Path(python) != Path(sys.executable):
        # What points Blender's Python at its libraries would break another Python.
        for name in ("PYTHONHOME", "PYTHONPATH"):
            environment.pop(name, None)
    environment.update(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8:replace")
    return environment
