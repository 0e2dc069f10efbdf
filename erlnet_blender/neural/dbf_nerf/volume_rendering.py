"""Density along rays to pixels: pure functions.

Source: Max, "Optical models for direct volume rendering", 1995; quadrature of Mildenhall et al., "NeRF", 2020, eq. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

FAR_M = 1e10  # depth of an empty pixel, as Blender writes it


def sample_weights(density: Tensor, length: Tensor) -> Tensor:
    """How much each sample adds to its pixel.

    Args:
        density: (N, S) extinction, front to back; length: (N, S) in the inverse unit.

    Returns:
        (N, S) transmittance to the sample times its opacity; a row sums to the pixel's alpha ≤ 1.
    """
    return transmittance(density, length) * -torch.expm1(-density * length)


def transmittance(density: Tensor, length: Tensor) -> Tensor:
    """(N, S) how much light reaches each sample from the camera; arguments as in `sample_weights`."""
    before = torch.cumsum((density * length)[:, :-1], 1)
    return torch.exp(-torch.nn.functional.pad(before, (1, 0)))


def composite(weights: Tensor, colour: Tensor) -> tuple[Tensor, Tensor]:
    """Premultiplied colour (N, 3) and alpha (N,) from weights (N, S) and colours (N, S, 3)."""
    return (weights[..., None] * colour).sum(1), weights.sum(1)


def expected_depth(weights: Tensor, distance: Tensor) -> Tensor:
    """(N,) mean distance along the ray, `FAR_M` where the ray sees nothing."""
    alpha = weights.sum(1)
    mean = (weights * distance).sum(1) / alpha.clamp_min(1e-6)
    return torch.where(alpha > 1e-3, mean, torch.full_like(mean, FAR_M))


def over(colour: Tensor, alpha: Tensor, background: Tensor) -> Tensor:
    """Premultiplied colour (N, 3) over an opaque background (N, 3) or (3,)."""
    return colour + (1 - alpha)[..., None] * background


def srgb_to_linear(value: Tensor) -> Tensor:
    """IEC 61966-2-1 decoding of values in 0…1."""
    value = value.clamp_min(0)
    return torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def linear_premultiplied(colour: Tensor, alpha: Tensor) -> Tensor:
    """sRGB-encoded premultiplied colour (..., 3) and alpha (...) to scene-linear premultiplied (..., 3).

    The picture that a viewer sees over black is the encoded colour; decoding the straight colour keeps
    the edge's hue, which decoding the premultiplied one would darken.
    """
    straight = (colour / alpha.clamp_min(1e-6)[..., None]).clamp(0, 1)
    return srgb_to_linear(straight) * alpha[..., None]
