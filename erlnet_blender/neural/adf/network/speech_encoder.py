"""Hearing: log-mel spectra to articulation, phones and accents.

A temporal convolution network of dilated residual blocks (Bai, Kolter & Koltun 2018) that hears ±0.7 s. Every norm is
per frame and nothing is autoregressive, so windows with enough overlap give what the whole recording gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..articulation import ARTICULATION, CONTACTS, PHONE_CLASSES, SHAPES
from ..features import MEL_BANDS

_DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8, 1, 2)
HEARING_FRAMES = sum(_DILATIONS) + 3
"""Frames at 50 Hz to each side that what is heard of a frame depends on."""
CONTACT_COLUMNS = [ARTICULATION.index(name) for name in CONTACTS]
SHAPE_COLUMNS = [ARTICULATION.index(name) for name in SHAPES]


@dataclass
class Hearing:
    """What the encoder makes of (B, 2T, 80) log-mel, at 50 Hz.

    Args:
        motion: (B, T, 11) logits of ARTICULATION; phones: (B, T, 33) logits; accents: (B, T).
        hidden: (B, T, channels) content features, what phones and motion are read from.
    """

    motion: Tensor
    phones: Tensor
    accents: Tensor
    hidden: Tensor


class DilatedBlock(nn.Module):
    """Norm, dilated convolution over three frames, GELU, a linear layer, added to the input; (B, T, C).

    The convolution is a matrix product of three shifted copies, which a CPU does faster than a strided convolution.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(channels)
        self.wide = nn.Linear(3 * channels, channels)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        normed, count = self.norm(x), x.shape[1]
        padded = nn.functional.pad(normed, (0, 0, self.dilation, self.dilation))
        near = torch.cat([padded[:, :count], normed, padded[:, 2 * self.dilation :]], 2)
        return x + self.mix(nn.functional.gelu(self.wide(near)))


class SpeechEncoder(nn.Module):
    """(B, 2T, 80) log-mel at 100 Hz to `Hearing` at 50 Hz."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.listen = nn.Conv1d(MEL_BANDS, channels, 5, padding=2)
        self.halve = nn.Conv1d(channels, channels, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, dilation) for dilation in _DILATIONS[:blocks]))
        self.norm = nn.LayerNorm(channels)
        self.motion = nn.Linear(channels, len(ARTICULATION))
        self.phones = nn.Linear(channels, len(PHONE_CLASSES))
        self.accent = nn.Linear(channels, 1)

    def forward(self, log_mel: Tensor) -> Hearing:
        gelu = nn.functional.gelu
        heard = gelu(self.halve(gelu(self.listen(log_mel.transpose(1, 2))))).transpose(1, 2)
        hidden = self.norm(self.blocks(heard))
        return Hearing(self.motion(hidden), self.phones(hidden), self.accent(hidden)[..., 0], hidden)


def speaking_of(phone_logits: Tensor) -> Tensor:
    """(B, T) probability that somebody speaks, from phone logits."""
    return 1 - phone_logits.softmax(-1)[..., 0]
