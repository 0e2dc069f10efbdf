"""Transformer layers that see no further than `reach` steps to each side, by relative position alone.

So a sequence of any length costs time in proportion to it, and a window of it with `reach` steps per layer of overlap
gives what the whole sequence gives. Attention after Vaswani et al. 2017, windowed as by Beltagy, Peters & Cohan 2020,
with a learnt bias per head and distance (Raffel et al. 2020); a style modulates each norm (FiLM, Perez et al. 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LocalAttention(nn.Module):
    """(B, N, C) to (B, N, C): every step attends to those at most `reach` away."""

    def __init__(self, channels: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.ask = nn.Linear(channels, 3 * channels, bias=False)
        self.answer = nn.Linear(channels, channels)
        self.distance_bias = nn.Parameter(torch.zeros(heads, 2 * reach + 1))

    def forward(self, x: Tensor) -> Tensor:
        count, steps, channels = x.shape
        size, blocks = self.reach, -(-steps // self.reach)
        padded = nn.functional.pad(self.ask(x), (0, 0, 0, blocks * size - steps))
        query, key, value = padded.view(count, blocks, size, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        scores = query @ self._neighbours(key).transpose(-1, -2) * query.shape[-1] ** -0.5
        scores = scores + self._bias(steps, blocks)
        mixed = scores.softmax(-1) @ self._neighbours(value)
        return self.answer(mixed.transpose(2, 3).reshape(count, blocks * size, channels)[:, :steps])

    def _neighbours(self, x: Tensor) -> Tensor:
        """(B, blocks, heads, 3 size, D): each block with the one before and the one after it."""
        edged = nn.functional.pad(x, (0, 0, 0, 0, 0, 0, 1, 1))
        return torch.cat([edged[:, :-2], edged[:, 1:-1], edged[:, 2:]], 3)

    def _bias(self, steps: int, blocks: int) -> Tensor:
        """(blocks, heads, size, 3 size) bias by distance; minus infinity beyond the reach and beyond both ends."""
        size = self.reach
        place, other = torch.arange(size)[:, None], torch.arange(3 * size) - size
        distance = other - place
        near = distance.abs() <= size
        bias = self.distance_bias[:, distance.clamp(-size, size) + size]
        there = torch.arange(blocks)[:, None] * size + other
        valid = near & ((there >= 0) & (there < steps))[:, None]
        # Steps that only fill the last block attend to everything: their output is cut off, and must not be NaN.
        valid = valid | (torch.arange(blocks)[:, None] * size + torch.arange(size) >= steps)[..., None]
        return bias + torch.zeros(valid.shape).masked_fill(~valid, float("-inf"))[:, None]


class LocalBlock(nn.Module):
    """Norm, attention, norm, two linear layers, both added to the input; a style (B, 1 or N, S) may set the norms."""

    def __init__(self, channels: int, reach: int, heads: int = 4, style_size: int = 0) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = LocalAttention(channels, heads, reach)
        self.think = nn.Sequential(nn.Linear(channels, 3 * channels), nn.GELU(), nn.Linear(3 * channels, channels))
        self.modulate = nn.Linear(style_size, 4 * channels) if style_size else None
        if self.modulate is not None:
            nn.init.normal_(self.modulate.weight, std=0.02)
            nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        first, second = self.first(x), self.second
        if self.modulate is None or style is None:
            x = x + self.attention(first)
            return x + self.think(second(x))
        scale, shift, scale_2, shift_2 = self.modulate(style).chunk(4, -1)
        x = x + self.attention(first * (1 + scale) + shift)
        return x + self.think(second(x) * (1 + scale_2) + shift_2)
