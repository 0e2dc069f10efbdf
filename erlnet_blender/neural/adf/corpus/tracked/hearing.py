"""What only the sound tells: when somebody speaks, what is stressed, what the tongue does; by the shipped weights.

So a network that learns from filmed people keeps what they cannot teach it (learning without forgetting, Li & Hoiem
2016): no camera sees a tongue, and without a transcript nobody knows the phones. Lips are seen, and what is seen
outweighs what is heard: a frame is m, b or p where they are sealed, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...articulation import BILABIAL_CLASSES, PHONE_CLASSES
from ...closure import rest_gate
from ...features import SAMPLE_RATE_HZ, log_mel, mel_power, reference_level
from ...predictor import SpeechToFace

_BILABIAL = np.isin(PHONE_CLASSES, BILABIAL_CLASSES)
_SILENCE = np.arange(len(PHONE_CLASSES)) == 0
_EDGE_S = 0.7
"""Sound before and after a clip that its frames depend on."""


@dataclass(frozen=True)
class Heard:
    """A clip at 50 Hz: articulation (T, 11) 0..1, accents (T,), log probabilities of the phone classes (T, 33)."""

    articulation: np.ndarray
    accents: np.ndarray
    phones: np.ndarray


def speech_gate(model: SpeechToFace, samples: np.ndarray) -> np.ndarray:
    """(T,) at 50 Hz, 1 while somebody speaks, 0 where the mouth may rest, for 16 kHz samples."""
    return rest_gate(model.listen(samples).speaking)


def hear(model: SpeechToFace, samples: np.ndarray, start_s: float, end_s: float) -> Heard:
    """What is heard between two times of 16 kHz samples, both multiples of 20 ms."""
    low_s, high_s = max(0.0, start_s - _EDGE_S), min(len(samples) / SAMPLE_RATE_HZ, end_s + _EDGE_S)
    piece = samples[round(low_s * SAMPLE_RATE_HZ) : round(high_s * SAMPLE_RATE_HZ)]
    power = mel_power(piece[: len(piece) // 320 * 320])
    with torch.no_grad():
        heard = model.network.speech(log_mel(power, reference_level(power.mean(1)))[None])
    keep = slice(round((start_s - low_s) * 50), round((end_s - low_s) * 50))
    return Heard(
        heard.motion[0].sigmoid()[keep].numpy(),
        heard.accents[0].clamp(0, 1.5)[keep].numpy(),
        heard.phones[0].log_softmax(-1)[keep].numpy(),
    )


def phones_heard(heard: np.ndarray, speaking: np.ndarray, sealed: np.ndarray) -> np.ndarray:
    """(T,) int8 classes: the likeliest one that what is seen allows.

    Args:
        heard: (T, 33) log probabilities; speaking, sealed: (T,) bool.
    """
    allowed = np.where(sealed[:, None], _BILABIAL, ~_BILABIAL & ~_SILENCE)
    return np.where(speaking, np.where(allowed, heard, -np.inf).argmax(1), 0).astype(np.int8)
