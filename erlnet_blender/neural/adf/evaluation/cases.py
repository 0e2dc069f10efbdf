"""The recordings of a split and what the model makes of each in the neutral style, computed once for all figures."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ....errors import ErlnetError
from ....face_track import FaceTrack
from ...flame.correspondence import default_head
from ..articulation import CHANNEL_RATE_HZ
from ..closure import runs
from ..corpus.augmentation import Example, plain
from ..corpus.folder import SpeechCorpus
from ..features import SAMPLE_RATE_HZ
from ..network.style_encoder import STYLE_SIZE
from ..predictor import Heard, SpeechToFace

SILENCE_S = 0.3
"""Silence before and after each recording; what is heard runs this much later than the times in its entry."""
UNALIGNED = "alsa"
"""The voice of which no phone times are known, only that there is no m, b or p in what it says."""
NEUTRAL = np.zeros(STYLE_SIZE, np.float32)
_AROUND_SPEECH = 10


@dataclass
class Case:
    """A recording.

    Args:
        entry: of corpus.json; example: samples with silence around, and the rule-made motion (T, 11) at 50 Hz.
        heard: curves of the network; mouth: (T, len(MOUTH)) of the predictor in the neutral style.
    """

    entry: dict
    example: Example
    heard: Heard
    mouth: np.ndarray

    @property
    def voice(self) -> str:
        """The voice without its variant: ``flite-slt``, ``espeak-it``."""
        return voice_name(self.entry)

    @property
    def name(self) -> str:
        """Of the recording's files."""
        return self.entry["name"]

    def intervals(self, key: str) -> list[tuple[float, float]]:
        """(start_s, end_s) of the entry's ``closures`` or ``labiodentals``, in the time of `mouth`."""
        return [(start + SILENCE_S, end + SILENCE_S) for start, end in self.entry[key]]

    def frames(self) -> int:
        """Frames that both the prediction and the truth have."""
        return min(len(self.mouth), len(self.example.motion))

    def truth(self) -> np.ndarray:
        """(frames, 11) rule-made motion."""
        return self.example.motion[: self.frames()]

    def silent(self) -> np.ndarray:
        """(frames,) bool: at least 200 ms from speech, as lips get ready before the sound."""
        silent = np.ones(self.frames(), bool)
        for start, end in runs(self.example.phones[: self.frames()] > 0):
            silent[max(0, start - _AROUND_SPEECH) : end + _AROUND_SPEECH] = False
        return silent

    def aligned(self) -> bool:
        """Whether the corpus knows the phones of the recording, and so its motion."""
        return self.voice != UNALIGNED


def voice_name(entry: dict) -> str:
    """flite and festival voices by their own names, espeak-ng ones by language."""
    return entry["voice"].split("+")[0]


def chosen_entries(corpus: SpeechCorpus, split: str, voice: str = "") -> list[dict]:
    """Items of a split whose voice contains `voice`.

    Raises:
        ErlnetError: there are none.
    """
    entries = [entry for entry in corpus.entries(split) if voice in entry["voice"]]
    if not entries:
        raise ErlnetError(
            f"Corpus has no recordings of voice {voice!r} in split {split!r}", corpus.folder, "choose another"
        )
    return entries


def training_examples(corpus: SpeechCorpus, count: int) -> list[Example]:
    """At most `count` training recordings whose motion is made by rule, spread evenly over the split.

    Raises:
        ErlnetError: there are none, or one is damaged.
    """
    entries = [entry for entry in chosen_entries(corpus, "train") if entry.get("kind") != "tracked"]
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(count, len(entries))).astype(int))
    return [plain(corpus.read(entries[index]), SILENCE_S) for index in chosen]


def example_of(corpus: SpeechCorpus, entry: dict, noise_db: float | None = None) -> Example:
    """One recording, under white noise at `noise_db` (speech over noise, powers of the whole) if given."""
    example = plain(corpus.read(entry), SILENCE_S)
    if noise_db is not None:
        example.samples = noisy(example.samples, noise_db, zlib.crc32(entry["name"].encode()))
    return example


def case_of(model: SpeechToFace, corpus: SpeechCorpus, entry: dict, noise_db: float | None = None) -> Case:
    """Listen to one recording; noise as in `example_of`."""
    example = example_of(corpus, entry, noise_db)
    heard = model.listen(example.samples)
    return Case(entry, example, heard, model.move(heard, NEUTRAL))


def performed(model: SpeechToFace, samples: np.ndarray, style: str = "neutral", seed: int = 0) -> FaceTrack:
    """What a user gets for 16 kHz samples, on the default head, at 50 frames a second."""
    return model.predict(samples, SAMPLE_RATE_HZ, CHANNEL_RATE_HZ, default_head(), style, seed=seed)


def in_a_row(examples: list[Example]) -> Example:
    """Recordings one after the other, each cut to whole frames."""
    hop = SAMPLE_RATE_HZ // CHANNEL_RATE_HZ
    counts = [min(len(example.samples) // hop, len(example.motion)) for example in examples]
    pairs = list(zip(examples, counts, strict=True))
    return Example(
        np.concatenate([example.samples[: count * hop] for example, count in pairs]),
        np.concatenate([example.motion[:count] for example, count in pairs]),
        np.concatenate([example.phones[:count] for example, count in pairs]),
        np.concatenate([example.accents[:count] for example, count in pairs]),
    )


def noisy(samples: np.ndarray, ratio_db: float, seed: int) -> np.ndarray:
    """Samples in white noise; the speech's power is that of the samples less the silence put around them."""
    edge = round(SILENCE_S * SAMPLE_RATE_HZ)
    power = np.mean(samples[edge : len(samples) - edge].astype(float) ** 2)
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * np.sqrt(power / 10 ** (ratio_db / 10))
    return (samples + noise).astype(np.float32)
