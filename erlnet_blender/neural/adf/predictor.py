"""Speech to face: what is heard in a recording, how the mouth moves to it, and the whole of it as a FaceTrack.

All is done in windows, so that length costs time and not memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ...delivery import PARTS, Amount, Delivery
from ...errors import Cancelled
from ...face_track import FaceTrack
from ...formats.head_model import HeadModel
from .articulation import (
    ARTICULATION,
    BILABIAL_CLASSES,
    LOWEST,
    MOUTH,
    PHONE_CLASSES,
    SHAPES,
)  # fmt: skip
from .checkpoint import load_network
from .closure import believed_closures, believed_tucks, rest_gate
from .features import SAMPLE_RATE_HZ
from .motion import styled
from .network import MARGIN_FRAMES, SpeechToFaceNetwork
from .network.speech_encoder import CONTACT_COLUMNS, SHAPE_COLUMNS, speaking_of
from .performance import Performance
from .sound import Sound

WINDOW_FRAMES = 1000
_BILABIAL_COLUMNS = [PHONE_CLASSES.index(name) for name in BILABIAL_CLASSES]
Progress = Callable[..., None]


@dataclass
class Heard:
    """What the network hears, at 50 Hz: articulation (T, 11), bilabial, accents and speaking (T,), phones (T, 33).

    The phones are the chances of PHONE_CLASSES; where a motion has no sound there are none (0, 33).
    """

    articulation: np.ndarray
    bilabial: np.ndarray
    accents: np.ndarray
    speaking: np.ndarray
    phones: np.ndarray = field(default_factory=lambda: np.zeros((0, len(PHONE_CLASSES)), np.float32))


class SpeechToFace:
    """The speech model, ready to use.

    Args:
        network: in evaluation mode.
        metadata: of its weights file; `calibration` holds the closure threshold and the gains of the shapes.
    """

    def __init__(self, network: SpeechToFaceNetwork, metadata: dict) -> None:
        self.network, self.metadata = network, metadata
        calibration = metadata.get("calibration", {})
        self.closure_threshold = float(calibration.get("closure_threshold", 0.5))
        self.tuck_threshold: float | None = calibration.get("tuck_threshold")
        """None in weights that were calibrated without one: then f and v are as likely as the network holds them."""
        self.gains = np.array([calibration.get("gains", {}).get(name, 1.0) for name in SHAPES], np.float32)

    @classmethod
    def load(cls, weights: str | Path | None = None) -> SpeechToFace:
        """Load weights; None means those that ship with the add-on.

        Raises:
            ErlnetError: missing or damaged weights, or of another version.
        """
        return cls(*load_network(weights))

    def predict(
        self, samples: np.ndarray, sample_rate_hz: int, fps: float, head: HeadModel, style: str = "neutral",
        strength: Amount = 1.0, seed: int = 0, progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None, *, second_style: str = "", mix: Amount = 0.0,
        emotions: Mapping[str, Amount] | None = None, parts: frozenset[str] = PARTS, blinks_per_minute: float = 0.0,
    ) -> FaceTrack:  # fmt: skip
        """The motion of a face that says what is heard.

        Args:
            samples: (n,) mono, any level; sample_rate_hz: its rate.
            fps: frame rate of the track; head: the model that the coefficients are for.
            progress: called with the fraction done and a word; cancelled: asked often.
            style, strength, second_style, mix, emotions, parts, blinks_per_minute, seed: see `Delivery`.

        Returns:
            ceil(duration x fps) frames, one at least. The same call gives the same track.

        Raises:
            ErlnetError: no samples, a bad frame rate or delivery; Cancelled when `cancelled` says so.
        """
        delivery = Delivery(style, strength, second_style, mix, emotions or {}, parts, blinks_per_minute, seed)
        return self.perform(Sound.of(samples, sample_rate_hz), fps, head, delivery, progress, cancelled).track()

    def perform(
        self, sound: Sound, fps: float, head: HeadModel, delivery: Delivery, progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Performance:  # fmt: skip
        """As `predict`, of any length: the track comes in pieces."""
        return Performance(self, sound, fps, head, delivery, progress, cancelled)

    def listen(self, samples: np.ndarray) -> Heard:
        """What is said in (n,) samples at 16 kHz."""
        return self.hear(Sound.of(samples, SAMPLE_RATE_HZ))

    @torch.inference_mode()
    def hear(
        self, sound: Sound, low: int = 0, high: int | None = None, progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Heard:  # fmt: skip
        """What is said from frame `low` to `high` (50 Hz; None: the end).

        In windows of 20 s, which overlap by what the network can hear beyond them.
        """
        high = sound.frames if high is None else high
        parts = []
        for start, end, before, after in windows(high, cancelled, low, sound.frames):
            heard = self.network.speech(sound.log_mel(before, after)[None])
            chances = heard.phones[0].softmax(-1)
            keep = slice(start - before, end - before)
            parts.append(
                (heard.motion[0].sigmoid()[keep], chances[:, _BILABIAL_COLUMNS].sum(-1)[keep], heard.accents[0][keep],
                 speaking_of(heard.phones)[0][keep], chances[keep])
            )  # fmt: skip
            if progress is not None:
                progress(end / sound.frames, "listening")
        motion, bilabial, accents, speaking, phones = (
            torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True)
        )
        if sound.level is None:
            motion, bilabial, accents, speaking, phones = (
                0 * array for array in (motion, bilabial, accents, speaking, phones)
            )
        return Heard(motion, bilabial, np.clip(accents, 0, 1.5), speaking, phones)

    @torch.inference_mode()
    def move(self, heard: Heard, code: np.ndarray, cancelled: Callable[[], bool] | None = None) -> np.ndarray:
        """(T, 21) MOUTH channels at 50 Hz of what was heard, in the style of `code`, (128,) or (T, 128)."""
        gate, count = rest_gate(heard.speaking), len(heard.speaking)
        contacts = heard.articulation * gate[:, None]
        closure = ARTICULATION.index("closure")
        contacts[:, closure] = gate * believed_closures(
            heard.articulation[:, closure], heard.bilabial, self.closure_threshold
        )
        tuck = ARTICULATION.index("lip_tuck")
        if self.tuck_threshold is not None:
            contacts[:, tuck] = gate * believed_tucks(heard.articulation[:, tuck], self.tuck_threshold)
        moved = styled(self.network, heard.articulation, heard.accents, heard.speaking, code, cancelled)
        mouth = np.zeros((count, len(MOUTH)), np.float32)
        mouth[:, CONTACT_COLUMNS] = contacts[:, CONTACT_COLUMNS]
        mouth[:, SHAPE_COLUMNS] = moved[:, : len(SHAPES)] * self.gains * gate[:, None]
        mouth[:, len(ARTICULATION) :] = moved[:, len(SHAPES) :]
        return np.clip(mouth, LOWEST, 1.3)


def windows(
    end: int, cancelled: Callable[[], bool] | None = None, start: int = 0, count: int | None = None
) -> Iterator[tuple[int, int, int, int]]:
    """(start, end, low, high) of the windows from frame `start` to `end`: start to end is new, low to high is seen.

    Args:
        count: how many frames there are to be seen in all; None: up to `end`.

    Raises:
        Cancelled: `cancelled` says so before a window.
    """
    count = end if count is None else count
    for first in range(start, end, WINDOW_FRAMES):
        if cancelled is not None and cancelled():
            raise Cancelled
        last = min(end, first + WINDOW_FRAMES)
        yield first, last, max(0, first - MARGIN_FRAMES), min(count, last + MARGIN_FRAMES)
