"""The motion and the style stage: they learn, and a run that was killed ends bit for bit like one that was not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from erlnet_blender.delivery import Delivery
from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import ARTICULATION, EXPRESSION, MOUTH, SHAPES, column
from erlnet_blender.neural.adf.behaviour import head_rotation
from erlnet_blender.neural.adf.checkpoint import load_network, load_tensors, save_tensors, save_weights
from erlnet_blender.neural.adf.corpus.folder import TrackedMotion
from erlnet_blender.neural.adf.corpus.preparation import Prepared
from erlnet_blender.neural.adf.motion import factors_of, head_motion, head_units, mouth_units, styled
from erlnet_blender.neural.adf.network import SpeechToFaceNetwork
from erlnet_blender.neural.adf.predictor import SpeechToFace
from erlnet_blender.neural.adf.sound import Sound
from erlnet_blender.neural.adf.style.factors import NAMES, NEUTRAL, values_of, with_values
from erlnet_blender.neural.adf.style.presets import preset_code
from erlnet_blender.neural.adf.training import code_stage, motion_stage, run, style_stage
from erlnet_blender.neural.adf.training.teacher import Teacher

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Two minutes of talk in three examples: syllables at 4 Hz, an accent on every fifth, a pause now and then."""
    times_s, random = np.arange(6000) / 50, np.random.default_rng(0)
    speaking = np.sin(2 * np.pi * times_s / 9) > -0.6
    opening = speaking * np.clip(np.sin(2 * np.pi * 4 * times_s), 0, 1)
    motion = opening[:, None] * random.uniform(0.2, 0.6, len(ARTICULATION))
    accents = opening * (np.sin(2 * np.pi * 0.8 * times_s) > 0.6)
    mel = np.repeat(opening[:, None] * random.uniform(0, 1, 80), 2, 0).astype(np.float16)
    return Prepared(
        mel=mel, motion=motion.astype(np.float16), phones=np.where(opening > 0, 25, 0).astype(np.int8),
        accents=accents.astype(np.float16), starts=np.array([0, 1500, 4000, 6000]), pools=np.array([0, 1, 1], np.int8),
        voices=np.array([0, 1, 1], np.int32),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(run, "_SAVE_EVERY", 4)
    for stage in (motion_stage, code_stage):
        monkeypatch.setattr(stage, "_CLIPS", 6)
    monkeypatch.setattr(motion_stage, "_EXPRESSION_WINDOWS", 4)
    monkeypatch.setattr(motion_stage, "_HEAD_WINDOWS", 4)
    monkeypatch.setattr(style_stage, "BATCH", 4)
    monkeypatch.setattr(code_stage, "BATCH", 4)
    monkeypatch.setattr(code_stage, "_HEAD_BATCH", 4)


def make(name: str, prepared: Prepared, steps: int) -> tuple[run.Stage, SpeechToFaceNetwork]:
    torch.manual_seed(1)
    network = SpeechToFaceNetwork(16, 2)
    stage = motion_stage.MotionStage(network, Teacher(prepared, 0), steps, 2e-3, 0)
    if name != "motion":
        teacher = Teacher(prepared, 0, network.speech)
        style = lambda: style_stage.StyleStage(network, teacher, steps, 2e-3)  # noqa: E731
        stage = style() if name == "style" else code_stage.CodeStage(network, teacher, steps, 2e-3, 0)
    return stage, network


class KilledError(Exception):
    pass


@pytest.mark.parametrize("name", ["motion", "style", "codes"])
def test_a_killed_stage_ends_the_same(name, prepared, tmp_path, monkeypatch):
    quiet = lambda *text, **how: None  # noqa: E731
    whole = run.Run(make(name, prepared, 10)[0], tmp_path / "whole", 0, {})
    whole.go(quiet, quiet)
    stage, _ = make(name, prepared, 10)
    loss = stage.loss
    killed = run.Run(stage, tmp_path / "halves", 0, {})

    def until_six(random: np.random.Generator) -> torch.Tensor:
        if killed.step == 6:
            raise KilledError
        return loss(random)

    monkeypatch.setattr(stage, "loss", until_six)
    with pytest.raises(KilledError):
        killed.go(quiet, quiet)
    resumed = run.Run(make(name, prepared, 10)[0], tmp_path / "halves", 0, {})
    resumed.load()
    assert resumed.step == 4
    resumed.go(quiet, quiet)
    assert whole.average.keys() == resumed.average.keys()
    assert all(torch.equal(tensor, resumed.average[key]) for key, tensor in whole.average.items())


def test_the_motion_stage_learns_to_tell_motion(prepared, tmp_path):
    stage, network = make("motion", prepared, 120)
    random = np.random.default_rng(1)
    motions = {"expression_vq": stage.expression(random, 8, 200), "head_vq": stage._head(random)}
    run.Run(stage, tmp_path / "state", 0, {}).go(lambda average: None, lambda *text, **how: None)
    network.eval()
    for (name, motion), most in zip(motions.items(), (0.5, 0.9), strict=True):
        vq = getattr(network, name)
        with torch.no_grad():
            left = vq(motion)[0] - motion
        assert left.square().mean() < most * motion.var((0, 1)).mean(), name


@pytest.fixture(scope="module")
def trained(prepared) -> SpeechToFaceNetwork:
    """All parts, not trained: what is tested of them holds for any weights."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in (motion_stage, code_stage):
            patch.setattr(stage, "_CLIPS", 6)
        return make("codes", prepared, 1)[1].eval()


def test_filmed_people_are_learnt_from_as_they_moved(prepared):
    """The last example is filmed: a smile that never changes, and a head that swings by 8 degrees."""
    mouth = np.zeros((2000, len(MOUTH)), np.float32)
    mouth[:, column("smile")], mouth[:, column("jaw")] = 0.63, np.arange(2000) % 50 / 100
    head_rad = np.deg2rad(8 * np.sin(np.arange(2000)[:, None] / [20, 30, 40]))
    film = TrackedMotion(mouth, head_rad, np.zeros((2000, 2)), np.zeros((2000, 6)))
    filmed = replace(prepared, tracked=film.joined().astype(np.float16), tracked_starts=np.array([0, 0, 0, 2000]))
    teacher = Teacher(filmed, 0)
    lesson = teacher.lesson(np.random.default_rng(0), 12, 144)
    smile = len(SHAPES) + EXPRESSION.index("smile")
    assert 0 < lesson.filmed.sum() < 12
    assert torch.allclose(lesson.target[lesson.filmed][..., smile], torch.tensor(0.63), atol=1e-3)
    assert np.allclose(factors_of(lesson.explicit[lesson.filmed])[:, NAMES.index("smile")], 0.63, atol=1e-2)
    assert lesson.references[:12][lesson.filmed][..., column("jaw")].max() <= 0.5
    assert not lesson.plain[lesson.filmed].any()
    assert not Teacher(prepared, 0).lesson(np.random.default_rng(0), 12, 144).filmed.any()
    clips = teacher.head_clips(np.random.default_rng(0), 3)
    assert len(clips.motion) == 4
    assert clips.motion[3].std(0) == pytest.approx(1, abs=0.35)  # leaning towards the usual spread
    chosen, places = clips.windows(np.random.default_rng(0), 40, 512, 8)
    assert (places[:, 0] % 8 == 0).all()
    assert np.array_equal(clips.rows_at(chosen, places)[0], clips.rows[chosen[0]][places[0]])


def _talk(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.random((count, len(ARTICULATION))), random.random(count), np.ones(count)]


def test_head_motion_follows_the_seed_and_windows_bound_it(trained):
    talk, style = _talk(2500), preset_code("energetic")
    first = head_motion(trained, *talk, style, 5)
    assert first.shape == (2500, 3)
    assert np.array_equal(first, head_motion(trained, *talk, style, 5))
    assert not np.allclose(first, head_motion(trained, *talk, style, 6))
    # What is drawn early does not hang on what is said much later.
    late = [curve.copy() for curve in talk]
    late[0][2000:] = 0
    assert np.array_equal(first[:900], head_motion(trained, *late, style, 5)[:900])


def test_the_weights_say_whether_the_head_goes_by_codes(trained, monkeypatch, head):
    sound = Sound.of(np.random.default_rng(0).normal(0, 0.1, 4 * 16000).astype(np.float32), 16000)
    model = SpeechToFace(trained, {})
    heard = model.hear(sound)
    curves = heard.articulation, heard.accents, heard.speaking
    tracks = {}
    for ways in ((), ("head",)):
        monkeypatch.setattr(trained, "by_codes", ways)
        tracks[ways] = model.perform(sound, 50, head, Delivery(seed=2)).track()
    style = preset_code("neutral")
    drawn = head_motion(trained, *curves, style, 2)
    assert np.abs(tracks[("head",)].neck_pose - drawn).max() < 0.02
    assert np.abs(tracks[()].neck_pose - head_rotation(values_of(style), *curves[1:], 2)).max() < 0.02
    assert np.array_equal(tracks[()].jaw_pose, tracks[("head",)].jaw_pose)


def test_head_motion_has_the_units_of_its_style(trained):
    talk = _talk(1000)
    style, wide = preset_code("neutral"), preset_code("neutral")
    wide[NAMES.index("yaw_spread_deg")] = 3
    wide[NAMES.index("head_yaw_deg")] = 1
    mean, unit = head_units(factors_of(wide))
    trained.code_predictor.head.style_columns, kept = [0] * 12, trained.code_predictor.head.style_columns
    try:  # the same codes for both
        plain, turned = (np.rad2deg(head_motion(trained, *talk, code, 0)) for code in (style, wide))
    finally:
        trained.code_predictor.head.style_columns = kept
    neutral_mean, neutral_unit = head_units(NEUTRAL)
    assert np.allclose((plain - neutral_mean) / neutral_unit, (turned - mean) / unit, atol=1e-3)


@pytest.mark.parametrize("by_codes", [(), ("expression",)])
def test_styled_windows_are_seamless_and_a_style_may_change(trained, monkeypatch, by_codes):
    from erlnet_blender.neural.adf import motion

    monkeypatch.setattr(trained, "by_codes", by_codes)
    talk, calm, happy = _talk(900), preset_code("calm"), preset_code("happy")
    whole = styled(trained, *talk, happy)
    monkeypatch.setattr(motion, "WINDOW_FRAMES", 200)
    assert np.abs(styled(trained, *talk, happy) - whole).max() < 1e-4
    changing = np.where(np.arange(900)[:, None] < 480, calm, happy).astype(np.float32)
    moved = styled(trained, *talk, changing)
    assert np.abs(moved[600:] - whole[600:]).max() < (1e-4 if not by_codes else 0.2)
    assert np.abs(moved[:300] - styled(trained, *talk, calm)[:300]).max() < (1e-4 if not by_codes else 0.2)


def test_weights_remember_their_parts_and_ways(trained, tmp_path, monkeypatch):
    path = tmp_path / "all.safetensors"
    monkeypatch.setattr(trained, "by_codes", ("head",))
    save_weights(path, trained, trained.state_dict(), {})
    again, _ = load_network(path)
    assert again.by_codes == ("head",)
    assert again.config == trained.config
    talk, style = _talk(300), preset_code("happy")
    drawn = head_motion(again, *talk, style, 1)
    # Half precision may tip a draw or two.
    assert np.corrcoef(drawn[:, 1], head_motion(trained, *talk, style, 1)[:, 1])[0, 1] > 0.5
    tensors, metadata = load_tensors(path, "speech model")
    del metadata["config"]["code_predictor"]
    save_tensors(path, tensors, metadata)
    with pytest.raises(ErlnetError, match="does not fit"):
        load_network(path)


def test_units_are_what_the_factors_name():
    mean, unit = mouth_units(with_values(jaw_amplitude=1.5, lip_amplitude=0.7, smile=0.4))
    assert unit[: len(SHAPES)] == pytest.approx([1.5] + [0.7] * (len(SHAPES) - 1))
    assert mean[len(SHAPES)] == pytest.approx(0.4)
    _, unit = mouth_units(with_values(lip_amplitude=0.8, rounding_amplitude=1.5, spreading_amplitude=0.5))
    named = dict(zip(SHAPES, unit, strict=False))
    expected = {"jaw": 1.0, "pucker": 1.2, "funnel": 1.2, "stretch": 0.4}
    assert named == pytest.approx(dict.fromkeys(SHAPES, 0.8) | expected)
    _, unit = head_units(with_values(pitch_spread_deg=3.0, nod_deg=16.0))
    assert unit[0] == pytest.approx(5.0)


def test_drawn_together_and_apart():
    codes = torch.randn(6, 8)
    together = style_stage.contrastive(torch.stack([codes, codes + 0.01]))
    mixed = style_stage.contrastive(torch.stack([codes, codes.roll(1, 0)]))
    assert together < 0.3 * mixed


def test_hidden_tokens_are_a_round_of_drawing():
    random = np.random.default_rng(0)
    shares = [float(row.float().mean()) for row in code_stage.hidden_tokens(random, 300, 64)]
    assert max(shares) == 1.0
    assert min(shares) > 0.2
    assert 0.4 < np.mean(shares) < 0.9
