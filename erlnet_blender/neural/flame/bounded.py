"""Quadratic problems in a box, many at once: what coefficients may be is part of what they are fitted to."""

from __future__ import annotations

import torch
from torch import Tensor

from ...formats.head_model import HeadModel

SIGMAS = 3.0
"""Coefficients of a statistical basis, whose unit is one standard deviation, stay within this many."""
_SIGNED = ("mouth_shift", "jaw_side", "tongue_side")
# Sealing lips takes more than 1 where the jaw is wide open.
_HIGHEST = {"mouth_close": 2.0}


def limits(head: HeadModel) -> tuple[Tensor, Tensor]:
    """(E,) lowest and highest value of each expression: 0 to 1 for actions with a name, else three sigma each way."""
    if not head.meta.get("expression_names"):
        reach = torch.full((head.expressiondirs.shape[-1],), SIGMAS, dtype=torch.float64)
        return -reach, reach
    names = head.expression_names
    low = torch.tensor([-1.0 if name in _SIGNED else 0.0 for name in names], dtype=torch.float64)
    return low, torch.tensor([_HIGHEST.get(name, 1.0) for name in names], dtype=torch.float64)


def minimise(H: Tensor, g: Tensor, low: Tensor, high: Tensor, start: Tensor | None = None, rounds: int = 200) -> Tensor:
    """x (..., n) within low..high with the least ½ xᵀHx - gᵀx, H (..., n, n) symmetric and positive definite.

    Accelerated projected gradient with restarts (Beck and Teboulle 2009; O'Donoghue and Candès 2015), after scaling
    every variable to a unit diagonal.
    """
    scale = H.diagonal(dim1=-2, dim2=-1).clamp_min(1e-30).rsqrt()
    H = H * scale[..., :, None] * scale[..., None, :]
    g, low, high = g * scale, low / scale, high / scale
    step = H.abs().sum(-1).amax(-1, keepdim=True).reciprocal()

    def clamp(x: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(x, low), high)

    x = clamp(torch.linalg.solve(H, g[..., None])[..., 0] if start is None else start / scale)
    ahead, pace = x, torch.ones_like(x[..., :1])
    for _ in range(rounds):
        gradient = (H @ ahead[..., None])[..., 0] - g
        following = clamp(ahead - step * gradient)
        # Where the momentum runs uphill it starts anew.
        uphill = ((ahead - following) * (following - x)).sum(-1, keepdim=True) > 0
        pace = torch.where(uphill, torch.ones_like(pace), pace)
        next_pace = (1 + (1 + 4 * pace * pace).sqrt()) / 2
        momentum = torch.where(uphill, torch.zeros_like(pace), (pace - 1) / next_pace)
        if (following - x).abs().max() < 1e-9:
            x = following
            break
        ahead, x, pace = following + momentum * (following - x), following, next_pace
    return x * scale
