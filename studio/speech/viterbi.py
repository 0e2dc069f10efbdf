"""Forced alignment in any language: when known phones are spoken, by Viterbi over what the speech model hears.

The phones come from espeak-ng, which reads the text; the model says how likely each class of phone is in every 20 ms.
Silence may lie before, after and between any two phones.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from erlnet_blender.neural.adf.articulation import CHANNEL_RATE_HZ, PHONE_CLASSES
from erlnet_blender.neural.adf.corpus.tracked.transcripts import CLASS_OF_LETTER
from erlnet_blender.neural.adf.features import SAMPLE_RATE_HZ
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.sound import Sound

from .phones import SILENCE
from .spoken import Phone

_NEVER = -1e9
# A class that the model gives no chance costs no more than this: one sound that is heard as another breaks nothing.
_SURPRISE = -6.0
LEAST_LIKELY = -1.8
"""Mean log probability below which a text is not what is said: other texts stay below -2.5, nearly always."""


_chosen: list[Path | None] = [None]


def listen_with(weights: Path | None) -> None:
    """Hear with these weights of the speech model from now on in this process; None: with those that ship."""
    _chosen[0] = weights


@lru_cache(maxsize=1)
def _model(weights: Path | None) -> SpeechToFace:
    return SpeechToFace.load(weights)


@torch.inference_mode()
def likelihoods(samples: np.ndarray) -> np.ndarray:
    """(T, 33) log probability of each of PHONE_CLASSES at 50 Hz, in 16 kHz samples."""
    sound = Sound.of(samples, SAMPLE_RATE_HZ)
    heard = _model(_chosen[0]).network.speech(sound.log_mel(0, sound.frames)[None])
    return heard.phones[0].log_softmax(-1).numpy()


def aligned(samples: np.ndarray, symbols: list[str]) -> tuple[list[Phone], float]:
    """When each of `symbols` (IPA letters, no silences) is spoken, to 20 ms, and how well they are heard.

    Returns:
        The phones with the silences between them, and the mean log probability of the frames that are spoken (0 is
        certain); no phones where there are more of them than frames.
    """
    chances = np.maximum(likelihoods(samples), _SURPRISE)
    states = [SILENCE, *(state for symbol in symbols for state in (symbol, SILENCE))]
    cost = chances[:, [PHONE_CLASSES.index(CLASS_OF_LETTER.get(symbol, "sil")) for symbol in states]]
    best, came = _best(cost, np.array([state == SILENCE for state in states]))
    if best is None:
        return [], _NEVER
    path = _traced(best, came)
    phones, start = [], 0
    for frame in range(1, len(path) + 1):
        if frame == len(path) or path[frame] != path[start]:
            phones.append(Phone(start / CHANNEL_RATE_HZ, frame / CHANNEL_RATE_HZ, states[path[start]]))
            start = frame
    spoken = np.array([states[state] != SILENCE for state in path])
    return phones, float(cost[np.arange(len(path)), path][spoken].mean())


def _best(cost: np.ndarray, optional: np.ndarray) -> tuple[int | None, np.ndarray]:
    """The last state of the best path, None if no path ends; and (T, S) how many states back each came from."""
    count, size = cost.shape
    came = np.zeros((count, size), np.int8)
    score = np.full(size, _NEVER)
    score[:2] = cost[0, :2]
    for frame in range(1, count):
        ways = np.full((3, size), _NEVER)
        ways[0], ways[1, 1:] = score, score[:-1]
        # A silence may be passed by.
        ways[2, 2:] = np.where(optional[1:-1], score[:-2], _NEVER)
        came[frame] = ways.argmax(0)
        score = ways.max(0) + cost[frame]
    last = size - 1 if score[-1] >= score[-2] else size - 2
    return (last if score[last] > _NEVER / 2 else None), came


def _traced(last: int, came: np.ndarray) -> list[int]:
    path = [last]
    for frame in range(len(came) - 1, 0, -1):
        path.append(path[-1] - int(came[frame, path[-1]]))
    return path[::-1]
