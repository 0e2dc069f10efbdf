"""The hash encoding against a slow float64 reference, and its layout against tiny-cuda-nn's published sizes."""

import numpy as np
import pytest
import torch

from erlnet_blender.neural.dbf_nerf.hash_grid import HashGrid, Level, grid_levels
from erlnet_blender.neural.dbf_nerf.mlp import Mlp


def reference_row(cell: tuple[int, int, int], level: Level) -> int:
    x, y, z = (value & 0xFFFFFFFF for value in cell)
    if level.hashed:
        return ((x ^ (y * 2654435761) ^ (z * 805459861)) & 0xFFFFFFFF) % level.entries
    return (x + y * level.resolution + z * level.resolution**2) % level.entries


def reference_encode(point: torch.Tensor, table: torch.Tensor, levels: list[Level]) -> torch.Tensor:
    """One point in the unit cube, float64, corner by corner; differentiable."""
    features = []
    for level in levels:
        position = point * level.scale + 0.5
        cell = position.detach().floor()
        fraction = position - cell
        total = torch.zeros(2, dtype=torch.float64)
        for corner in range(8):
            bits = [(corner >> axis) & 1 for axis in range(3)]
            weight = torch.ones((), dtype=torch.float64)
            for axis in range(3):
                weight = weight * (fraction[axis] if bits[axis] else 1 - fraction[axis])
            row = reference_row(tuple(int(cell[axis]) + bits[axis] for axis in range(3)), level)
            total = total + weight * table[level.offset + row]
        features.append(total)
    return torch.cat(features)


@pytest.fixture
def grid():
    torch.manual_seed(3)
    made = HashGrid(np.array([-0.1, 0.0, 0.2]), 0.5, levels=4, log2_table=10, base=4, finest=40)
    torch.nn.init.uniform_(made.params, -1, 1)
    return made


def test_encoding_matches_reference(grid):
    assert [level.hashed for level in grid.levels] == [False, False, True, True]
    points = torch.rand(40, 3) * 0.5 + torch.tensor([-0.1, 0.0, 0.2])
    ours = grid(points)
    table = grid.params.detach().double().view(-1, 2)
    for point, row in zip(points, ours, strict=True):
        unit = ((point - grid.low) / grid.side).double()
        torch.testing.assert_close(row.double(), reference_encode(unit, table, grid.levels), atol=2e-5, rtol=0)


def test_gradients_match_reference(grid):
    points = (torch.rand(12, 3) * 0.5 + torch.tensor([-0.1, 0.0, 0.2])).requires_grad_(True)
    pull = torch.randn(12, 8)
    (grid(points) * pull).sum().backward()
    exact = points.detach().double().requires_grad_(True)
    table = grid.params.detach().double().requires_grad_(True)
    units = (exact - grid.low.double()) / grid.side
    features = torch.stack([reference_encode(unit, table.view(-1, 2), grid.levels) for unit in units])
    (features * pull.double()).sum().backward()
    torch.testing.assert_close(grid.params.grad.double(), table.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(points.grad.double(), exact.grad, atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("count", "log2_table", "finest", "rows"),
    [(16, 19, 2048, 6_098_120), (16, 17, 1024, 3.29e6 / 2), (8, 17, 512, 1.53e6 / 2)],
)
def test_sizes_are_tiny_cuda_nns(count, log2_table, finest, rows):
    levels = grid_levels(count, log2_table, 16, finest)
    total = levels[-1].offset + levels[-1].entries
    assert total == pytest.approx(rows, rel=0 if isinstance(rows, int) else 0.01)
    assert levels[0].resolution == 16
    assert levels[0].scale == 15


def test_points_outside_move_to_the_border(grid):
    outside = torch.tensor([[9.0, 9.0, 9.0], [-9.0, 0.1, 0.3]])
    border = torch.tensor([[0.4, 0.5, 0.7], [-0.1, 0.1, 0.3]])
    torch.testing.assert_close(grid(outside), grid(border), atol=1e-4, rtol=0)


def test_perceptron_is_matrices_padded_with_ones():
    torch.manual_seed(0)
    network = Mlp(18, 3, hidden=32, hidden_layers=2)
    assert network.params.numel() == 32 * 32 + 32 * 32 + 16 * 32
    first, second = torch.randn(5, 10), torch.randn(5, 8)
    value = torch.cat([first, second, torch.ones(5, 14)], 1).double()
    flat = network.params.detach().double()
    value = torch.relu(value @ flat[:1024].view(32, 32).T)
    value = torch.relu(value @ flat[1024:2048].view(32, 32).T)
    value = (value @ flat[2048:].view(16, 32).T)[:, :3]
    torch.testing.assert_close(network(first, second).double(), value, atol=1e-5, rtol=1e-5)
