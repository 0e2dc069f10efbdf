"""Styles: the catalogue, what a rule makes of them, emotions, and how well they are measured in motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import CONTACTS, MOUTH, column
from erlnet_blender.neural.adf.style.catalogue import (
    TEST_STYLES,
    TRAINING_STYLES,
    motion_in,
    random_style,
    table,
    training_style,
)
from erlnet_blender.neural.adf.style.factors import BEHAVIOUR, HIGHEST, LOWEST, NAMES, values_of
from erlnet_blender.neural.adf.style.presets import EMOTIONS, INTENSITIES, emotion_code, preset_code

ROOT = Path(__file__).parents[2]


def test_catalogue_has_styles_to_train_on_and_others_to_test_with():
    assert min(len(TRAINING_STYLES), len(TEST_STYLES)) >= 40
    codes = [np.stack([style.code for style in styles]) for styles in (TRAINING_STYLES, TEST_STYLES)]
    distance = np.linalg.norm(codes[0][:, None] - codes[1][None], axis=-1)
    assert distance.min() > 1  # in usual spreads: no test style is a training style, or nearly one
    for style in (*TRAINING_STYLES, *TEST_STYLES):
        assert (style.factors >= LOWEST).all()
        assert (style.factors <= HIGHEST).all()
        assert style.description
    first, again = (training_style(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.factors, again.factors)
    drawn = [training_style(np.random.default_rng(seed)).name for seed in range(100)]
    assert 25 < sum(name.startswith("training") for name in drawn) < 75
    assert not np.array_equal(*(random_style(np.random.default_rng(seed)).factors for seed in (1, 2)))


def test_the_list_in_the_documentation_is_the_catalogue():
    assert (ROOT / "docs" / "training" / "styles.md").read_text(encoding="utf8") == table()


def test_every_factor_shows_in_the_motion_of_its_style():
    random, count = np.random.default_rng(0), 3000
    wave = np.convolve(random.random(count), np.hanning(20) / 10, "same")
    articulation = np.repeat(np.clip(wave - 0.6, 0, 1)[:, None], 11, 1)
    accents, speaking = np.clip(wave - 0.4, 0, 1) * 2, np.ones(count)
    plain = TEST_STYLES[0]
    contacts = [column(name) for name in CONTACTS]
    for name in NAMES:
        motions = []
        for bound in (LOWEST, HIGHEST):
            factors = plain.factors.copy()
            # What only shows on top of others: asymmetry tilts, tempo and spread move.
            factors[[NAMES.index(other) for other in ("smile", "frown", "brow_raise")]] = 0.3
            factors[NAMES.index(name)] = bound[NAMES.index(name)]
            style = type(plain)("", factors, plain.gains, plain.offsets, plain.smoothing)
            motions.append(motion_in(style, articulation, accents, speaking, seed=0))
        low, high = motions
        assert low.mouth.shape == (count, len(MOUTH))
        assert np.array_equal(low.mouth[:, contacts], articulation[:, contacts].astype(np.float32))
        changed = [not np.allclose(a, b) for a, b in zip(vars(low).values(), vars(high).values(), strict=True)]
        assert any(changed[1:] if name in BEHAVIOUR else changed[:1]), name
        assert not any(changed[:1] if name in BEHAVIOUR else changed[1:]), name


def test_emotions_add_to_a_style_and_say_what_they_are():
    neutral = preset_code("neutral")
    assert not emotion_code("neutral").any()
    assert list(EMOTIONS) == ["neutral", "happy", "sad", "angry", "surprised", "fearful", "disgusted"]
    assert INTENSITIES == {"slight": 0.4, "medium": 0.7, "strong": 1.0}
    most = {"happy": "smile", "sad": "brow_inner", "angry": "brow_down", "surprised": "eye_wide",
            "fearful": "grimace", "disgusted": "sneer"}  # fmt: skip
    strong = {name: values_of(neutral + emotion_code(name)) for name in EMOTIONS}
    for name, factor in most.items():
        assert strong[name][factor] == max(values[factor] for values in strong.values())
        slight = values_of(neutral + INTENSITIES["slight"] * emotion_code(name))
        assert strong["neutral"][factor] < slight[factor] < strong[name][factor]
    both = values_of(preset_code("energetic") + 0.7 * emotion_code("sad"))
    assert both["frown"] > 0.3
    assert both["yaw_spread_deg"] > strong["sad"]["yaw_spread_deg"]
    with pytest.raises(ErlnetError, match=r"Unknown emotion, 'bored'.*neutral, happy, sad"):
        emotion_code("bored")
