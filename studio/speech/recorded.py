"""Recordings of people, for testing only: those of the system packages alsa-utils and asterisk-core-sounds-en-g722.

Neither package is needed to build a corpus: one that is missing is skipped, with a printed line.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from .phones import SILENCE
from .spoken import Phone, Spoken

ALSA_FOLDER = Path("/usr/share/sounds/alsa")
ALLISON_FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_ALSA_NOT_SPEECH = "Noise"
ALLISON_RATE_HZ = 16000
_STEP_S = 0.01
_SPEAKING_LEVEL = 0.05


def alsa(_: random.Random) -> Iterator[Spoken]:
    """The eight "Front Center" ... "Side Right" of alsa-utils: one woman, no m, b or p.

    Their phones are unknown: one vowel stands where there is sound, so only false closures can be counted on them.
    """
    paths = sorted(path for path in ALSA_FOLDER.glob("*.wav") if path.stem != _ALSA_NOT_SPEECH)
    if not paths:
        print(f"skipped: no recordings in {ALSA_FOLDER} (system package alsa-utils)", flush=True)
    for path in paths:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        samples = samples.mean(1)
        yield Spoken(path.stem.replace("_", " "), "alsa", samples, rate_hz, _sound_and_silence(samples, rate_hz))


def _sound_and_silence(samples: np.ndarray, rate_hz: int) -> list[Phone]:
    step = int(_STEP_S * rate_hz)
    levels = np.sqrt(np.mean(samples[: len(samples) // step * step].reshape(-1, step) ** 2, 1))
    sounding = levels > _SPEAKING_LEVEL * levels.max(initial=1e-9)
    edges = [0, *(np.flatnonzero(np.diff(sounding.astype(int))) + 1), len(sounding)]
    return [
        Phone(start * _STEP_S, end * _STEP_S, "ə" if sounding[start] else SILENCE)
        for start, end in zip(edges, edges[1:], strict=False)
        if end > start
    ]


@lru_cache(maxsize=1)
def allison_times() -> dict[str, dict]:
    """Of each aligned recording: `text` and `phones`, a list of (start_s, end_s, IPA letter)."""
    return json.loads(Path(__file__).with_name("allison.json").read_text(encoding="utf8"))


def allison(_: random.Random) -> Iterator[Spoken]:
    """Letters, numbers, days, months, spelling words and a few phrases of one woman.

    The phone times of allison.json were found by forced alignment with PocketSphinx 5 and its English model (see
    `align`), which share nothing with what is tested; they come in steps of 10 ms.
    """
    times = allison_times()
    present = [name for name in sorted(times) if (ALLISON_FOLDER / f"{name}.g722").is_file()]
    if not present or shutil.which("ffmpeg") is None:
        print(f"skipped: no {ALLISON_FOLDER} (system packages asterisk-core-sounds-en-g722, ffmpeg)", flush=True)
        return
    for name, samples in zip(present, allison_samples(present), strict=True):
        phones = [Phone(*phone) for phone in times[name]["phones"]]
        yield Spoken(times[name]["text"], "recorded-allison", samples, ALLISON_RATE_HZ, phones)


def allison_samples(names: list[str]) -> list[np.ndarray]:
    """Mono samples at 16 kHz of recordings in `ALLISON_FOLDER`, which are raw G.722, by one call of ffmpeg."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / f"{place}.wav" for place in range(len(names))]
        command = ["ffmpeg", "-v", "error"]
        for name in names:
            command += ["-f", "g722", "-i", str(ALLISON_FOLDER / f"{name}.g722")]
        for place, output in enumerate(outputs):
            command += ["-map", f"{place}:a", "-ar", str(ALLISON_RATE_HZ), str(output)]
        subprocess.run(command, capture_output=True, check=True)
        return [soundfile.read(output, dtype="float32")[0] for output in outputs]
