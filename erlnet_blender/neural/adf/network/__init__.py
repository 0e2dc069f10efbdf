"""The network of ADF: speech to articulation, and a style code to how a person articulates and looks.

Three parts. `SpeechEncoder` is a temporal convolution network (dilated residual blocks, after Bai, Kolter & Koltun
2018) that hears ±0.7 s. `StyleEncoder` makes the learnt residual part of a style code from a few seconds of motion.
`StyleDecoder` turns neutral articulation into that of the style; the code enters by feature-wise modulation (FiLM,
Perez et al. 2018). Nothing is autoregressive and every norm is per frame, so windows with enough overlap give what the
whole recording gives. `StyleDecoder` can be replaced by VQ-VAE decoders without touching the others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..articulation import ARTICULATION, CONTACTS, EXPRESSION, MOUTH, PHONE_CLASSES, SHAPES
from ..features import MEL_BANDS
from ..style.factors import FACTORS

RESIDUAL_SIZE = 128 - len(FACTORS)
STYLE_SIZE = len(FACTORS) + RESIDUAL_SIZE
_DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)
_STYLE_DILATIONS = (1, 2, 4, 1)
MARGIN_FRAMES = 2 + sum(_DILATIONS) + 2 * sum(_STYLE_DILATIONS) + 3
"""Frames at 50 Hz on each side of a window that hold all that a frame of the output depends on."""
CONTACT_COLUMNS = [ARTICULATION.index(name) for name in CONTACTS]
SHAPE_COLUMNS = [ARTICULATION.index(name) for name in SHAPES]


class FrameNorm(nn.Module):
    """Layer norm over the channels of each frame of (B, C, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class DilatedBlock(nn.Module):
    """Norm, dilated convolution, GELU, 1 x 1 convolution, added to the input."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = FrameNorm(channels)
        self.wide = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.mix(nn.functional.gelu(self.wide(self.norm(x)))))


class SpeechEncoder(nn.Module):
    """(B, 2T, 80) log-mel at 100 Hz to logits of motion (B, T, 11) and phones (B, T, 33), accents (B, T), at 50 Hz."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.listen = nn.Conv1d(MEL_BANDS, channels, 5, padding=2)
        self.halve = nn.Conv1d(channels, channels, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, dilation, dropout) for dilation in _DILATIONS))
        self.norm = FrameNorm(channels)
        self.motion = nn.Conv1d(channels, len(ARTICULATION), 1)
        self.phones = nn.Conv1d(channels, len(PHONE_CLASSES), 1)
        self.accent = nn.Conv1d(channels, 1, 1)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gelu = nn.functional.gelu
        hidden = gelu(self.halve(gelu(self.listen(log_mel.transpose(1, 2)))))
        hidden = self.norm(self.blocks(hidden))
        return self.motion(hidden).transpose(1, 2), self.phones(hidden).transpose(1, 2), self.accent(hidden)[:, 0]


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


class StyleDecoder(nn.Module):
    """Neutral articulation, accents, speaking (0..1) and a style (B, 128) to SHAPES and EXPRESSION (B, T, 16)."""

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        self.enter = nn.Conv1d(len(ARTICULATION) + 2, channels, 3, padding=1)
        self.modulate = nn.ModuleList(nn.Linear(STYLE_SIZE, 2 * channels) for _ in _STYLE_DILATIONS)
        self.convolve = nn.ModuleList(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation) for dilation in _STYLE_DILATIONS
        )
        self.leave = nn.Conv1d(channels, len(SHAPES) + len(EXPRESSION), 1)

    def forward(self, articulation: Tensor, accents: Tensor, speaking: Tensor, style: Tensor) -> Tensor:
        content = torch.cat([articulation, accents[..., None], speaking[..., None]], 2)
        hidden = self.enter(content.transpose(1, 2))
        for modulate, convolve in zip(self.modulate, self.convolve, strict=True):
            scale, shift = modulate(style)[..., None].chunk(2, 1)
            hidden = hidden + convolve(nn.functional.gelu(hidden * (1 + scale) + shift))
        change = self.leave(hidden).transpose(1, 2)
        neutral = nn.functional.pad(articulation[..., SHAPE_COLUMNS], (0, len(EXPRESSION)))
        return neutral + change


class SpeechToFaceNetwork(nn.Module):
    """All that is trained and shipped in one file."""

    def __init__(self, channels: int = 224, dropout: float = 0.05) -> None:
        super().__init__()
        self.config = {"channels": channels}
        self.speech = SpeechEncoder(channels, dropout)
        self.style_encoder = StyleEncoder()
        self.style_decoder = StyleDecoder()


def speaking_of(phone_logits: Tensor) -> Tensor:
    """(B, T) probability that somebody speaks, from phone logits."""
    return 1 - phone_logits.softmax(-1)[..., 0]
