"""Recordings of people in seven languages: the spoken descriptions of Tux Paint's stamps (package of that name, GPL-2).

Volunteers' voices and microphones, one to a few of them for each language, one sentence or a few words each. What they
say is in a text file beside; when, is found by forced alignment (`aligned_voices.found`), which also leaves out those
who say something else.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import gcd
from pathlib import Path

import soundfile
from scipy.signal import resample_poly

from . import align
from .aligned_voices import found
from .spoken import Spoken

FOLDER = Path("/usr/share/tuxpaint/stamps")
LANGUAGES = ("bg", "ca", "da", "el", "es", "fr", "ro", "ru")
_LONGEST_TEXT = 160


def speak(language: str, _: random.Random) -> Iterator[Spoken]:
    """All recordings of one of `LANGUAGES` that are understood; none, with a line, where they are not installed."""
    paths = sorted(FOLDER.rglob(f"*_desc_{language}.ogg"))
    if not paths:
        print(f"skipped: no {FOLDER} (system package tuxpaint-stamps-default)", flush=True)
    for path in paths:
        text = _text(path, language)
        if not 0 < len(text) <= _LONGEST_TEXT:
            continue
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        common = gcd(align.RATE_HZ, rate_hz)
        samples = resample_poly(samples.mean(1), align.RATE_HZ // common, rate_hz // common).astype("float32")
        phones = found(samples, text, language)
        if phones:
            yield Spoken(text, f"recorded-stamps-{language}", samples, align.RATE_HZ, phones, language)


def _text(path: Path, language: str) -> str:
    """What is said in a recording; empty where nobody wrote it down."""
    written = path.with_name(path.name.replace(f"_desc_{language}.ogg", ".txt"))
    lines = written.read_text(encoding="utf8", errors="replace").splitlines() if written.is_file() else []
    key = f"{language}.utf8="
    return next((line.removeprefix(key).strip() for line in lines if line.startswith(key)), "")
