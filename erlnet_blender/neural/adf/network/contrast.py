"""The contrastive speech loss: a moment of sound belongs to its own moment of motion and to no other.

Both sides are mapped to unit vectors and told apart across the batch and across time (InfoNCE, van den Oord et al.
2018; symmetric and with a learnt temperature as in CLIP, Radford et al. 2021). Used in training only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..articulation import ARTICULATION

_SIZE = 64
_MOMENTS = 16
_REACH = 5
_TOO_NEAR_FRAMES = 6
_COLDEST = math.log(100.0)


class SpeechMotionContrast(nn.Module):
    """Compares content features with motion, both at 50 Hz.

    Args:
        channels: of the speech encoder's hidden state.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sound = nn.Conv1d(channels, _SIZE, _REACH, padding=_REACH // 2)
        self.motion = nn.Sequential(
            nn.Conv1d(2 * len(ARTICULATION), _SIZE, _REACH, padding=_REACH // 2),
            nn.GELU(),
            nn.Conv1d(_SIZE, _SIZE, _REACH, padding=_REACH // 2),
        )
        self.temperature = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, hidden: Tensor, motion: Tensor, speaking: Tensor) -> Tensor:
        """The loss.

        Args:
            hidden: (B, T, C); motion: (B, T, 11); speaking: (B, T) bool: only there can moments be told apart.
        """
        velocity = torch.diff(motion, dim=1, prepend=motion[:, :1]) * 3
        sound = nn.functional.normalize(self.sound(hidden.transpose(1, 2)), dim=1)
        moved = nn.functional.normalize(self.motion(torch.cat([motion, velocity], 2).transpose(1, 2)), dim=1)
        chosen = torch.multinomial(speaking.float() + 1e-6, _MOMENTS)
        rows = torch.arange(len(hidden)).repeat_interleave(_MOMENTS)
        times = chosen.flatten()
        spoken = speaking[rows, times]
        rows, times = rows[spoken], times[spoken]
        if len(rows) < 2:
            return hidden.new_zeros(())
        alike = sound[rows, :, times] @ moved[rows, :, times].T * self.temperature.clamp(max=_COLDEST).exp()
        # Moments next to each other look alike: they are no counterexamples.
        near = (rows[:, None] == rows) & ((times[:, None] - times).abs() < _TOO_NEAR_FRAMES)
        alike = alike.masked_fill(near.fill_diagonal_(False), -1e4)
        truth = torch.arange(len(times))
        return 0.5 * (nn.functional.cross_entropy(alike, truth) + nn.functional.cross_entropy(alike.T, truth))
