"""The process that reads one FLAME file and ends: bounded memory and time, and no way to start programs or connect.

The reader runs nothing that is in the file (see `formats.flame`); should it have a fault, this is the wall behind it.
Reads one line of JSON on stdin: source, output, landmarks, masks, uv, eyelids, expressions. Answers one line on
stdout: ``{"id": …, "name": …, "notes": […]}`` or ``{"error": [what, where, remedy]}``.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from ..errors import ErlnetError
from ..formats.flame.read import Companions, read_flame

MEMORY_BYTES = 4 << 30
CPU_SECONDS = 60
FILE_BYTES = 1 << 30
# Python's names for starting programs, running code and reaching out.
_FORBIDDEN = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile",
              "socket.", "ctypes.", "winreg.", "pty.spawn", "urllib.", "ftplib.", "smtplib.")  # fmt: skip


def main() -> None:
    """Convert what the request names."""
    request = json.loads(sys.stdin.readline())
    confine()
    try:
        answer = _convert(request)
    except ErlnetError as error:
        answer = {"error": [error.what, error.where, error.remedy]}
    except MemoryError:
        answer = {"error": ["Reading it takes too much memory", request["source"], "choose the model file"]}
    print(json.dumps(answer), flush=True)


def confine() -> None:
    """Bound this process for good; where the system has no such limits (Windows) the parent's clock remains."""
    try:
        import resource
    except ImportError:
        pass
    else:
        for limit, value in (
            (resource.RLIMIT_AS, MEMORY_BYTES),
            (resource.RLIMIT_CPU, CPU_SECONDS),
            (resource.RLIMIT_FSIZE, FILE_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(limit)[1]
            if hard == resource.RLIM_INFINITY or hard > value:
                with contextlib.suppress(ValueError, OSError):  # macOS knows some limits by name only
                    resource.setrlimit(limit, (value, value))
    sys.addaudithook(_refuse)


def _refuse(event: str, _arguments: tuple) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} is not allowed while a file is read")


def _convert(request: dict) -> dict:
    def path(name: str) -> Path | None:
        return Path(request[name]) if request.get(name) else None

    companions = Companions(
        landmarks=tuple(map(Path, request.get("landmarks") or ())),
        masks=path("masks"),
        uv=path("uv"),
        eyelids=path("eyelids"),
        expressions=request.get("expressions"),
    )
    head, notes = read_flame(Path(request["source"]), companions)
    head.save(request["output"])
    return {"id": head.id, "name": head.meta["name"], "notes": notes}
