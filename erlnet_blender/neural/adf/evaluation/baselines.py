"""What the model must beat: mouths that know less of speech than it does.

`mean_by_energy` opens a mean mouth as far as the sound is loud; `nearest` copies the motion of the training frame whose
surroundings sound most alike.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from ..articulation import LOWEST
from ..corpus.augmentation import Example
from ..corpus.folder import SpeechCorpus
from ..features import log_mel, mel_power, reference_level
from .cases import Case, training_examples
from .sync import energy
from .truth import rule_made

RECORDINGS = 400
"""How many training recordings the baselines know, spread evenly over the training split."""
_AROUND = 3
_COMPONENTS = 48
_SMOOTHING = np.array([0.25, 0.5, 0.25])
_LOUDEST = 2.0
_CHUNK = 400


class Baselines:
    """Both baselines over a part of the training split.

    Raises:
        ErlnetError: a recording of the corpus is damaged.
    """

    def __init__(self, corpus: SpeechCorpus) -> None:
        examples = training_examples(corpus, RECORDINGS)
        heard = [surroundings(example.samples) for example in examples]
        mouths = [rule_made(example) for example in examples]
        counts = [min(len(a), len(b)) for a, b in zip(heard, mouths, strict=True)]
        self.mouths = np.concatenate([mouth[:count] for mouth, count in zip(mouths, counts, strict=True)])
        frames = np.concatenate([rows[:count] for rows, count in zip(heard, counts, strict=True)])
        self.middle = frames.mean(0)
        # Principal components: near enough for the nearest, in a tenth of the time.
        squares = torch.from_numpy((frames - self.middle).T @ (frames - self.middle))
        self.basis = torch.linalg.eigh(squares)[1][:, -_COMPONENTS:].numpy()
        self.frames = (frames - self.middle) @ self.basis
        speaking = np.concatenate([example.phones[:count] > 0 for example, count in zip(examples, counts, strict=True)])
        self.mean = self.mouths[speaking].mean(0)

    def mean_by_energy(self, example: Example) -> np.ndarray:
        """(T, len(MOUTH)) the mean mouth of training speech times the energy over its mean in this recording."""
        loud = energy(example.samples)
        usual = loud[loud > 0.1 * loud.max(initial=0)].mean() if loud.any() else 1.0
        return np.clip(loud / usual, 0, _LOUDEST)[:, None].astype(np.float32) * self.mean

    def nearest(self, example: Example) -> np.ndarray:
        """(T, len(MOUTH)) motion of the nearest training frames, smoothed over three."""
        frames = (surroundings(example.samples) - self.middle) @ self.basis
        known = np.square(self.frames).sum(1)
        found = [
            (known - 2 * frames[start : start + _CHUNK] @ self.frames.T).argmin(1)
            for start in range(0, len(frames), _CHUNK)
        ]
        mouth = np.pad(self.mouths[np.concatenate(found)], ((1, 1), (0, 0)), mode="edge")
        smooth = sum(share * mouth[index : len(mouth) - 2 + index] for index, share in enumerate(_SMOOTHING))
        return np.maximum(smooth, LOWEST).astype(np.float32)

    def cases(self, cases: list[Case], name: str) -> list[Case]:
        """The same recordings with the mouth of the baseline `name` instead of the model's."""
        return [dataclasses.replace(case, mouth=getattr(self, name)(case.example)) for case in cases]


def surroundings(samples: np.ndarray) -> np.ndarray:
    """(T, 7 x 80) log-mel of each 20 ms frame of 16 kHz samples and of three to each side."""
    power = mel_power(samples)
    mel = log_mel(power, max(reference_level(power.mean(1)), 1e-12)).numpy()
    mel = mel[: len(mel) // 2 * 2].reshape(-1, 2, mel.shape[1]).mean(1)
    padded = np.pad(mel, ((_AROUND, _AROUND), (0, 0)), mode="edge")
    return np.concatenate([padded[index : index + len(mel)] for index in range(2 * _AROUND + 1)], 1)
