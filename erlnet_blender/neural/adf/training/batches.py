"""Windows of prepared material, chosen at random."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..articulation import ARTICULATION
from ..corpus.preparation import Prepared
from ..features import HIGHEST_HZ, LOWEST_HZ, mel_of_hz

BATCH, WINDOW_FRAMES, REFERENCE_FRAMES = 8, 200, 200
_POOL_SHARES = (0.28, 0.62, 0.1)
_TRACT_CHANGE = 0.15
# In units of log-mel, of which one is 20 dB. Close microphones lift the bass so far that an r or l hums like an m.
_COLOUR, _TILT = 0.15, 0.5


class Batches:
    """Draws windows; recorded speakers more often than rule-made voices, and each of them as often as the others."""

    def __init__(self, prepared: Prepared) -> None:
        self.data = prepared
        self.members = [
            [np.flatnonzero((prepared.pools == pool) & (prepared.voices == voice))
             for voice in np.unique(prepared.voices[prepared.pools == pool])]
            for pool in range(3)
        ]  # fmt: skip
        shares = np.array([share if found else 0.0 for share, found in zip(_POOL_SHARES, self.members, strict=True)])
        self.shares = shares / shares.sum()

    def speech(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log-mel (B, 2T, 80), motion (B, T, 11), phones (B, T), accents (B, T)."""
        frames = WINDOW_FRAMES
        mel = np.zeros((BATCH, 2 * frames, self.data.mel.shape[1]), np.float32)
        motion = np.zeros((BATCH, frames, len(ARTICULATION)), np.float32)
        phones, accents = np.zeros((BATCH, frames), np.int64), np.zeros((BATCH, frames), np.float32)
        for row in range(BATCH):
            voices = self.members[random.choice(3, p=self.shares)]
            chosen = voices[random.integers(len(voices))]
            index = chosen[random.integers(len(chosen))]
            begin, end = self.data.starts[index], self.data.starts[index + 1]
            start = begin + random.integers(max(1, end - begin - frames + 1))
            count = min(frames, end - start)
            part = slice(start, start + count)
            mel[row, : 2 * count] = self.data.mel[2 * start : 2 * (start + count)]
            mel[row, 2 * count :] = mel[row, 2 * count - 1]
            motion[row, :count], phones[row, :count] = self.data.motion[part], self.data.phones[part]
            accents[row, :count] = self.data.accents[part]
            _distort(mel[row], random)
        return tuple(map(torch.from_numpy, (mel, motion, phones, accents)))  # type: ignore[return-value]

    def references(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Other motion (B, 200, 11), accents (B, 200) and speaking (B, 200), across recordings."""
        starts = random.integers(0, max(1, len(self.data.motion) - REFERENCE_FRAMES), BATCH)
        rows = starts[:, None] + np.arange(REFERENCE_FRAMES)
        rows = np.minimum(rows, len(self.data.motion) - 1)
        motion, accents = self.data.motion[rows].astype(np.float32), self.data.accents[rows].astype(np.float32)
        return (
            torch.from_numpy(motion),
            torch.from_numpy(accents),
            torch.from_numpy((self.data.phones[rows] > 0).astype(np.float32)),
        )


def _distort(mel: np.ndarray, random: np.random.Generator) -> None:
    """Another vocal tract, a missing band, another spectral tilt, another level, a little noise: in place."""
    bands = mel.shape[1]
    if random.random() < 0.5:
        _warp(mel, float(np.exp(random.uniform(-_TRACT_CHANGE, _TRACT_CHANGE))))
    if random.random() < 0.4:
        low = random.integers(0, bands - 10)
        mel[:, low : low + random.integers(2, 12)] = mel.mean()
    if random.random() < 0.5:
        knots = np.linspace(0, bands - 1, 7)
        mel += np.interp(np.arange(bands), knots, random.normal(0, _COLOUR, 7)).astype(np.float32)
    if random.random() < 0.4:
        mel += (random.uniform(-_TILT, _TILT) * np.linspace(1, -1, bands)).astype(np.float32)
    mel += random.normal(0, 0.05)
    if random.random() < 0.3:
        mel += random.standard_normal(mel.shape).astype(np.float32) * 0.05


def _warp(mel: np.ndarray, factor: float) -> None:
    """Scale the frequency axis, as a longer or shorter vocal tract does (Jaitly & Hinton 2013): in place."""
    bands = mel.shape[1]
    edges_mel = np.linspace(mel_of_hz(LOWEST_HZ), mel_of_hz(HIGHEST_HZ), bands + 2)[1:-1]
    sources_mel = mel_of_hz(np.minimum(700 * (10 ** (edges_mel / 2595) - 1) * factor, HIGHEST_HZ))
    place = np.clip(np.interp(sources_mel, edges_mel, np.arange(bands)), 0, bands - 1)
    below = np.minimum(place.astype(int), bands - 2)
    share = (place - below).astype(np.float32)
    mel[:] = mel[:, below] * (1 - share) + mel[:, below + 1] * share
