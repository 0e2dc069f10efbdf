"""Sound as the model hears it: mono, 16 kHz, of any length; what is long waits on disk and not in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from math import ceil

import numpy as np
import torch

from ...errors import ErlnetError
from ...formats.audio import resampled
from .articulation import CHANNEL_RATE_HZ
from .features import HOP, QUIETEST_REFERENCE, SAMPLE_RATE_HZ, log_mel, mean_power, mel_power, reference_level

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // CHANNEL_RATE_HZ
_IN_MEMORY_S = 60
_OFFSET_SHARE = 0.1
"""A constant offset above this share of the sound's RMS is taken away; smaller ones are in the corpus too."""
_BLOCK_S = 20
_ACTIVE_SHARE = 0.01
"""Blocks more than 20 dB below the loudest do not count for the level."""


class Sound:
    """A recording at 16 kHz, without a large constant offset; what is not a number is silence.

    Args:
        blocks: (n,) float32 samples, one after the other; or an `AudioStream` at 16 kHz.

    Raises:
        ErlnetError: there are no samples.
    """

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_S * SAMPLE_RATE_HZ * 4)  # noqa: SIM115
        self._count, total, energy = 0, 0.0, 0.0
        for block in blocks:
            block = np.nan_to_num(np.asarray(block, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
            self._file.write(block.tobytes())
            self._count += len(block)
            total += float(block.sum(dtype=np.float64))
            energy += float(np.vdot(block, block))
        if not self._count:
            raise ErlnetError("Audio is empty", "", "choose a recording with sound in it")
        self.duration_s: float = getattr(blocks, "duration_s", self._count / SAMPLE_RATE_HZ)
        """Length in seconds, to the sample of the file."""
        offset = total / self._count
        is_large = abs(offset) > _OFFSET_SHARE * np.sqrt(energy / self._count)
        self._offset = np.float32(offset if is_large else 0)
        self._level: float | None = None

    @classmethod
    def of(cls, samples: np.ndarray, sample_rate_hz: int) -> Sound:
        """The sound of (n,) mono samples at any rate.

        Raises:
            ErlnetError: no samples, or not a row of them.
        """
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1 or not len(samples):
            raise ErlnetError("Audio is empty", "", "choose a recording with sound in it")
        own_s = len(samples) / sample_rate_hz
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        if sample_rate_hz != SAMPLE_RATE_HZ:
            samples = resampled(samples, sample_rate_hz, SAMPLE_RATE_HZ)
        step = _BLOCK_S * SAMPLE_RATE_HZ
        sound = cls(samples[start : start + step] for start in range(0, len(samples), step))
        sound.duration_s = own_s
        return sound

    def __len__(self) -> int:
        return self._count

    @property
    def frames(self) -> int:
        """How many samples at 50 Hz the motion has."""
        return max(1, ceil(self._count / SAMPLES_PER_FRAME))

    def piece(self, start: int, end: int) -> np.ndarray:
        """(end - start,) samples; beyond both ends there is silence."""
        low, high = max(0, start), min(self._count, end)
        samples = np.zeros(end - start, np.float32)
        if high > low:
            self._file.seek(4 * low)
            read = np.frombuffer(self._file.read(4 * (high - low)), np.float32)
            samples[low - start : high - start] = read - self._offset
        return samples

    @property
    def level(self) -> float | None:
        """Mean mel power of the loud frames; None where all is silence.

        The median over blocks of 20 s, without those in which nobody can be speaking: a few words in a long silence
        are heard as loud as they are alone.
        """
        if self._level is None:
            step = _BLOCK_S * SAMPLE_RATE_HZ
            starts = range(0, self._count, step)
            blocks = (self.piece(start, min(self._count, start + step)) for start in starts)
            levels = np.array([reference_level(mean_power(block)) for block in blocks])
            self._level = float(np.median(levels[levels >= levels.max() * _ACTIVE_SHARE]))
        return self._level if self._level > QUIETEST_REFERENCE else None

    def log_mel(self, low: int, high: int) -> torch.Tensor:
        """(2 (high - low), 80) log-mel of the 50 Hz frames `low` to `high`."""
        context = 4 * HOP  # so that the first and last windows of the spectrum see what lies beyond
        piece = self.piece(low * SAMPLES_PER_FRAME - context, high * SAMPLES_PER_FRAME + context)
        power = mel_power(piece)[context // HOP :][: 2 * (high - low)]
        return log_mel(power, self.level or 1.0)
