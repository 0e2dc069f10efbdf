"""Speaking through the flite command (Black & Lenzo 2001), with its own phone times.

flite's segment of a stop covers closure and burst, and its times agree with the sound within 20 ms. The audio of
`kal` ends about 4 % before the last printed time, because its final pause is cut: times are never rescaled to it.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile

from erlnet_blender.errors import ErlnetError

from .phones import atomic_phones, ipa_of_arpabet
from .spoken import Spoken

VOICES = ("kal", "kal16", "awb", "rms", "slt")


def require_flite() -> str:
    """The path of the flite command.

    Raises:
        ErlnetError: it is not installed.
    """
    path = shutil.which("flite")
    if path is None:
        raise ErlnetError("The speech corpus needs flite", "", "install the system package `flite`")
    return path


def speak(text: str, voice: str, stretch: float = 1.0, pitch_hz: float | None = None) -> Spoken:
    """Speak `text`; `stretch` > 1 is slower, `pitch_hz` moves the mean fundamental where the voice allows it.

    Raises:
        ErlnetError: flite is missing or fails.
    """
    command = [require_flite(), "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}"]
    if pitch_hz is not None:
        command += ["--setf", f"int_f0_target_mean={pitch_hz:.0f}"]
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "spoken.wav"
        result = subprocess.run(
            [*command, "-psdur", "-t", text, "-o", str(wav)], capture_output=True, text=True, check=False, timeout=60
        )
        if result.returncode or not wav.is_file():
            raise ErlnetError("flite could not speak", repr(text), f"check the voice {voice}")
        samples, rate_hz = soundfile.read(io.BytesIO(wav.read_bytes()), dtype="float32")
    segments, start_s = [], 0.0
    for printed in result.stdout.split():
        name, _, end = printed.partition(":")
        segments.append((start_s, float(end), ipa_of_arpabet(name)))
        start_s = float(end)
    return Spoken(text, f"flite-{voice}", samples, rate_hz, atomic_phones(segments))
