"""English voices of RHVoice and of SVOX Pico. Neither tells when it says what: their phones are found by `align`.

RHVoice's bdl, clb and alan are statistical voices of the speakers of CMU Arctic; its slt is left out, since it is the
person of flite's slt, on whom the figures are taken.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from math import gcd
from pathlib import Path
from xml.sax.saxutils import escape

import soundfile
from scipy.signal import resample_poly

from erlnet_blender.errors import ErlnetError

from . import align
from .spoken import Spoken

PACKAGES = "rhvoice rhvoice-english libttspico-utils"
VOICES = {"rhvoice-alan": "alan", "rhvoice-bdl": "bdl", "rhvoice-clb": "clb", "pico-us": "en-US", "pico-gb": "en-GB"}


def require_commands() -> None:
    """Check that both synthesisers and the aligner are there.

    Raises:
        ErlnetError: one of them is not installed.
    """
    if not all(map(shutil.which, ("RHVoice-test", "pico2wave"))):
        raise ErlnetError("The speech corpus needs RHVoice and Pico", "", f"install the system packages `{PACKAGES}`")
    align.require_decoder()


def speak(text: str, voice: str, stretch: float = 1.0, pitch: float = 1.0) -> Spoken | None:
    """Speak `text` with a key of `VOICES`; None where the dictionary lacks a word or the words are not found again.

    Args:
        stretch: > 1 is slower; pitch: multiplies the voice's own fundamental.

    Raises:
        ErlnetError: a synthesiser or the aligner is missing.
    """
    require_commands()
    if not align.is_known(text):
        return None
    maker, name = voice.partition("-")[0], VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        wav, written = Path(folder) / "spoken.wav", Path(folder) / "text"
        if maker == "rhvoice":
            written.write_text(text, encoding="utf8")
            command = [
                "RHVoice-test", "-p", name, "-r", f"{100 / stretch:.0f}", "-t", f"{100 * pitch:.0f}",
                "-i", str(written), "-o", str(wav),
            ]  # fmt: skip
        else:
            marked = f"<pitch level='{100 * pitch:.0f}'>{escape(text)}</pitch>"
            marked = f"<speed level='{100 / stretch:.0f}'>{marked}</speed>"
            command = ["pico2wave", "-l", name, "-w", str(wav), marked]
        result = subprocess.run(command, capture_output=True, check=False, timeout=60)
        if result.returncode or not wav.is_file():
            raise ErlnetError(f"{command[0]} could not speak", repr(text), f"check the voice {name}")
        samples, rate_hz = soundfile.read(wav, dtype="float32")
    common = gcd(align.RATE_HZ, rate_hz)
    samples = resample_poly(samples, align.RATE_HZ // common, rate_hz // common).astype("float32")
    phones = align.aligned(samples, text)
    return Spoken(text, voice, samples, align.RATE_HZ, phones) if phones else None
