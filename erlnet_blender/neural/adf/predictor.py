"""Speech to face: a recording and a style become a FaceTrack, in windows, so that length costs time and not memory.

Frame f of a track covers [f, f + 1) / fps seconds. Shapes are averaged over it; contacts take their highest value in
it, so that no lip closure falls between two frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import Cancelled, ErlnetError
from ...face_track import FaceTrack
from ...formats.audio import resampled
from ...formats.head_model import HeadModel
from .articulation import (
    ARTICULATION,
    BILABIAL_CLASSES,
    CHANNEL_RATE_HZ,
    CONTACTS,
    LOWEST,
    MOUTH,
    PHONE_CLASSES,
    SHAPES,
)  # fmt: skip
from .behaviour import behave
from .behaviour.breath import with_breath
from .checkpoint import load_network
from .closure import believed_closures, rest_gate
from .features import HOP, QUIETEST_REFERENCE, SAMPLE_RATE_HZ, log_mel, mel_power, reference_level
from .network import MARGIN_FRAMES, SpeechToFaceNetwork
from .network.speech_encoder import CONTACT_COLUMNS, SHAPE_COLUMNS, speaking_of
from .other_heads import spoken
from .style.factors import values_of
from .style.measured import style_code

WINDOW_FRAMES = 1000
_SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // CHANNEL_RATE_HZ
_SUBSAMPLES = 5
_BILABIAL_COLUMNS = [PHONE_CLASSES.index(name) for name in BILABIAL_CLASSES]
Progress = Callable[..., None]


@dataclass
class Heard:
    """What the network hears, at 50 Hz: articulation (T, 11), bilabial, accents and speaking (T,)."""

    articulation: np.ndarray
    bilabial: np.ndarray
    accents: np.ndarray
    speaking: np.ndarray


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
        strength: float = 1.0, seed: int = 0, progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> FaceTrack:  # fmt: skip
        """The motion of a face that says what is heard.

        Args:
            samples: (n,) mono, any level; sample_rate_hz: its rate.
            fps: frame rate of the track; head: the model that the coefficients are for.
            style: a preset of `style.PRESETS`, or the path of a FaceTrack (.npz) to take the style from.
            strength: 0 neutral, 1 the style, up to 3 beyond it; seed: of head, blinks and gaze.
            progress: called with the fraction done and a word; cancelled: asked often.

        Returns:
            ceil(duration x fps) frames, one at least. The same call gives the same track.

        Raises:
            ErlnetError: no samples, a bad frame rate, style or strength; Cancelled when `cancelled` says so.
        """
        if not (np.isfinite(fps) and 1 <= fps <= 1000):
            raise ErlnetError(f"Frame rate {fps} is not between 1 and 1000")
        code, note = style_code(style, strength, head, self.network)
        sound = prepared_samples(samples, sample_rate_hz)
        heard = self.listen(sound, progress, cancelled)
        mouth = self.move(heard, code, cancelled)
        motion = behave(values_of(code), heard.accents, heard.speaking, seed)
        mouth = with_breath(mouth, motion.breath)
        count = max(1, ceil(len(samples) / sample_rate_hz * fps - 1e-6))
        mouth = at_frames(mouth, fps, count, highest=[MOUTH.index(name) for name in CONTACTS])
        breath = at_frames(motion.breath[:, None], fps, count)[:, 0]
        face = spoken(mouth, at_frames(motion.eyelids, fps, count), head, breath)
        source = {
            "made_by": "erlnet ADF", "style": str(style), "strength": strength, "seed": seed,
            "model": self.metadata.get("command", ""), "notes": self._notes(heard, note, face.missing),
        }  # fmt: skip
        return FaceTrack(
            face.expr,
            fps,
            head.id,
            jaw_pose=face.jaw_pose,
            neck_pose=at_frames(motion.head, fps, count),
            eyes_pose=at_frames(motion.eyes, fps, count),
            eyelids=face.eyelids,
            source=json.dumps(source),
        )

    def listen(
        self, sound: np.ndarray, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Heard:
        """What is said in 16 kHz samples; windows of 20 s overlap by what the network can hear beyond them."""
        count = max(1, ceil(len(sound) / _SAMPLES_PER_FRAME))
        level = _level(sound)
        parts = []
        for start, end, low, high in windows(count, cancelled):
            with torch.no_grad():
                heard = self.network.speech(_mel(sound, low, high, level)[None])
            chances = heard.phones[0].softmax(-1)
            keep = slice(start - low, end - low)
            parts.append(
                (heard.motion[0].sigmoid()[keep], chances[:, _BILABIAL_COLUMNS].sum(-1)[keep], heard.accents[0][keep],
                 speaking_of(heard.phones)[0][keep])
            )  # fmt: skip
            if progress is not None:
                progress(end / count, "listening")
        motion, bilabial, accents, speaking = (torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True))
        if level is None:
            motion, bilabial, accents, speaking = (0 * array for array in (motion, bilabial, accents, speaking))
        return Heard(motion, bilabial, np.clip(accents, 0, 1.5), speaking)

    def move(self, heard: Heard, code: np.ndarray, cancelled: Callable[[], bool] | None = None) -> np.ndarray:
        """(T, 21) MOUTH channels at 50 Hz of what was heard, in the style of (128,) `code`."""
        gate, count = rest_gate(heard.speaking), len(heard.speaking)
        contacts = heard.articulation * gate[:, None]
        closure = ARTICULATION.index("closure")
        contacts[:, closure] = gate * believed_closures(
            heard.articulation[:, closure], heard.bilabial, self.closure_threshold
        )
        content = [torch.from_numpy(curve)[None] for curve in (heard.articulation, heard.accents, heard.speaking)]
        style = torch.from_numpy(code.astype(np.float32))[None]
        styled = np.zeros((count, len(MOUTH) - len(CONTACTS)), np.float32)
        for start, end, low, high in windows(count, cancelled):
            with torch.no_grad():
                window = self.network.style_decoder(*(tensor[:, low:high] for tensor in content), style)
            styled[start:end] = window[0, start - low : end - low].numpy()
        mouth = np.zeros((count, len(MOUTH)), np.float32)
        mouth[:, CONTACT_COLUMNS] = contacts[:, CONTACT_COLUMNS]
        mouth[:, SHAPE_COLUMNS] = styled[:, : len(SHAPES)] * self.gains * gate[:, None]
        mouth[:, len(ARTICULATION) :] = styled[:, len(SHAPES) :]
        return np.clip(mouth, LOWEST, 1.3)

    def _notes(self, heard: Heard, note: str, missing: list[str]) -> list[str]:
        notes = [note] if note else []
        if not rest_gate(heard.speaking).any():
            notes.append("silent: no speech was heard")
        if missing:
            notes.append(f"the head has no {', '.join(missing)}: left out")
        return notes


def windows(count: int, cancelled: Callable[[], bool] | None = None) -> Iterator[tuple[int, int, int, int]]:
    """(start, end, low, high) of the windows of `count` frames: start to end is new, low to high is what it hears.

    Raises:
        Cancelled: `cancelled` says so before a window.
    """
    for start in range(0, count, WINDOW_FRAMES):
        if cancelled is not None and cancelled():
            raise Cancelled
        end = min(count, start + WINDOW_FRAMES)
        yield start, end, max(0, start - MARGIN_FRAMES), min(count, end + MARGIN_FRAMES)


def prepared_samples(samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Mono float32 at 16 kHz, without a constant offset; what is not a number is silence.

    Raises:
        ErlnetError: no samples, or not a row of them.
    """
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1 or not len(samples):
        raise ErlnetError("Audio is empty", "", "choose a recording with sound in it")
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    return resampled(samples, sample_rate_hz, SAMPLE_RATE_HZ) if sample_rate_hz != SAMPLE_RATE_HZ else samples


def at_frames(curves: np.ndarray, fps: float, count: int, highest: list[int] | None = None) -> np.ndarray:
    """(count, C) curves at `fps` from (T, C) at 50 Hz: means over each frame, or maxima for the columns `highest`."""
    own_s = (np.arange(len(curves)) + 0.5) / CHANNEL_RATE_HZ
    times_s = (np.arange(count)[:, None] + (np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES) / fps
    result = np.zeros((count, curves.shape[1]), np.float32)
    for index, curve in enumerate(curves.T):
        inside = np.interp(times_s, own_s, curve)
        result[:, index] = inside.max(1) if highest and index in highest else inside.mean(1)
    return result


def _level(sound: np.ndarray) -> float | None:
    """Reference level of 16 kHz samples, in blocks; None where all is silence."""
    block = WINDOW_FRAMES * _SAMPLES_PER_FRAME
    power = torch.cat([mel_power(sound[start : start + block]).mean(1) for start in range(0, len(sound), block)])
    level = reference_level(power)
    return level if level > QUIETEST_REFERENCE else None


def _mel(sound: np.ndarray, low: int, high: int, level: float | None) -> Tensor:
    """(2 (high - low), 80) log-mel of the 50 Hz frames low..high."""
    context = 4 * HOP  # so that the first and last windows of the spectrum see what lies beyond
    start, end = low * _SAMPLES_PER_FRAME, high * _SAMPLES_PER_FRAME
    piece = sound[max(0, start - context) : end + context]
    before = start - max(0, start - context)
    piece = np.pad(piece, (0, max(0, before + end - start + context - len(piece))))
    power = mel_power(piece)[before // HOP :][: 2 * (high - low)]
    return log_mel(power, level or 1.0)
