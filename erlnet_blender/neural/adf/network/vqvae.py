"""Transformer VQ-VAEs over face motion: one latent space for expression, one for head motion.

Motion is thinned in time by strided convolutions, thought over by local transformer layers, and rounded to entries of
a codebook, level by level: each level rounds what the earlier ones left (van den Oord, Vinyals & Kavukcuoglu 2017;
residual levels after Zeghidour et al. 2021). Codebooks follow a moving average of what is rounded to them; entries
that nobody uses any more start again from a latent of the batch (Dhariwal et al. 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .local_attention import LocalBlock

REACH = 8
"""Tokens to each side that a transformer layer sees."""
_CODEBOOK_DECAY = 0.99
_EPSILON = 1e-5


class Quantizer(nn.Module):
    """Rounds latents (B, N, D) to the sum of one entry of each level's codebook.

    Args:
        codes: entries of a level; levels: how often what is left over is rounded again; size: D.

    `restart_below` is the part of its fair share below which an entry is dead, `restart_until` the step of training
    after which the dead stay dead, so that averaged weights can settle.
    """

    codebook: Tensor
    uses: Tensor
    sums: Tensor
    steps: Tensor

    def __init__(self, codes: int, levels: int, size: int) -> None:
        super().__init__()
        self.codes, self.levels = codes, levels
        self.restart_below, self.restart_until = 0.03, 1000
        self.register_buffer("codebook", torch.randn(levels, codes, size) * 0.1)
        self.register_buffer("uses", torch.ones(levels, codes))
        self.register_buffer("sums", self.codebook.clone())
        self.register_buffer("steps", torch.zeros(()))

    def nearest(self, latents: Tensor) -> Tensor:
        """(..., levels) int64 codes of latents (..., D)."""
        left, found = latents, []
        for book in self.codebook:
            codes = _nearest(left, book)
            found.append(codes)
            left = left - book[codes]
        return torch.stack(found, -1)

    def latents(self, codes: Tensor) -> Tensor:
        """(..., D) latents of codes (..., levels)."""
        return torch.stack([book[codes[..., level]] for level, book in enumerate(self.codebook)]).sum(0)

    def expected(self, logits: Tensor) -> Tensor:
        """(..., D) mean latents under the probabilities of logits (..., levels, codes)."""
        return torch.einsum("...lk,lkd->...d", logits.softmax(-1), self.codebook)

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rounded latents that pass gradients on (straight-through), codes (B, N, levels), commitment loss.

        In training mode the codebooks learn; chance is torch's own generator.
        """
        if self.training:
            self._learn(latents.detach().flatten(0, -2))
        codes = self.nearest(latents)
        rounded = self.latents(codes)
        return latents + (rounded - latents).detach(), codes, (latents - rounded.detach()).square().mean()

    @torch.no_grad()
    def _learn(self, latents: Tensor) -> None:
        left = latents
        for level in range(self.levels):
            if not self.steps:
                self._replace(level, torch.ones(self.codes, dtype=torch.bool), left)
            codes = _nearest(left, self.codebook[level])
            uses = torch.bincount(codes, minlength=self.codes).float()
            sums = torch.zeros_like(self.sums[level]).index_add_(0, codes, left)
            self.uses[level].lerp_(uses, 1 - _CODEBOOK_DECAY)
            self.sums[level].lerp_(sums, 1 - _CODEBOOK_DECAY)
            self.codebook[level] = self.sums[level] / self.uses[level].clamp_min(_EPSILON)[:, None]
            # A dead entry gets below a small part of its fair share of the batch.
            if self.steps < self.restart_until:
                share = self.restart_below * len(latents) / self.codes
                self._replace(level, self.uses[level] < share, left)
            left = left - self.codebook[level][_nearest(left, self.codebook[level])]
        self.steps += 1

    def _replace(self, level: int, which: Tensor, latents: Tensor) -> None:
        """Start entries again from latents of the batch, as if each had been used its fair share."""
        fresh = latents[torch.randint(len(latents), (int(which.sum()),))]
        fair = max(1.0, len(latents) / self.codes)
        self.codebook[level][which] = fresh
        self.uses[level][which] = fair
        self.sums[level][which] = fresh * fair


def _nearest(latents: Tensor, book: Tensor) -> Tensor:
    return (book.square().sum(-1) - 2 * latents @ book.T).argmin(-1)


class MotionVQ(nn.Module):
    """A VQ-VAE of motion (B, T, features) at 50 Hz.

    Args:
        features: channels of the motion; stride: frames to a token, a power of 2.
        codes, levels: see `Quantizer`; size: of a latent; channels, layers: of the encoder, and of the decoder.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self, features: int, stride: int, codes: int = 256, levels: int = 1, size: int = 32, channels: int = 96,
        layers: int = 2,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config = {
            "features": features, "stride": stride, "codes": codes, "levels": levels, "size": size,
            "channels": channels, "layers": layers,
        }  # fmt: skip
        self.stride, halvings = stride, stride.bit_length() - 1
        self.margin_tokens = REACH * layers + 2
        """Tokens on each side that hold all that a frame of the decoder's output depends on."""
        widths = [min(channels, 32 << step) for step in range(halvings)] + [channels]
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.look = nn.Conv1d(features, widths[0], 5, padding=2)
        self.thin = nn.ModuleList(nn.Conv1d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:], strict=False))
        self.encoder = nn.ModuleList(LocalBlock(channels, REACH) for _ in range(layers))
        self.leave = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, size))
        self.quantizer = Quantizer(codes, levels, size)
        self.enter = nn.Linear(size, channels)
        self.decoder = nn.ModuleList(LocalBlock(channels, REACH) for _ in range(layers))
        thicken = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.thicken = nn.ModuleList(nn.ConvTranspose1d(a, b, 4, 2, 1) for a, b in thicken)
        self.draw = nn.Conv1d(widths[0], features, 5, padding=2)

    def measure(self, motion: Tensor, least: float) -> None:
        """Take the mean and the spread (`least` at least) of each channel of (..., features) as the units to learn."""
        flat = motion.reshape(-1, motion.shape[-1])
        self.centre.copy_(flat.mean(0))
        self.scale.copy_(flat.std(0).clamp_min(least))

    def encode(self, motion: Tensor) -> Tensor:
        """(B, ceil(T / stride), size) latents, not yet rounded."""
        short = -motion.shape[1] % self.stride
        if short:
            motion = torch.cat([motion, motion[:, -1:].expand(-1, short, -1)], 1)
        hidden = nn.functional.gelu(self.look(((motion - self.centre) / self.scale).transpose(1, 2)))
        for thin in self.thin:
            hidden = nn.functional.gelu(thin(hidden))
        hidden = hidden.transpose(1, 2)
        for block in self.encoder:
            hidden = block(hidden)
        return self.leave(hidden)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, N * stride, features) motion of latents (B, N, size)."""
        hidden = self.enter(latents)
        for block in self.decoder:
            hidden = block(hidden)
        hidden = hidden.transpose(1, 2)
        for thicken in self.thicken:
            hidden = nn.functional.gelu(thicken(hidden))
        return self.draw(hidden).transpose(1, 2) * self.scale + self.centre

    def codes_of(self, motion: Tensor) -> Tensor:
        """(B, ceil(T / stride), levels) int64."""
        return self.quantizer.nearest(self.encode(motion))

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Motion again, as its codes tell it; the codes; the commitment loss."""
        latents, codes, commitment = self.quantizer(self.encode(motion))
        return self.decode(latents)[:, : motion.shape[1]], codes, commitment


def perplexity(codes: Tensor, entries: int) -> tuple[int, float]:
    """How many of the entries (...) int64 codes use, and how many equally used ones would be as surprising."""
    share = torch.bincount(codes.flatten(), minlength=entries).float()
    share = share / share.sum()
    entropy = -(share * share.clamp_min(1e-12).log()).sum()
    return int((share > 0).sum()), float(entropy.exp())
