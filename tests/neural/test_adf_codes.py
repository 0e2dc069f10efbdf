"""The VQ-VAEs and the code predictor: windows, rounding, codebooks that live, drawing that continues."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erlnet_blender.neural.adf.network.code_predictor import CONTENT_SIZE, CodeTower, draw_codes, halving_rounds
from erlnet_blender.neural.adf.network.local_attention import LocalAttention
from erlnet_blender.neural.adf.network.vqvae import MotionVQ, Quantizer, perplexity

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_attention_is_the_plain_one_within_its_reach():
    """Against attention written out step by step, at a length that is no multiple of the block."""
    layer = LocalAttention(8, 2, 3)
    torch.nn.init.normal_(layer.distance_bias)
    x = torch.randn(2, 10, 8)
    query, key, value = layer.ask(x).view(2, 10, 3, 2, 4).unbind(2)
    expected = torch.zeros(2, 10, 2, 4)
    for i in range(10):
        near = [j for j in range(10) if abs(i - j) <= 3]
        bias = layer.distance_bias[:, [j - i + 3 for j in near]]
        scores = torch.einsum("bhd,bjhd->bhj", query[:, i], key[:, near]) / 2 + bias
        expected[:, i] = torch.einsum("bhj,bjhd->bhd", scores.softmax(-1), value[:, near])
    assert torch.allclose(layer(x), layer.answer(expected.flatten(2)), atol=1e-5)


@pytest.mark.parametrize("stride", [4, 8])
def test_a_window_with_margins_decodes_as_the_whole(stride):
    vq = MotionVQ(3, stride).eval()
    latents = torch.randn(1, 120, 32)
    margin = vq.margin_tokens
    with torch.no_grad():
        whole, window = vq.decode(latents), vq.decode(latents[:, 30:90])
    kept = slice(margin * stride, -margin * stride)
    assert torch.allclose(window[:, kept], whole[:, 30 * stride : 90 * stride][:, kept], atol=1e-5)
    latents[:, 60 - margin - 1] += 1
    with torch.no_grad():
        assert torch.equal(vq.decode(latents)[:, 60 * stride], whole[:, 60 * stride])


def test_any_length_comes_back_as_long():
    vq = MotionVQ(5, 8).eval()
    for frames in (1, 7, 8, 50):
        motion, codes, _ = vq(torch.randn(2, frames, 5))
        assert motion.shape == (2, frames, 5)
        assert codes.shape == (2, -(-frames // 8), 1)


def test_rounding_takes_the_nearest_entry_of_each_level():
    rounder = Quantizer(16, 2, 4).eval()
    latents = torch.randn(50, 4)
    codes = rounder.nearest(latents)
    first = torch.cdist(latents, rounder.codebook[0]).argmin(1)
    left = latents - rounder.codebook[0][first]
    assert torch.equal(codes, torch.stack([first, torch.cdist(left, rounder.codebook[1]).argmin(1)], 1))
    certain = torch.nn.functional.one_hot(codes, 16) * 100.0
    assert torch.allclose(rounder.expected(certain), rounder.latents(codes), atol=1e-5)
    latents.requires_grad_()
    rounder(latents)[0].sum().backward()
    assert torch.equal(latents.grad, torch.ones(50, 4))


def test_codebook_follows_the_latents_and_dead_entries_start_again():
    """Latents in 64 tight clusters; a start from the same single cluster must find them all, but only with restarts."""
    centres = torch.randn(64, 8) * 3
    figures = {}
    for restart in (0.0, 0.1):
        rounder = Quantizer(64, 1, 8).train()
        rounder.restart_below, rounder.restart_until = restart, 400
        rounder(centres[:1].expand(512, 8) + 0.01 * torch.randn(512, 8))
        for _ in range(400):
            latents = centres[torch.randint(64, (512,))] + 0.01 * torch.randn(512, 8)
            _, codes, error = rounder(latents)
        figures[restart] = (*perplexity(codes, 64), float(error))
    assert figures[0.1][0] > 1.5 * figures[0.0][0]
    assert figures[0.1][2] < 0.3 * figures[0.0][2]


def test_vqvae_learns_a_motion_and_its_codes_tell_it():
    times_s = torch.arange(64) / 50
    vq = MotionVQ(2, 4, codes=32, size=8, channels=32, layers=1)
    optimiser = torch.optim.Adam(vq.parameters(), 3e-3)

    def waves() -> torch.Tensor:
        phase, rate_hz = torch.rand(16, 1, 2) * 6.3, 1 + torch.rand(16, 1, 2)
        return 0.3 + 0.1 * torch.sin(6.28 * rate_hz * times_s[:, None] + phase)

    vq.measure(waves(), 0.01)
    for _ in range(250):
        motion = waves()
        again, _, commitment = vq(motion)
        loss = ((again - motion) / vq.scale).square().mean() + 0.25 * commitment
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    vq.eval()
    motion = waves()
    with torch.no_grad():
        again = vq.decode(vq.quantizer.latents(vq.codes_of(motion)))
        assert torch.allclose(again, vq(motion)[0], atol=1e-6)
    assert (again - motion).std() < 0.5 * motion.std()


def test_the_grid_of_rounds_covers_every_place_once():
    rounds = halving_rounds(torch.arange(5, 205))
    assert (torch.stack(rounds).sum(0) == 1).all()
    assert [int(mask.sum()) for mask in rounds] == [6, 6, 13, 25, 50, 100]


@pytest.fixture
def tower() -> CodeTower:
    return CodeTower(8, 16, 2, [0, 5], channels=32, layers=2).eval()


def test_drawn_codes_follow_the_seed_and_keep_what_is_known(tower):
    heard, style = tower.hear(torch.randn(1, 400, CONTENT_SIZE)), tower.at_tokens(torch.randn(1, 128))
    known = torch.full((1, 50, 2), tower.unknown)
    known[:, :10] = torch.randint(0, 16, (1, 10, 2))

    def draw(seed: int, temperature: float = 1.0) -> torch.Tensor:
        with torch.no_grad():
            return draw_codes(tower, heard, style, known, 7, torch.Generator().manual_seed(seed), temperature)

    codes = draw(0)
    assert torch.equal(codes, draw(0))
    assert not torch.equal(codes, draw(1))
    assert torch.equal(draw(0, 0.0), draw(1, 0.0))
    assert torch.equal(codes[:, :10], known[:, :10])
    assert int(codes.max()) < 16
    assert int(codes.min()) >= 0


def test_drawn_codes_have_the_statistics_that_were_learnt():
    """A hidden switch makes runs of codes, 0..3 or 4..7, and changes rarely: so must what is drawn."""
    tower = CodeTower(2, 8, 1, [0], channels=32, layers=2)
    optimiser = torch.optim.Adam(tower.parameters(), 3e-3)
    random = np.random.default_rng(0)
    style, content = torch.zeros(32, 1, 1), torch.zeros(32, 64, CONTENT_SIZE)

    def runs() -> torch.Tensor:
        switch = (random.random((32, 32)) < 0.08).cumsum(1) + random.integers(2, size=(32, 1))
        return torch.from_numpy(switch % 2 * 4 + random.integers(4, size=(32, 32)))

    for _ in range(300):
        codes = runs()
        rounds = halving_rounds(torch.arange(32), 8)
        hidden = torch.stack(rounds[random.integers(len(rounds)) :]).any(0)
        known = torch.where(hidden, tower.unknown, codes)[..., None]
        logits = tower(tower.hear(content), style, known)[:, :, 0]
        loss = torch.nn.functional.cross_entropy(logits[:, hidden].flatten(0, 1), codes[:, hidden].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        known = torch.full((32, 32, 1), tower.unknown)
        drawn = draw_codes(tower, tower.hear(content), style, known, 0, torch.Generator().manual_seed(0))[..., 0]
    changes = lambda codes: float(((codes >= 4)[:, 1:] != (codes >= 4)[:, :-1]).float().mean())  # noqa: E731
    assert changes(drawn) == pytest.approx(changes(runs()), abs=0.06)
    assert 0.3 < float((drawn >= 4).float().mean()) < 0.7


def test_a_style_over_time_acts_where_it_is(tower):
    style = torch.zeros(1, 160, 128)
    style[:, 80:] = 1
    tokens = tower.at_tokens(style)
    assert tokens.shape == (1, 20, 2)
    assert not tokens[:, :10].any()
    assert tokens[:, 10:].eq(1).all()
