"""The style code over time: two styles, mixed, and emotions on top, as a `Delivery` asks for them."""

from __future__ import annotations

import numpy as np

from ....delivery import Amount, Delivery
from ....formats.head_model import HeadModel
from ..articulation import CHANNEL_RATE_HZ
from ..network import SpeechToFaceNetwork
from .measured import style_code
from .presets import emotion_code


class BlendedStyle:
    """strength * ((1 - mix) * first + mix * second) + the sum of intensity * emotion, at each moment.

    Args:
        delivery: what is wanted; its curves are at `fps`.

    Raises:
        ErlnetError: no such preset or emotion, or a track that cannot be used.
    """

    def __init__(self, delivery: Delivery, fps: float, head: HeadModel, network: SpeechToFaceNetwork) -> None:
        self.delivery, self.fps, self.notes = delivery, fps, []
        self.first = self._reference(delivery.style, head, network)
        self.second = self.first
        if delivery.second_style and np.any(delivery.mix):
            self.second = self._reference(delivery.second_style, head, network)
        self.emotions = {name: emotion_code(name) for name in delivery.emotions}

    def _reference(self, style: str, head: HeadModel, network: SpeechToFaceNetwork) -> np.ndarray:
        code, note = style_code(style, 1.0, head, network)
        if note and note not in self.notes:
            self.notes.append(note)
        return code

    def codes(self, start: int, end: int) -> np.ndarray:
        """(128,) where nothing changes, else (end - start, 128): of the samples `start` to `end` at 50 Hz."""

        def at(amount: Amount) -> np.ndarray | float:
            if np.ndim(amount) == 0:
                return amount
            frames = (np.arange(start, end) + 0.5) / CHANNEL_RATE_HZ * self.fps - 0.5
            return np.interp(frames, np.arange(len(amount)), amount)[:, None]  # type: ignore[arg-type]

        mix = at(self.delivery.mix)
        code = at(self.delivery.strength) * ((1 - mix) * self.first + mix * self.second)
        for name, intensity in self.delivery.emotions.items():
            code = code + at(intensity) * self.emotions[name]
        return np.asarray(code, np.float32)
