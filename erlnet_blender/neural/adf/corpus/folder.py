"""Reading a speech corpus folder (docs/training/corpus.md): recordings with motion, spoken or synthesised."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ....errors import ErlnetError
from ....formats.npz import read_npz
from ..articulation import ARTICULATION, MOUTH, PHONE_CLASSES
from ..features import SAMPLE_RATE_HZ

FORMAT, VERSION = "erlnet-speech-corpus", 1


@dataclass
class TrackedMotion:
    """How a filmed person really moved, at the corpus's motion rate: what style is learnt from.

    Args:
        mouth: (N, len(MOUTH)) channels; head: (N, 3) rotation; eyelids: (N, 2); gaze: (N, 6) left and right eye.
            Rotations are axis-angle, radians. What the tracker does not tell is zero.
    """

    mouth: np.ndarray
    head: np.ndarray
    eyelids: np.ndarray
    gaze: np.ndarray

    def joined(self) -> np.ndarray:
        """(N, 32) the four side by side."""
        return np.concatenate([getattr(self, name) for name in TRACKED], 1)

    @classmethod
    def parted(cls, rows: np.ndarray) -> TrackedMotion:
        """The inverse of `joined`, for (..., 32) of any leading shape."""
        return cls(*np.split(rows, np.cumsum(list(TRACKED.values()))[:-1], axis=-1))


TRACKED = {"mouth": len(MOUTH), "head": 3, "eyelids": 2, "gaze": 6}


@dataclass
class Recording:
    """One item: 16 kHz mono samples; motion (N, 11), phones (N,) and accents (N,) at the corpus's motion rate.

    `motion` is neutral articulation. `tracked` is there where the item is of a filmed person, else None.
    """

    entry: dict
    samples: np.ndarray
    motion: np.ndarray
    phones: np.ndarray
    accents: np.ndarray
    rate_hz: float
    tracked: TrackedMotion | None = None


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
        path = self.folder / f"{entry['name']}.npz"
        arrays = read_npz(path, "motion of the corpus")
        motion = arrays["motion"].astype(np.float32)
        accents = arrays["accents"].astype(np.float32)
        rate_hz = float(self.index["motion_rate_hz"])
        return Recording(entry, samples, motion, arrays["phones"], accents, rate_hz, _tracked(arrays, path))


def _tracked(arrays: dict[str, np.ndarray], path: Path) -> TrackedMotion | None:
    if TRACKED.keys().isdisjoint(arrays):
        return None
    count = len(arrays["motion"])
    for name, width in TRACKED.items():
        if name not in arrays or arrays[name].shape != (count, width):
            raise ErlnetError(f"Tracked motion of the corpus lacks {name} ({count}, {width})", path, "add it again")
    return TrackedMotion(**{name: arrays[name].astype(np.float32) for name in TRACKED})
