"""The ablation's figures, where the right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.adf_ablation import Trial, head_figures, markdown, vq_figures
from erlnet_blender.neural.adf.articulation import ARTICULATION
from erlnet_blender.neural.adf.corpus.augmentation import Example
from erlnet_blender.neural.adf.network.vqvae import MotionVQ
from erlnet_blender.neural.adf.predictor import Heard
from erlnet_blender.neural.adf.style.catalogue import TEST_STYLES, motion_in

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    """Six styles over 20 s of accents now and then."""
    random, found = np.random.default_rng(0), []
    for number, style in enumerate(TEST_STYLES[:6]):
        articulation = random.random((1000, len(ARTICULATION))).astype(np.float32)
        accents = np.zeros(1000, np.float32)
        for peak in np.cumsum(random.integers(35, 75, 15)):
            accents[peak - 6 : peak + 7] = np.hanning(13)
        example = Example(np.zeros(320_000, np.float32), articulation, np.ones(1000, np.int8), accents)
        truth = motion_in(style, articulation, accents, np.ones(1000), number)
        found.append(Trial(style.code, example, Heard(articulation, accents, accents, np.ones(1000)), truth))
    return found


def test_the_truth_is_as_lively_as_itself_and_a_still_head_is_not(trials):
    turns = [trial.truth.head for trial in trials]
    true = head_figures(turns, trials)
    assert true["spread"] == pytest.approx(1)
    assert true["speed"] == pytest.approx(1)
    assert true["rhythm_off"] == 0
    assert true["style_head_mean"] == pytest.approx(1)
    assert true["nods"] > true["nods_by_chance"]
    calm = head_figures([head.mean(0) + 0.5 * (head - head.mean(0)) for head in turns], trials)
    assert calm["spread"] == pytest.approx(0.5, abs=1e-3)
    assert calm["rhythm_off"] == pytest.approx(0, abs=1e-5)
    hasty = head_figures([np.concatenate([head[::2], head[::2]]) for head in turns], trials)
    assert hasty["speed"] > 1.5
    assert hasty["rhythm_off"] > 0.1
    others = head_figures([*turns[1:], turns[0]], trials)
    assert others["style_head_amplitude"] < true["style_head_amplitude"]


def test_use_of_a_codebook_is_counted():
    vq = MotionVQ(3, 8, codes=16)
    figures = vq_figures(vq, torch.randn(2, 80, 3))
    assert figures["codes"] == "1 x 16"
    assert 1 <= int(figures["used"]) <= 16
    assert float(figures["perplexity"]) <= int(figures["used"])
    assert float(figures["share_of_spread"]) > 0.5  # not trained


def test_tables_are_markdown():
    text = markdown({"Head": [{"": "by rule", "spread": 0.98765}, {"": "by codes", "spread": 1.0}]})
    assert text.splitlines()[2:] == ["|  | spread |", "|---|---|", "| by rule | 0.988 |", "| by codes | 1.000 |"]
