"""Multiresolution hash encoding in plain torch, in the numeric layout of tiny-cuda-nn.

Source: Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding", 2022.
The flat parameter vector, the scales, the half-cell offset, the hash primes and the dense index are those
of tiny-cuda-nn's `HashGrid`, so that the same numbers run there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

FEATURES = 2  # per level; two floats are seen as one complex number in the backward pass
_PRIMES = (1, 2654435761 - (1 << 32), 805459861)  # uint32 constants as wrapped int32
_MAX_DENSE_RESOLUTION = 1625  # beyond it tiny-cuda-nn hashes whatever the table size


@dataclass(frozen=True)
class Level:
    """One resolution of the pyramid."""

    scale: float  # cells along the unit interval
    resolution: int  # vertices along an axis
    entries: int  # table rows
    offset: int  # first row in the flat table
    hashed: bool


def grid_levels(count: int, log2_table: int, base: int, finest: int) -> list[Level]:
    """The pyramid of `count` levels whose resolutions grow geometrically from `base` to `finest`."""
    growth = np.exp2(np.float32(np.log2(finest / base) / max(count - 1, 1)))
    levels, offset = [], 0
    for index in range(count):
        scale = np.float32(np.exp2(np.float32(index) * np.log2(growth)) * np.float32(base) - np.float32(1))
        resolution = int(np.ceil(scale)) + 1
        wanted = -(-(resolution**3) // 8) * 8
        entries = min(wanted, 1 << log2_table)
        hashed = entries < resolution**3 or resolution > _MAX_DENSE_RESOLUTION
        levels.append(Level(float(scale), resolution, entries, offset, hashed))
        offset += entries
    return levels


def corner_indices(cell: Tensor, level: Level) -> Tensor:
    """(3, N) int32 cells to the (N, 8) int32 table rows of their corners; corner bit d set means +1 along d.

    Corner by corner over contiguous N: broadcasting over the 2 x 2 x 2 corners is nine times slower.
    """
    strides = _PRIMES if level.hashed else (1, level.resolution, level.resolution**2)
    x, y, z = (
        (low, low + stride) for low, stride in ((cell[axis] * strides[axis], strides[axis]) for axis in range(3))
    )
    if level.hashed:
        plane = [a ^ b for b in y for a in x]
        return torch.stack([(a ^ b) & (level.entries - 1) for b in z for a in plane], 1)
    plane = [a + b for b in y for a in x]
    index = torch.stack([a + b for b in z for a in plane], 1)
    # Modulo: only the far face of the cube reaches beyond the table, and never twice.
    return torch.where(index >= level.entries, index - level.entries, index)


def corner_weights(fraction: Tensor) -> Tensor:
    """(3, N) places inside the cell to the (N, 8) trilinear weights of its corners."""
    x, y, z = ((1 - along, along) for along in fraction)
    plane = [a * b for b in y for a in x]
    return torch.stack([a * b for b in z for a in plane], 1)


class _Encode(torch.autograd.Function):
    """All levels at once, so that the table's gradient is one buffer instead of one per level."""

    @staticmethod
    def forward(ctx, points: Tensor, table: Tensor, levels: list[Level]) -> Tensor:  # noqa: D102
        features, saved = [], []
        along = points.T.contiguous()
        for level in levels:
            position = torch.addcmul(along.new_tensor(0.5), along, along.new_tensor(level.scale))
            cell = position.floor()
            fraction = position - cell
            index = corner_indices(cell.int(), level)
            weight = corner_weights(fraction)
            rows = table[level.offset : level.offset + level.entries]
            features.append(nn.functional.embedding_bag(index, rows, mode="sum", per_sample_weights=weight))
            saved += [index, fraction, weight]
        ctx.levels = levels
        ctx.save_for_backward(table, *saved)
        return torch.cat(features, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # noqa: D102
        table, *saved = ctx.saved_tensors
        table_gradient = torch.zeros_like(table)
        points_gradient = None
        if ctx.needs_input_grad[0]:
            points_gradient = gradient.new_zeros(len(gradient), 3)
        for number, level in enumerate(ctx.levels):
            index, fraction, weight = saved[3 * number : 3 * number + 3]
            flat = index.reshape(-1).long()
            part = gradient[:, FEATURES * number : FEATURES * (number + 1)].contiguous()
            rows = slice(level.offset, level.offset + level.entries)
            _scatter_rows(table_gradient[rows], flat, weight, part)
            if points_gradient is not None:
                values = table[rows][flat].reshape(-1, 8, FEATURES)
                points_gradient += level.scale * _position_gradient((values * part[:, None]).sum(-1), fraction)
        return points_gradient, table_gradient, None


def _scatter_rows(rows: Tensor, index: Tensor, weight: Tensor, gradient: Tensor) -> None:
    """rows[index] += weight * gradient. On the CPU one complex scatter is forty times faster than a sorted sum."""
    if rows.device.type == "cpu":
        pairs = torch.view_as_complex(gradient)[:, None] * weight
        torch.view_as_complex(rows).scatter_add_(0, index, pairs.reshape(-1))
    else:
        rows.index_add_(0, index, (weight[..., None] * gradient[:, None]).reshape(-1, FEATURES))


def _position_gradient(slopes: Tensor, fraction: Tensor) -> Tensor:
    """dL/d(fraction) (N, 3) from the (N, 8) derivative of the loss by each corner's weight."""
    corner = slopes.T.contiguous()
    x, y, z = fraction
    blended = torch.lerp(corner[0::2], corner[1::2], x)  # along x, for each y and z
    slope = corner[1::2] - corner[0::2]
    along_x = torch.lerp(torch.lerp(slope[0], slope[1], y), torch.lerp(slope[2], slope[3], y), z)
    along_y = torch.lerp(blended[1] - blended[0], blended[3] - blended[2], z)
    along_z = torch.lerp(blended[2], blended[3], y) - torch.lerp(blended[0], blended[1], y)
    return torch.stack([along_x, along_y, along_z], 1)


class HashGrid(nn.Module):
    """Points in a cube to multiresolution features.

    Args:
        low: (3,) corner of the cube, metres; side: its length. Points outside are moved to its border.
        levels, log2_table, base, finest: the pyramid (see `grid_levels`).
    """

    low: Tensor

    def __init__(
        self, low: np.ndarray, side: float, levels: int = 8, log2_table: int = 16, base: int = 16, finest: int = 256
    ) -> None:
        super().__init__()
        self.levels = grid_levels(levels, log2_table, base, finest)
        self.register_buffer("low", torch.as_tensor(low, dtype=torch.float32), persistent=False)
        self.side = float(side)
        rows = self.levels[-1].offset + self.levels[-1].entries
        self.params = nn.Parameter(torch.empty(rows * FEATURES).uniform_(-1e-4, 1e-4))
        self.shown: Tensor | None = None
        """(levels,) how much of each level is seen, while training goes from coarse to fine; None: all of it."""

    @property
    def width(self) -> int:
        """Features per point."""
        return FEATURES * len(self.levels)

    def forward(self, points: Tensor) -> Tensor:
        """(N, 3) points, metres, to (N, width) features: level-major."""
        unit = ((points - self.low) / self.side).clamp(0.0, 1.0)
        features = _Encode.apply(unit, self.params.view(-1, FEATURES), self.levels)
        return features if self.shown is None else features * self.shown.repeat_interleave(FEATURES)
