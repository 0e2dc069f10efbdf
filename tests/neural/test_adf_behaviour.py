"""Head, eyelids, gaze and breath by rule: their statistics, what they follow, and that they are the same every time."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from erlnet_blender.neural.adf.articulation import CHANNEL_RATE_HZ, MOUTH, column, expressions_of
from erlnet_blender.neural.adf.behaviour import Behaviour, behave
from erlnet_blender.neural.adf.behaviour.blinks import blinks
from erlnet_blender.neural.adf.behaviour.breath import inhales, with_breath
from erlnet_blender.neural.adf.behaviour.gaze import GAZE_GAIN, gaze
from erlnet_blender.neural.adf.behaviour.head import head_rotation
from erlnet_blender.neural.adf.behaviour.timing import arrivals
from erlnet_blender.neural.adf.closure import rest_gate, runs
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.style.factors import values_of, with_values
from erlnet_blender.neural.adf.style.presets import preset_code

RATE = CHANNEL_RATE_HZ
STYLE = values_of(preset_code("neutral"))


def style(**changed: float) -> dict:
    """Factor values: neutral but for those given."""
    return {**STYLE, **changed}


def speech(duration_s: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accents and speaking (T,) of phrases of 1 to 5 s with pauses of .2 to 1.4 s; and the frames of the accents."""
    random, count = np.random.default_rng(seed), int(duration_s * RATE)
    speaking, marks, start = np.zeros(count, np.float32), [], RATE
    while start < count - 6 * RATE:
        end = start + int(random.uniform(1, 5) * RATE)
        speaking[start:end] = 1
        marks += list(np.cumsum(random.uniform(0.28, 0.7, 20) * RATE).astype(int) + start)
        marks = [mark for mark in marks if mark < end - 8]
        start = end + int(random.uniform(0.2, 1.4) * RATE)
    frames = np.array(marks)
    curve = np.zeros(count)
    curve[frames] = random.uniform(0.45, 1.0, len(frames))
    accents = np.convolve(curve, np.exp(-0.5 * (np.arange(-25, 26) / 5.5) ** 2), "same")
    return accents.astype(np.float32), speaking, frames


def test_the_same_seed_gives_the_same_and_numbers_are_constant_curves():
    accents, speaking, _ = speech(60)
    code = preset_code("happy")
    first = behave(values_of(code), accents, speaking, 3)
    for again in (values_of(code), values_of(np.tile(code, (len(accents), 1)))):
        second = behave(again, accents, speaking, 3)
        assert all(np.array_equal(a, b) for a, b in zip(vars(first).values(), vars(second).values(), strict=True))
    other = behave(values_of(code), accents, speaking, 4)
    assert not np.allclose(first.head, other.head)
    assert not np.array_equal(first.eyelids, other.eyelids)
    assert all(array.dtype == np.float32 for array in vars(first).values())


def test_head_keeps_the_statistics_of_the_style_and_the_eyes_hold_the_viewer():
    count = 600 * RATE
    energetic = values_of(preset_code("energetic"))
    turn = head_rotation(energetic, np.zeros(count), np.ones(count), seed=0)
    degrees = np.rad2deg(turn)
    for index, axis in enumerate(("pitch", "yaw", "roll")):
        assert degrees[:, index].std() == pytest.approx(energetic[f"{axis}_spread_deg"], rel=0.15)
        assert degrees[:, index].mean() == pytest.approx(energetic[f"head_{axis}_deg"], abs=0.5)
    assert np.abs(np.diff(degrees, axis=0)).max() * RATE < 60
    eyes, _ = gaze(energetic, turn, np.ones(count), seed=0)
    assert eyes.shape == (count, 6)
    held = eyes[:, 1] + GAZE_GAIN * turn[:, 1]
    assert held.std() < 0.6 * turn[:, 1].std()


def test_tempo_follows_the_style_along_the_way():
    count = 400 * RATE
    tempo = np.where(np.arange(count) < count // 2, 0.2, 0.8).astype(np.float32)
    turn = head_rotation(style(head_tempo_hz=tempo), np.zeros(count), np.ones(count), seed=1)
    step = np.abs(np.diff(turn, axis=0))
    assert (step[count // 2 - 2 : count // 2 + 2] < step.max(0)).all()  # no jump where it changes
    frequency = lambda x: np.diff(x, axis=0).std() / x.std() * RATE / 2 / np.pi  # noqa: E731
    slow, fast = frequency(turn[: count // 2, 1]), frequency(turn[count // 2 :, 1])
    assert fast / slow == pytest.approx(4, rel=0.25)
    shifted = head_rotation(style(head_yaw_deg=np.linspace(-20, 20, count)), np.zeros(count), np.ones(count), seed=1)
    assert np.rad2deg(shifted[:500, 1].mean()) < -15
    assert np.rad2deg(shifted[-500:, 1].mean()) > 15


def test_head_beats_fall_on_accents():
    """Beats are the moments at which the head stands still (least speed); BA = mean of exp(-d² / 2 (0.1 s)²)."""
    accents, speaking, frames = speech(900)
    turn = head_rotation(STYLE, accents, speaking, seed=0)
    speed = np.linalg.norm(np.diff(turn, axis=0), axis=1)
    still = 1 + np.flatnonzero((speed[1:-1] < speed[:-2]) & (speed[1:-1] <= speed[2:]))

    def alignment(at: np.ndarray) -> float:
        after = np.clip(np.searchsorted(still, at), 1, len(still) - 1)
        apart_s = np.minimum(np.abs(still[after] - at), np.abs(still[after - 1] - at)) / RATE
        return float(np.exp(-0.5 * (apart_s / 0.1) ** 2).mean())

    random = np.random.default_rng(1)
    chance = [alignment(random.integers(0, len(turn), len(frames))) for _ in range(50)]
    assert alignment(frames) > np.mean(chance) + 10 * np.std(chance)


def test_idle_head_moves_less_but_lives():
    count = 300 * RATE
    quiet, loud = (head_rotation(STYLE, np.zeros(count), np.full(count, x), seed=0).std(0) for x in (0.0, 1.0))
    assert (quiet < 0.6 * loud).all()
    assert (np.rad2deg(quiet) > 0.2).all()


def test_blinks_keep_rate_and_gaps_and_like_the_ends_of_phrases():
    accents, speaking, _ = speech(3600)
    lids = behave(STYLE, accents, speaking, 0).eyelids
    assert lids.max() == 1
    shut = runs(lids[:, 0] > 0.5)
    assert len(shut) / 60 == pytest.approx(16, rel=0.08)  # about two standard errors
    assert min(b[0] - a[0] for a, b in zip(shut, shut[1:], strict=False)) >= 0.3 * RATE
    ends = np.array([end for _, end in runs(speaking > 0.5)])
    just_after = np.zeros(len(speaking), bool)
    for end in ends:
        just_after[end : end + RATE // 2] = True
    middles = np.array([(start + end) // 2 for start, end in shut])
    assert just_after[middles].mean() > 2 * just_after.mean()


def test_blink_rate_can_change_over_time():
    count = 3600 * RATE
    rate = np.where(np.arange(count) < count // 2, 6.0, 40.0)
    lids = blinks(style(blinks_per_minute=rate), np.zeros(count), np.zeros(0, int), seed=1)[:, 0] > 0.5
    assert len(runs(lids[: count // 2])) / 30 == pytest.approx(6, rel=0.2)
    assert len(runs(lids[count // 2 :])) / 30 == pytest.approx(40, rel=0.1)


def test_arrivals_are_as_many_as_expected_in_spite_of_the_dead_time():
    """A rate that jumps up and down, close to what the dead time allows; 400 runs, 24 000 events expected."""
    rate = np.tile(np.repeat([0.4, 2.0], 25), 50)
    times = [arrivals(rate, 0.35, np.random.default_rng(seed)) for seed in range(400)]
    assert np.mean([len(found) for found in times]) == pytest.approx(rate.sum() / RATE, rel=0.01)
    assert min(np.diff(found).min() for found in times) >= 0.35 - 1e-9
    high = np.mean([np.mean(found % 1 >= 0.5) for found in times])
    assert high == pytest.approx(2.0 / 2.4, abs=0.02)


def test_gaze_has_the_offset_and_spread_of_the_style_and_looks_away_when_a_phrase_begins():
    accents, speaking, _ = speech(1800)
    for spread_deg in (1.0, 5.0):
        values = style(gaze_yaw_deg=8.0, gaze_pitch_deg=-4.0, gaze_spread_deg=spread_deg)
        eyes, shifts = gaze(values, np.zeros((len(speaking), 3)), rest_gate(speaking), seed=2)
        degrees = np.rad2deg(eyes)
        assert degrees[:, 1].mean() == pytest.approx(8, abs=0.6)
        assert degrees[:, 0].mean() == pytest.approx(-4, abs=0.6)
        assert degrees[:, 1].std() == pytest.approx(spread_deg, rel=0.25)
    assert np.array_equal(eyes[:, :3], eyes[:, 3:])
    away = np.abs(degrees[:, 1] - 8) > 6
    onsets = [start for start, _ in runs(speaking > 0.5)]
    assert np.mean([away[start : start + 25].mean() for start in onsets]) > 1.4 * away.mean()
    assert len(shifts) > 60
    # A saccade is over within 0.1 s.
    assert np.abs(np.diff(degrees[:, 1])).max() > 2


def test_a_breath_is_drawn_before_speech_resumes_and_the_lips_stay_shut(head, demo):
    model = SpeechToFace.load()
    silence = np.zeros(16000, np.float32)
    heard = model.listen(np.concatenate([silence, demo, silence, demo]))
    gate = rest_gate(heard.speaking)
    breath = inhales(gate)
    onsets = [start for start, _ in runs(gate > 0.5)]
    long = [start for start in onsets if not (gate[max(0, start - 24) : start - 1] > 0.5).any() and start > 25]
    assert long
    mouth = model.move(heard, preset_code("neutral"))
    for start in long:
        assert breath[start - 3 : start + 3].max() == breath[start - 20 : start + 20].max() > 0.6
        assert breath[start - 25] < 0.1
        assert mouth[start - 20 : start - 8, column("jaw")].max() < 0.02
    quiet = behave(STYLE, 0 * gate, heard.speaking, 0)
    without = behave(STYLE, 0 * gate, np.ones_like(gate), 0)
    assert isinstance(quiet, Behaviour)
    assert not without.breath[RATE:].any()
    expr, _ = expressions_of(with_breath(mouth, breath), head.expression_names, breath)
    flare, brow = (expr[:, head.expression_names.index(name)] for name in ("nostril_flare_L", "brow_outer_up_L"))
    assert flare.max() > 0.2
    assert flare[breath == 0].max() == 0
    assert brow[long[0]] > brow[long[0] - 30] + 0.02


def test_without_speech_the_face_lives_and_draws_no_breath():
    count = 120 * RATE
    motion = behave(STYLE, np.zeros(count, np.float32), np.zeros(count, np.float32), 5)
    assert np.rad2deg(motion.head.std(0)).min() > 0.2
    assert np.rad2deg(motion.eyes[:, 1].std()) > 0.5
    assert 15 < len(runs(motion.eyelids[:, 0] > 0.5)) < 55
    assert not motion.breath.any()


def test_three_hours_are_quick_and_take_little_memory():
    accents, speaking, _ = speech(3 * 3600)
    started = time.process_time()
    behave(STYLE, accents, speaking, 0)
    assert time.process_time() - started < 5
    tracemalloc.start()
    motion = behave(STYLE, accents, speaking, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = sum(array.nbytes for array in vars(motion).values())
    assert kept == len(speaking) * 4 * 12
    assert peak < 130 * len(speaking)


def test_codes_over_time_give_curves():
    code = np.stack([preset_code("neutral"), preset_code("sad")])
    values = values_of(code)
    assert values["frown"].tolist() == pytest.approx([0.0, 0.38])
    assert set(values) == set(STYLE)
    assert len(with_values()) == len(STYLE)
    assert len(MOUTH) == 21
