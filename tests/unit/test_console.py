"""What the command line shows, hides, and leaves behind when it is interrupted."""

import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BLENDER_LIKE = """
import ctypes, sys
from erlnet_blender.console import progress, quiet_blender
from erlnet_blender.errors import ErlnetError
with quiet_blender(), progress("rendering") as shown:
    print("Info: from Python")
    ctypes.CDLL(None).puts(b"Fra:1 from C")
    shown(0.5, "frame 1 of 2")
    if len(sys.argv) > 1:
        raise {"user": ErlnetError("Wrong"), "ours": RuntimeError("Broken")}[sys.argv[1]]
print("end")
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", BLENDER_LIKE, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=20
    )


def test_blender_is_silent_and_progress_is_shown():
    result = run()
    first, last, end = result.stdout.splitlines()
    assert first == "rendering: 50% frame 1 of 2"
    assert last.startswith("rendering: done")
    assert end == "end"
    assert result.stderr == ""


def test_what_blender_said_is_shown_only_if_the_fault_is_ours():
    assert "from C" not in run("user").stderr
    ours = run("ours")
    assert "Fra:1 from C" in ours.stderr
    assert "Info: from Python" in ours.stderr
    assert "from C" not in ours.stdout


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupted_bake_leaves_nothing(tmp_path):
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.random.default_rng(0).normal(0, 3000, 16000 * 1200).astype("<i2").tobytes())
    out = tmp_path / "out"
    command = [sys.executable, "-u", "-m", "erlnet_blender.cli", "bake", tmp_path / "long.wav", "-o", out / "track.npz"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A test run in the background of a shell inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline().startswith("baking: 0%")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "interrupted\n"
    assert not list(out.rglob("*.npz"))
