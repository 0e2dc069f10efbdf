"""What every synthesiser of the corpus returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SYNTHESISERS = ("espeak", "flite", "festival", "rhvoice", "pico")


@dataclass
class Phone:
    """One speech sound: `symbol` is a single IPA letter or `_` for silence; times in seconds."""

    start_s: float
    end_s: float
    symbol: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass
class Spoken:
    """A spoken text: mono samples in -1..1, and its phones in order; a voice is named after what speaks it."""

    text: str
    voice: str
    samples: np.ndarray
    sample_rate_hz: int
    phones: list[Phone] = field(default_factory=list)
    language: str = "en"

    @property
    def kind(self) -> str:
        """The synthesiser, or `recorded`."""
        maker = self.voice.partition("-")[0]
        return maker if maker in SYNTHESISERS else "recorded"
