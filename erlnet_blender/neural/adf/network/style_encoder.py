"""The learnt part of a style code, from a few seconds of motion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..articulation import MOUTH
from ..style.factors import FACTORS

STYLE_SIZE = 128
RESIDUAL_SIZE = STYLE_SIZE - len(FACTORS)


class StyleEncoder(nn.Module):
    """(B, T, 21) MOUTH channels at 50 Hz, a few seconds, to the residual code (B, RESIDUAL_SIZE)."""

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        self.look = nn.Conv1d(2 * len(MOUTH), channels, 5, stride=2, padding=2)
        self.longer = nn.Conv1d(channels, channels, 5, stride=2, padding=2)
        self.attention = nn.Conv1d(channels, 1, 1)
        self.code = nn.Sequential(nn.Linear(3 * channels, 128), nn.GELU(), nn.Linear(128, RESIDUAL_SIZE))

    def forward(self, mouth: Tensor) -> Tensor:
        velocity = torch.diff(mouth, dim=1, prepend=mouth[:, :1]) * 3
        gelu = nn.functional.gelu
        hidden = gelu(self.longer(gelu(self.look(torch.cat([mouth, velocity], 2).transpose(1, 2)))))
        attention = self.attention(hidden).softmax(-1)
        pooled = [(hidden * attention).sum(-1), hidden.mean(-1), hidden.std(-1)]
        return self.code(torch.cat(pooled, 1))
