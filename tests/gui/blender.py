"""A throw-away Blender with the extension in it: installed into an empty user folder, and a window of it.

`BLENDER` names the program. Where there is no display, the window opens on a virtual one (Xvfb).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import ImageGrab

from studio.extension import build

HERE = Path(__file__).resolve().parent
SIZE = (1280, 1000)


@dataclass
class Blender:
    """A Blender whose settings, styles and extensions lie in a folder that nobody else uses.

    Args:
        program: Blender.
        folder: empty, for its user files; the extension's zip is built there too.
    """

    program: str
    folder: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        folders = {
            name: str(self.folder / name.lower())
            for name in ("BLENDER_USER_RESOURCES", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        }
        # The worker is this Python, unless the caller has chosen one.
        self.environment = {"ERLNET_PYTHON": sys.executable} | dict(os.environ) | folders
        self.environment.pop("PYTHONPATH", None)

    def command(self, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run Blender to its end, with all that it says."""
        return subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
        )

    def validate(self) -> str:
        """Build the zip and let Blender judge it; what Blender said.

        Raises:
            RuntimeError: Blender refuses it.
        """
        return self._extension("validate", str(build(self.folder)))

    def install(self) -> str:
        """Build the zip, install and enable it; what Blender said.

        Raises:
            RuntimeError: Blender refuses it.
        """
        return self._extension("install-file", "-r", "user_default", "-e", str(build(self.folder)))

    def _extension(self, verb: str, *arguments: str) -> str:
        done = self.command("--command", "extension", verb, *arguments)
        if done.returncode:
            raise RuntimeError(f"extension {verb}: {done.stdout}")
        return done.stdout

    def play(
        self, script: str, out: Path, *arguments: str, size: tuple[int, int] = SIZE, timeout_s: float = 1800
    ) -> dict:
        """Open the window and play a script of this folder in it; what it found out.

        Args:
            script: the name of a module here with a generator `main(window, *arguments)`.
            out: a folder for its pictures.
            size: of the window, pixels.

        Raises:
            RuntimeError: the script failed; with what Blender said.
        """
        out.mkdir(parents=True, exist_ok=True)
        report = out / "report.json"
        report.unlink(missing_ok=True)
        with display(self.environment, size) as screen, open(out / "said.txt", "w+") as said:
            geometry = ("--window-geometry", "0", "0", *map(str, size))
            driver = ("--python", str(HERE / "window.py"), "--", str(out), script, *arguments)
            process = subprocess.Popen(
                [self.program, *geometry, *driver], env=self.environment, stdout=said, stderr=subprocess.STDOUT
            )
            try:
                _take_pictures(process, out, screen, time.monotonic() + timeout_s)
            finally:
                process.kill()
                process.wait()
            said.seek(0)
            output = said.read()
        if not report.is_file():
            raise RuntimeError(f"{script} did not reach its end:\n{output[-4000:]}")
        return json.loads(report.read_text()) | {"output": output}


def _take_pictures(process: subprocess.Popen, out: Path, screen: str | None, end_s: float) -> None:
    """Until Blender ends: photograph the screen whenever the script inside asks for it (`NAME.wanted`).

    Blender's own screenshots are black where no graphics card draws.
    """
    while process.poll() is None and time.monotonic() < end_s:
        for wanted in out.glob("*.wanted"):
            picture = wanted.with_suffix(".png")
            ImageGrab.grab(xdisplay=screen).save(picture.with_suffix(".part"), "PNG")
            wanted.unlink()
            picture.with_suffix(".part").replace(picture)
        time.sleep(0.02)


@contextmanager
def display(environment: dict[str, str], size: tuple[int, int]) -> Iterator[str | None]:
    """A virtual screen for the window, alike everywhere; the real one where there is no Xvfb."""
    if shutil.which("Xvfb") is None:
        yield environment.get("DISPLAY")
        return
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "{}x{}x24".format(*size), "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    before = dict(environment)
    try:
        with os.fdopen(reading) as answer:
            screen = f":{answer.readline().strip()}"
        # No graphics card draws on it.
        environment |= {"DISPLAY": screen, "LIBGL_ALWAYS_SOFTWARE": "1"}
        environment.pop("WAYLAND_DISPLAY", None)
        yield screen
    finally:
        environment.clear()
        environment |= before
        server.terminate()
        server.wait()
