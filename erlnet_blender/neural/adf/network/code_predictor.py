"""From what is heard and a style to codes of the VQ-VAEs: in parallel, never frame after frame.

A tower reads content at 50 Hz and a style, and gives the chances of each code of each token. Expression takes the
mean latent under these chances. Head motion has no one answer, so its codes are drawn: first tokens far apart, then
those half way between known ones, and so on (parallel decoding of masked tokens, after Chang et al. 2022; in the order
of a halving grid, because tokens drawn at once must not depend on each other). What an earlier window drew is known
to the next.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..articulation import ARTICULATION
from ..style.factors import BEHAVIOUR_COLUMNS
from .local_attention import LocalBlock
from .style_encoder import STYLE_SIZE
from .vqvae import REACH, MotionVQ

CONTENT_SIZE = len(ARTICULATION) + 2
_EXPRESSION_COLUMNS = [column for column in range(STYLE_SIZE) if column not in BEHAVIOUR_COLUMNS]
COARSEST = 32
"""Tokens between those that are drawn first."""


class CodeTower(nn.Module):
    """Chances of the codes of one VQ-VAE.

    Args:
        stride, codes, levels: those of the VQ-VAE; channels, layers: size of the tower.
        style_columns: which numbers of a style code matter here.
    """

    def __init__(
        self, stride: int, codes: int, levels: int, style_columns: list[int], channels: int = 96, layers: int = 3
    ) -> None:
        super().__init__()
        self.stride, self.codes, self.levels, self.style_columns = stride, codes, levels, style_columns
        self.margin_tokens = REACH * layers + 2
        widths = [48] * (stride.bit_length() - 1) + [channels]
        self.listen = nn.Conv1d(CONTENT_SIZE, widths[0], 5, padding=2)
        self.thin = nn.ModuleList(nn.Conv1d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:], strict=False))
        self.known = nn.ModuleList(nn.Embedding(codes + 1, channels) for _ in range(levels))
        self.blocks = nn.ModuleList(LocalBlock(channels, REACH, style_size=len(style_columns)) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        self.chances = nn.Linear(channels, levels * codes)

    @property
    def unknown(self) -> int:
        """What stands in `known` codes for one that is not known."""
        return self.codes

    def hear(self, content: Tensor) -> Tensor:
        """(B, ceil(T / stride), channels) of content (B, T, CONTENT_SIZE)."""
        short = -content.shape[1] % self.stride
        if short:
            content = torch.cat([content, content[:, -1:].expand(-1, short, -1)], 1)
        hidden = nn.functional.gelu(self.listen(content.transpose(1, 2)))
        for thin in self.thin:
            hidden = nn.functional.gelu(thin(hidden))
        return hidden.transpose(1, 2)

    def at_tokens(self, style: Tensor) -> Tensor:
        """(B, 1, S) of a style (B, 128), or (B, N, S) of one over time (B, T, 128): the columns that matter."""
        style = style[..., self.style_columns]
        if style.ndim == 2:
            return style[:, None]
        short = -style.shape[1] % self.stride
        if short:
            style = torch.cat([style, style[:, -1:].expand(-1, short, -1)], 1)
        return style.unflatten(1, (-1, self.stride)).mean(2)

    def forward(self, heard: Tensor, style: Tensor, known: Tensor | None = None) -> Tensor:
        """Logits (B, N, levels, codes).

        Args:
            heard: of `hear`; style: of `at_tokens`; known: (B, N, levels) codes, `unknown` where there is none.
        """
        if known is not None:
            heard = heard + torch.stack([embed(known[..., i]) for i, embed in enumerate(self.known)]).sum(0)
        hidden = heard
        for block in self.blocks:
            hidden = block(hidden, style)
        return self.chances(self.norm(hidden)).unflatten(-1, (self.levels, self.codes))


class CodePredictor(nn.Module):
    """Both towers: expression and head motion."""

    expression: CodeTower
    head: CodeTower

    def __init__(self, expression: MotionVQ, head: MotionVQ, channels: int = 96, layers: int = 3) -> None:
        super().__init__()
        self.config = {"channels": channels, "layers": layers}
        columns = {"expression": _EXPRESSION_COLUMNS, "head": BEHAVIOUR_COLUMNS}
        for name, vq in (("expression", expression), ("head", head)):
            rounder = vq.quantizer
            self.add_module(name, CodeTower(vq.stride, rounder.codes, rounder.levels, columns[name], channels, layers))


def halving_rounds(places: Tensor, coarsest: int = COARSEST) -> list[Tensor]:
    """Masks over (N,) token places in the order of drawing: multiples of `coarsest` first, odd ones last."""
    rounds, spacing = [places % coarsest == 0], coarsest
    while spacing > 1:
        rounds.append((places % spacing != 0) & (places % (spacing // 2) == 0))
        spacing //= 2
    return rounds


def draw_codes(
    tower: CodeTower, heard: Tensor, style: Tensor, known: Tensor, first: int, random: torch.Generator,
    temperature: float = 1.0,
) -> Tensor:  # fmt: skip
    """Fill in codes that are not known, coarse to fine in time and in level.

    Args:
        heard: (B, N, channels); style: (B, 1 or N, S); known: (B, N, levels), `tower.unknown` where to be drawn.
        first: place of the first token in the whole recording, so that windows share one grid.
        temperature: 1 draws from the chances as they are, 0 takes the likeliest.

    Returns:
        (B, N, levels) int64 codes.
    """
    codes = known.clone()
    rounds = halving_rounds(torch.arange(first, first + known.shape[1]))
    for level in range(tower.levels):
        # What finer levels add hangs little on their neighbours: two rounds are enough.
        for places in rounds if level == 0 else (torch.stack(rounds[:-1]).any(0), rounds[-1]):
            wanted = places & (codes[..., level] == tower.unknown)
            if not wanted.any():
                continue
            logits = tower(heard, style, codes)[..., level, :]
            noise = -torch.empty(logits.shape).exponential_(generator=random).log()  # Gumbel
            drawn = (logits + temperature * noise).argmax(-1)
            codes[..., level] = torch.where(wanted, drawn, codes[..., level])
    return codes
