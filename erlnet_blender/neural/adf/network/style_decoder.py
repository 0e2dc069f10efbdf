"""Neutral articulation to that of a style, by direct regression.

The style enters by feature-wise modulation (FiLM, Perez et al. 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..articulation import ARTICULATION, EXPRESSION, SHAPES
from .speech_encoder import SHAPE_COLUMNS
from .style_encoder import STYLE_SIZE

_DILATIONS = (1, 2, 4, 1)
STYLING_FRAMES = 2 * sum(_DILATIONS) + 1
"""Frames at 50 Hz to each side that a styled frame depends on."""


class StyleDecoder(nn.Module):
    """Neutral articulation, accents, speaking (0..1) and a style to SHAPES and EXPRESSION (B, T, 16).

    The style is (B, 128), or (B, T, 128) where it changes over time.
    """

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        self.enter = nn.Conv1d(len(ARTICULATION) + 2, channels, 3, padding=1)
        self.modulate = nn.ModuleList(nn.Linear(STYLE_SIZE, 2 * channels) for _ in _DILATIONS)
        self.convolve = nn.ModuleList(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation) for dilation in _DILATIONS
        )
        self.leave = nn.Conv1d(channels, len(SHAPES) + len(EXPRESSION), 1)

    def forward(self, articulation: Tensor, accents: Tensor, speaking: Tensor, style: Tensor) -> Tensor:
        content = torch.cat([articulation, accents[..., None], speaking[..., None]], 2)
        hidden = self.enter(content.transpose(1, 2))
        for modulate, convolve in zip(self.modulate, self.convolve, strict=True):
            scale, shift = modulate(style if style.ndim == 3 else style[:, None]).transpose(1, 2).chunk(2, 1)
            hidden = hidden + convolve(nn.functional.gelu(hidden * (1 + scale) + shift))
        change = self.leave(hidden).transpose(1, 2)
        neutral = nn.functional.pad(articulation[..., SHAPE_COLUMNS], (0, len(EXPRESSION)))
        return neutral + change
