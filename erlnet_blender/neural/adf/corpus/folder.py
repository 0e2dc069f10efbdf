"""Reading a speech corpus folder (docs/training/corpus.md): recordings with motion, spoken or synthesised."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ....errors import ErlnetError
from ....formats.npz import read_npz
from ..articulation import ARTICULATION, PHONE_CLASSES
from ..features import SAMPLE_RATE_HZ

FORMAT, VERSION = "erlnet-speech-corpus", 1


@dataclass
class Recording:
    """One item: 16 kHz mono samples; motion (N, 11), phones (N,) and accents (N,) at the corpus's motion rate."""

    entry: dict
    samples: np.ndarray
    motion: np.ndarray
    phones: np.ndarray
    accents: np.ndarray
    rate_hz: float


class SpeechCorpus:
    """A corpus folder.

    Raises:
        ErlnetError: no corpus.json, or one of another format or version, or with other channels.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "corpus.json"
        remedy = "make one with `python -m studio.speech -o build/corpus`"
        if not path.is_file():
            raise ErlnetError("No speech corpus", self.folder, remedy)
        try:
            self.index = json.loads(path.read_text(encoding="utf8"))
        except (ValueError, OSError) as error:
            raise ErlnetError(f"Speech corpus is not readable ({error})", path, remedy) from error
        if self.index.get("format") != FORMAT or self.index.get("version") != VERSION:
            raise ErlnetError("Not a speech corpus of version 1", path, remedy)
        if tuple(self.index["channels"]) != ARTICULATION or tuple(self.index["phone_classes"]) != PHONE_CLASSES:
            raise ErlnetError("Speech corpus has other channels or phone classes", path, remedy)

    def entries(self, split: str) -> list[dict]:
        """The items of a split."""
        return [entry for entry in self.index["items"] if entry["split"] == split]

    def read(self, entry: dict) -> Recording:
        """One item.

        Raises:
            ErlnetError: its files are missing or damaged.
        """
        path = self.folder / f"{entry['name']}.flac"
        try:
            samples, rate_hz = soundfile.read(path, dtype="float32")
        except (OSError, soundfile.SoundFileError) as error:
            raise ErlnetError("Recording of the corpus is not readable", path, "build the corpus again") from error
        if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1:
            raise ErlnetError("Recording of the corpus is not 16 kHz mono", path, "build the corpus again")
        arrays = read_npz(self.folder / f"{entry['name']}.npz", "motion of the corpus")
        motion = arrays["motion"].astype(np.float32)
        accents = arrays["accents"].astype(np.float32)
        return Recording(entry, samples, motion, arrays["phones"], accents, float(self.index["motion_rate_hz"]))
