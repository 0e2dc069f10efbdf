"""From a FLAME file to a head file of ours, through a child process that is watched and may be killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ErlnetError
from ..formats.atomic import atomic_path
from ..formats.flame.read import Companions, fingerprint
from ..formats.head_model import HeadModel, is_head_file
from ..formats.user_folders import data_folder
from .environment import PACKAGE_FOLDER, worker_python

TIMEOUT_S = 120.0
_REMEDY = "choose the model file as its makers hand it out"


@dataclass(frozen=True)
class Converted:
    """A head file made from a FLAME file: where it lies, which head it is, what was noticed."""

    path: Path
    id: str
    name: str
    notes: list[str] = field(default_factory=list)


def convert_flame(
    source: Path,
    output: Path,
    companions: Companions | None = None,
    python: str | os.PathLike = "",
    timeout_s: float = TIMEOUT_S,
) -> Converted:
    """Read `source` in a child process and write `output` (.npz), whole or not at all.

    Args:
        python: the Python to run, which needs NumPy alone; empty for the one that runs this.
        timeout_s: a child that takes longer is killed.

    Raises:
        ErlnetError: the file is none, refused, or could not be read in the time and memory allowed.
    """
    companions = companions or Companions()
    # The child works in a folder of its own, so that killing it leaves nothing beside the output.
    with atomic_path(output) as temporary, tempfile.TemporaryDirectory(prefix="erlnet-") as folder:
        made = Path(folder) / "head.npz"
        request = {
            "source": str(source.absolute()),
            "output": str(made),
            "landmarks": [str(path.absolute()) for path in companions.landmarks],
            "expressions": companions.expressions,
        }
        for name in ("masks", "uv", "eyelids"):
            path = getattr(companions, name)
            request[name] = str(path.absolute()) if path else None
        answer = _ask(request, python or sys.executable, folder, timeout_s)
        if "error" in answer:
            raise ErlnetError(*answer["error"])
        HeadModel.load(made)  # what comes from another process is checked as any other file
        shutil.copyfile(made, temporary)
    return Converted(Path(output), answer["id"], answer["name"], answer["notes"])


def _ask(request: dict, python: str | os.PathLike, folder: str, timeout_s: float) -> dict:
    command = [str(python), "-I", "-B", str(PACKAGE_FOLDER / "worker" / "__main__.py"), "flame"]
    hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env=_environment(folder), **hidden,
        )  # fmt: skip
    except OSError as error:
        what = f"The Python that reads FLAME files cannot be started ({error.strerror or error})"
        raise ErlnetError(what, python, "correct the add-on's preferences") from error
    try:
        out, log = child.communicate(json.dumps(request).encode() + b"\n", timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ErlnetError(f"Reading it takes more than {timeout_s:g} s", request["source"], _REMEDY) from error
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    try:
        answer = json.loads(out)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return answer
    last = log.decode(errors="replace").strip().splitlines()[-1:] or [f"status {child.returncode}"]
    raise ErlnetError(f"The process that read it was stopped ({last[0][:200]})", request["source"], _REMEDY)


def _environment(folder: str) -> dict[str, str]:
    """Next to nothing: no path, no home, nothing that changes Python; Windows needs its own folder."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "TMPDIR": folder, "TEMP": folder, "PYTHONUTF8": "1"}


def head_file_of(path: Path, preferred_python: str | os.PathLike = "") -> Converted:
    """The head file for whatever the user chose: a head file of ours itself, or a FLAME file's conversion.

    A conversion is kept in this user's folder and made once for the same files; nothing is written beside the source.

    Raises:
        ErlnetError: as `convert_flame`.
    """
    if is_head_file(path):
        head = HeadModel.load(path)
        return Converted(path, head.id, str(head.meta.get("name", head.id)))
    kept = data_folder() / "heads" / f"flame-{fingerprint(path)[:24]}.npz"
    if kept.is_file():
        try:
            head = HeadModel.load(kept)
        except ErlnetError:  # damaged since: made anew
            pass
        else:
            return Converted(kept, head.id, str(head.meta.get("name", head.id)))
    return convert_flame(path, kept, python=_reader_python(preferred_python))


def _reader_python(preferred: str | os.PathLike) -> Path:
    """The worker's Python, or without one the running Python: reading needs no torch."""
    try:
        return worker_python(preferred)
    except ErlnetError:
        if Path(sys.executable).stem.lower().startswith("python"):
            return Path(sys.executable)
        raise
