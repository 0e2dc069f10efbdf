"""From a corpus to what training reads: augmented log-mel spectra and targets, kept in one file beside the corpus."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from ....errors import ErlnetError
from ....formats.atomic import atomic_path
from ....formats.npz import read_npz
from ..features import log_mel, mel_power, reference_level
from .augmentation import Example, augmented, noise_only
from .folder import SpeechCorpus

_REVISION = 2
_NOISE_EVERY = 30


@dataclass
class Prepared:
    """All examples end to end; example i lies in frames starts[i] .. starts[i + 1] at 50 Hz.

    Args:
        mel: (2T, 80) float16 at 100 Hz; motion: (T, 11) float16; phones: (T,) int8; accents: (T,) float16.
        starts: (n + 1,); pools: (n,) 0 = rule-made voices (espeak-ng), 1 = voices of recorded speakers, 2 = noise.
    """

    mel: np.ndarray
    motion: np.ndarray
    phones: np.ndarray
    accents: np.ndarray
    starts: np.ndarray
    pools: np.ndarray


def prepare(corpus: SpeechCorpus, seed: int, report=print) -> Prepared:
    """Augment the training split once (espeak-ng) or twice (other voices), or read it back from last time.

    Raises:
        ErlnetError: the corpus has no training recordings, or they are damaged.
    """
    entries = corpus.entries("train")
    if not entries:
        raise ErlnetError("Speech corpus has no training recordings", corpus.folder, "build it again")
    text = json.dumps([_REVISION, seed, [(entry["name"], entry["duration_s"]) for entry in entries]])
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = corpus.folder / f"prepared-{key}.npz"
    if path.is_file():
        return Prepared(**read_npz(path, "prepared corpus", max_bytes=16 << 30))
    prepared = _prepare(corpus, entries, seed, report)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **vars(prepared))
    return prepared


def _prepare(corpus: SpeechCorpus, entries: list[dict], seed: int, report) -> Prepared:
    parts: list[tuple[np.ndarray, Example]] = []
    pools: list[int] = []
    for index, entry in enumerate(entries):
        recording = corpus.read(entry)
        rule_made = entry["voice"].startswith("espeak")
        random = np.random.default_rng([seed, index])
        for _ in range(1 if rule_made else 2):
            parts.append(_features(augmented(recording, random), random))
            pools.append(0 if rule_made else 1)
        if index % _NOISE_EVERY == 0:
            parts.append(_features(noise_only(random), random))
            pools.append(2)
        if index % 1000 == 999:
            report(f"prepared {index + 1} of {len(entries)} recordings", flush=True)
    lengths = [len(example.motion) for _, example in parts]
    return Prepared(
        mel=np.concatenate([mel for mel, _ in parts]),
        motion=np.concatenate([example.motion for _, example in parts]).astype(np.float16),
        phones=np.concatenate([example.phones for _, example in parts]),
        accents=np.concatenate([example.accents for _, example in parts]).astype(np.float16),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        pools=np.array(pools, np.int8),
    )


def _features(example: Example, random: np.random.Generator) -> tuple[np.ndarray, Example]:
    """Mel with a level that is off by up to 5 dB, and both cut to the same number of 20 ms frames."""
    power = mel_power(example.samples)
    reference = reference_level(power.mean(1)) * 10 ** (random.uniform(-5, 5) / 10)
    count = min(len(power) // 2, len(example.motion))
    mel = log_mel(power[: 2 * count], reference).numpy().astype(np.float16)
    return mel, Example(example.samples[:0], example.motion[:count], example.phones[:count], example.accents[:count])
