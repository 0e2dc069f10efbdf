"""Voices of RHVoice and of SVOX Pico. Neither tells when it says what: their phones are found by forced alignment.

English is aligned by PocketSphinx (`align`), other languages by what the speech model hears (`viterbi`). RHVoice's
statistical voices are recorded people, bdl, clb and alan those of CMU Arctic; its slt is left out, since it is the
person of flite's slt, on whom the figures are taken, and so are the voices whose licences forbid selling or changing.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import soundfile
from scipy.signal import resample_poly

from erlnet_blender.errors import ErlnetError

from . import align, viterbi
from .espeak import synthesiser
from .phones import SILENCE
from .spoken import Phone, Spoken

PACKAGES = (
    "rhvoice rhvoice-english rhvoice-russian rhvoice-ukrainian rhvoice-brazilian-portuguese rhvoice-esperanto "
    "libttspico-utils"
)


@dataclass(frozen=True)
class Voice:
    """A voice: its name for the program that speaks it, and its language, a key of sentences.json."""

    name: str
    language: str = "en"


VOICES = {
    **{f"rhvoice-{name}": Voice(name) for name in ("alan", "bdl", "clb")},
    **{f"rhvoice-{name}": Voice(name, "ru") for name in ("aleksandr", "anna", "elena", "irina")},
    **{f"rhvoice-{name}": Voice(name, "uk") for name in ("anatol", "natalia")},
    "rhvoice-leticia": Voice("Leticia-F123", "pt-br"),
    "rhvoice-spomenka": Voice("spomenka", "eo"),
    "pico-us": Voice("en-US"),
    "pico-gb": Voice("en-GB"),
    **{f"pico-{language}": Voice(f"{language}-{language.upper()}", language) for language in ("de", "es", "fr")},
}


def require_commands() -> None:
    """Check that both synthesisers and the aligner of English are there.

    Raises:
        ErlnetError: one of them is not installed.
    """
    if not all(map(shutil.which, ("RHVoice-test", "pico2wave"))):
        raise ErlnetError("The speech corpus needs RHVoice and Pico", "", f"install the system packages `{PACKAGES}`")
    align.require_decoder()


def speak(text: str, voice: str, stretch: float = 1.0, pitch: float = 1.0) -> Spoken | None:
    """Speak `text` with a key of `VOICES`; None where its words are not found again in the sound.

    Args:
        stretch: > 1 is slower; pitch: multiplies the voice's own fundamental.

    Raises:
        ErlnetError: a synthesiser or the aligner is missing.
    """
    require_commands()
    language = VOICES[voice].language
    if language == "en" and not align.is_known(text):
        return None
    samples = _said(text, voice, stretch, pitch)
    phones = align.aligned(samples, text) if language == "en" else found(samples, text, language)
    return Spoken(text, voice, samples, align.RATE_HZ, phones, language) if phones else None


def found(samples: np.ndarray, text: str, language: str) -> list[Phone]:
    """The phones of `text`, as espeak-ng reads it, in 16 kHz samples; none where too little of them is heard."""
    read = synthesiser().speak(text, language)
    symbols = [phone.symbol for phone in read.phones if phone.symbol != SILENCE] if read is not None else []
    phones, likelihood = viterbi.aligned(samples, symbols) if symbols else ([], 0.0)
    return phones if likelihood > viterbi.LEAST_LIKELY else []


def _said(text: str, voice: str, stretch: float, pitch: float) -> np.ndarray:
    maker, name = voice.partition("-")[0], VOICES[voice].name
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
    return resample_poly(samples, align.RATE_HZ // common, rate_hz // common).astype("float32")
