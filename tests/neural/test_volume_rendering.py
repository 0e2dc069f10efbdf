"""Compositing against a loop in float64."""

import math

import pytest
import torch

from erlnet_blender.neural.dbf_nerf.volume_rendering import (
    FAR_M,
    composite,
    expected_depth,
    linear_premultiplied,
    over,
    sample_weights,
    srgb_to_linear,
)


def test_weights_and_composite_match_a_loop():
    torch.manual_seed(1)
    density, length = torch.rand(7, 6) * 9, torch.rand(7, 6) * 0.4
    colour, distance = torch.rand(7, 6, 3), torch.rand(7, 6).sort(1).values
    weights = sample_weights(density, length)
    pixel, alpha = composite(weights, colour)
    depth = expected_depth(weights, distance)
    for ray in range(7):
        light, total, seen, far = 1.0, [0.0, 0.0, 0.0], 0.0, 0.0
        for k in range(6):
            opacity = 1 - math.exp(-float(density[ray, k]) * float(length[ray, k]))
            for channel in range(3):
                total[channel] += light * opacity * float(colour[ray, k, channel])
            seen += light * opacity
            far += light * opacity * float(distance[ray, k])
            light *= 1 - opacity
        assert pixel[ray].tolist() == pytest.approx(total, abs=1e-5)
        assert float(alpha[ray]) == pytest.approx(seen, abs=1e-5)
        assert float(alpha[ray]) == pytest.approx(1 - light, abs=1e-5)
        assert float(depth[ray]) == pytest.approx(far / seen, abs=1e-4)


def test_empty_and_opaque_rays():
    density = torch.tensor([[0.0, 0.0], [1e6, 1e6]])
    weights = sample_weights(density, torch.ones(2, 2))
    torch.testing.assert_close(weights, torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    depth = expected_depth(weights, torch.tensor([[1.0, 2.0], [1.0, 2.0]]))
    assert depth.tolist() == [pytest.approx(FAR_M), 1.0]


def test_gradient_is_finite_where_nothing_is():
    density = torch.zeros(1, 4, requires_grad=True)
    pixel, _ = composite(sample_weights(density, torch.full((1, 4), 0.1)), torch.ones(1, 4, 3))
    pixel.sum().backward()
    torch.testing.assert_close(density.grad, torch.full((1, 4), 0.3))


def test_over_background():
    got = over(torch.tensor([[0.2, 0.1, 0.0]]), torch.tensor([0.25]), torch.tensor([0.4, 0.8, 1.0]))
    torch.testing.assert_close(got, torch.tensor([[0.5, 0.7, 0.75]]))


def test_decoding_srgb():
    encoded = torch.tensor([0.0, 0.04045, 0.5, 1.0])
    assert srgb_to_linear(encoded).tolist() == pytest.approx([0.0, 0.0031308, 0.2140411, 1.0], abs=1e-6)
    half = linear_premultiplied(torch.tensor([[0.25, 0.25, 0.25]]), torch.tensor([0.5]))
    assert half[0].tolist() == pytest.approx([0.2140411 / 2] * 3, abs=1e-6)
    assert torch.equal(linear_premultiplied(torch.zeros(2, 3), torch.zeros(2)), torch.zeros(2, 3))
