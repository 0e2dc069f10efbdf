"""Figures of the speech model: events counted by hand, known curves, and the whole report on the demo sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.ndimage import gaussian_filter1d

from erlnet_blender.cli import main
from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import (
    ARTICULATION,
    CONTACTS,
    MOUTH,
    PHONE_CLASSES,
    column,
    expressions_of,
    jaw_pose_of,
)
from erlnet_blender.neural.adf.checkpoint import default_weights_path
from erlnet_blender.neural.adf.corpus.augmentation import Example, plain
from erlnet_blender.neural.adf.corpus.folder import SpeechCorpus
from erlnet_blender.neural.adf.evaluation import calibrate, evaluate
from erlnet_blender.neural.adf.evaluation.baselines import Baselines
from erlnet_blender.neural.adf.evaluation.calibration import _chosen
from erlnet_blender.neural.adf.evaluation.cases import SILENCE_S, Case, noisy
from erlnet_blender.neural.adf.evaluation.events import correlations, errors_of, shares
from erlnet_blender.neural.adf.evaluation.geometry import deviation, geometry, openings_mm, patch, shown, vertices_mm
from erlnet_blender.neural.adf.evaluation.speed import speed
from erlnet_blender.neural.adf.evaluation.style import (
    GIVEAWAYS,
    Classifier,
    Stretches,
    accuracy,
    by_rule,
    correlation,
    features,
    seen_in,
    trained_pairs,
)
from erlnet_blender.neural.adf.evaluation.sync import Spoken, beat_alignment, lag_ms
from erlnet_blender.neural.adf.evaluation.table import END, ROWS, joined, look_up, with_tables
from erlnet_blender.neural.adf.evaluation.truth import rule_made
from erlnet_blender.neural.adf.predictor import Heard, SpeechToFace
from erlnet_blender.neural.adf.style.catalogue import TEST_STYLES
from erlnet_blender.neural.flame.lbs import FlameTensors, forward

torch.set_num_threads(1)
RATE_HZ = 16000


def a_case(sealed: list[tuple[int, int]], closures: list[tuple[float, float]]) -> Case:
    """Three seconds in which the lips are sealed in the given frames, and should be at the given seconds."""
    mouth = np.zeros((150, len(MOUTH)), np.float32)
    for start, end in sealed:
        mouth[start:end, column("closure")] = 1
    motion = np.random.default_rng(0).uniform(0, 1, (150, len(ARTICULATION))).astype(np.float32)
    mouth[:, [column(name) for name in ("jaw", "pucker", "funnel", "stretch")]] = 0.5 * motion[:, [0, 2, 3, 4]]
    heard = Heard(mouth[:, : len(ARTICULATION)], mouth[:, 1], np.zeros(150), np.ones(150))
    entry = {"name": "x", "voice": "flite-slt", "text": "am mm", "labiodentals": [], "phones": [
        [0.0, 0.2, "a"], [0.2, 0.4, "m"], [0.4, 2.0, "l"]],
        "closures": [(a - SILENCE_S, b - SILENCE_S) for a, b in closures]}  # fmt: skip
    example = Example(np.zeros(48000, np.float32), motion, np.ones(150, np.int8), np.zeros(150, np.float32))
    return Case(entry, example, heard, mouth)


def test_events_are_counted_within_40_ms():
    early, late, nowhere = (0.50, 0.60), (1.00, 1.10), (2.00, 2.10)
    # Sealed 0.40-0.48 s (20 ms before the first), 1.16-1.20 s (60 ms after the second: too late), 2.6-2.7 s (stray).
    figures = shares([a_case([(20, 24), (58, 60), (130, 135)], [early, late, nowhere])])
    assert figures["events"]["closure_recall"] == (1, 3)
    assert figures["events"]["closure_false"] == (2, 3)
    assert np.isnan(figures["fv_recall"])
    perfect = shares([a_case([(25, 30), (50, 55), (100, 105)], [early, late, nowhere])])
    assert (perfect["closure_recall"], perfect["closure_false"]) == (1, 0)
    assert perfect["interval"]["closure_recall"] == (1, 1)
    mixed = shares([a_case([(25, 30)], [early]), a_case([], [early])] * 4)["interval"]["closure_recall"]
    assert mixed[0] < 0.5 < mixed[1]


def test_errors_name_the_phone_and_its_neighbours():
    missed, stray = sorted(errors_of(a_case([(40, 45)], [(0.5, 0.7)])), key=lambda error: error["start_s"])
    assert (missed["error"], missed["phone"], missed["context"]) == ("missed", "m", "a [m] l")
    assert (missed["start_s"], missed["motion"]) == (0.2, 0)
    assert (stray["error"], stray["phone"], stray["gap_s"], stray["motion"]) == ("false", "l", 0.1, 1)


def test_the_threshold_weighs_recall_against_false_contacts():
    rows = [(0.2, 0.99, 0.3), (0.3, 0.97, 0.09), (0.4, 0.96, 0.05), (0.5, 0.80, 0.01)]
    assert _chosen(rows, 100)[0] == 0.4
    assert _chosen([*rows, (0.35, 0.958, 0.052)], 100)[0] == 0.35  # as good, and misses less
    assert _chosen([(0.3, 0.8, 0.3), (0.7, 0.3, 0.05)], 100)[0] == 0.3  # few false ones are not worth an open mouth
    nan = float("nan")
    assert _chosen([(0.3, nan, 1.0), (0.5, nan, 1.0)], 0)[0] == 0.5
    assert _chosen([(0.3, 0.5, 0.5), (0.9, 0.0, nan)], 9)[0] == 0.3


def test_calibration_is_written_into_the_weights_and_used(demo_corpus, tmp_path, demo):
    index = json.loads((demo_corpus / "corpus.json").read_text())
    for name in ("demo.flac", "demo.npz"):
        (tmp_path / name).write_bytes((demo_corpus / name).read_bytes())
    item = index["items"][0]
    index["items"] = [{**item, "split": "development", "labiodentals": [[0.3, 0.4]]}]
    (tmp_path / "corpus.json").write_text(json.dumps(index))
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(default_weights_path().read_bytes())
    found = calibrate(tmp_path, weights)
    model = SpeechToFace.load(weights)
    assert (model.closure_threshold, model.tuck_threshold) == (found["closure_threshold"], found["tuck_threshold"])
    assert len(found["table"]) == len(found["tuck_table"])
    recalls = [row[1] for row in found["table"]]
    assert recalls == sorted(recalls, reverse=True)  # a higher threshold never finds more
    heard = model.listen(demo)
    model.tuck_threshold = 0.0
    assert model.move(heard, np.zeros(128, np.float32))[:, column("lip_tuck")].max() == 1
    model.tuck_threshold = 1.0
    assert model.move(heard, np.zeros(128, np.float32))[:, column("lip_tuck")].max() <= 0.4


def test_correlation_ignores_the_scale():
    assert correlations([a_case([], [])])["mouth_correlation"] == pytest.approx(1, abs=1e-5)


def test_noise_is_15_db_below_the_speech():
    silence = np.zeros(round(SILENCE_S * RATE_HZ), np.float32)
    speech = np.random.default_rng(0).normal(0, 0.3, RATE_HZ).astype(np.float32)
    sound = np.concatenate([silence, speech, silence])
    noise = noisy(sound, 15.0, 1) - sound
    assert 10 * np.log10(np.mean(speech**2) / np.mean(noise**2)) == pytest.approx(15, abs=0.1)
    assert np.array_equal(noisy(sound, 15.0, 1), noisy(sound, 15.0, 1))


def test_the_patch_poses_as_the_whole_head_does(head):
    random = np.random.default_rng(0)
    mouth = random.uniform(0, 0.6, (4, len(MOUTH))).astype(np.float32)
    expr, _ = expressions_of(mouth, head.expression_names)
    pose = np.zeros((4, 5, 3), np.float32)
    pose[:, 2] = jaw_pose_of(mouth)
    whole = forward(FlameTensors.from_head(head), torch.from_numpy(expr), torch.from_numpy(pose)).vertices.numpy()
    part, vertices = patch(), vertices_mm(mouth)
    upper = vertices[:, part.upper_face].reshape(4, -1, 1, 3)
    nearest = np.abs(1000 * whole[:, None] - upper[:, :3]).sum(-1).min(2)
    assert nearest.max() < 1e-3
    assert len(part.lips) > 250
    shut, open_ = np.zeros((2, 1, len(MOUTH)), np.float32)
    open_[0, column("jaw")] = 0.5
    assert openings_mm(vertices_mm(shut)).max() < 1
    assert openings_mm(vertices_mm(open_)).min() > 3


def test_geometry_is_zero_for_the_truth_and_grows_with_the_error():
    truth = rule_made(a_case([], []).example)
    true = shown(truth)
    same = geometry([deviation(truth, true)])
    assert max(map(abs, same.values())) < 1e-4
    half, brows = truth.copy(), truth.copy()
    half[:, column("jaw")] *= 0.5
    brows[:, column("brow_raise")] += np.linspace(0, 0.6, len(brows))
    off = geometry([deviation(half, true)])
    assert off["mod"] > 1
    assert off["lve"] == pytest.approx(off["lve_codetalker"] ** 0.5)
    still = geometry([deviation(brows, true)])
    assert still["fdd"] > 0.05
    assert still["fdd_codetalker"] < 0  # livelier than the truth
    assert still["lve"] < 0.05 * off["lve"]


def test_lag_of_a_curve_that_comes_later():
    curve = np.convolve(np.random.default_rng(0).standard_normal(400), np.hanning(9), "same")
    later, early = curve[:-3], curve[3:]
    lag, correlation = lag_ms([(later, early)])
    assert lag == pytest.approx(60, abs=2)
    assert correlation > 0.95
    assert lag_ms([(early, later)])[0] == pytest.approx(-60, abs=2)


def test_beats_on_the_stresses_score_far_above_chance_and_others_do_not():
    random = np.random.default_rng(0)
    stresses_s = np.cumsum(random.uniform(0.4, 1.2, 60)) + 1
    elsewhere_s = np.cumsum(random.uniform(0.4, 1.2, 60)) + 1
    times_s = (np.arange(60 * 50) + 0.5) / 50

    def head(beats_s):
        pitch = np.exp(-np.square((times_s[:, None] - beats_s) / 0.1) / 2).sum(1)
        return np.stack([np.deg2rad(3 * pitch), 0 * pitch, 0 * pitch], 1)

    aligned = beat_alignment([Spoken(head(stresses_s), stresses_s)])
    assert aligned["beat_alignment"] > 0.95
    assert aligned["beat_alignment_sigmas"] > 5
    assert aligned["beat_alignment_random"] < 0.7
    assert abs(beat_alignment([Spoken(head(elsewhere_s), stresses_s)])["beat_alignment_sigmas"]) < 3


def test_baselines_know_their_training_recordings_and_no_closures_by_energy(demo_corpus, tmp_path):
    index = json.loads((demo_corpus / "corpus.json").read_text())
    for name in ("demo.flac", "demo.npz"):
        (tmp_path / name).write_bytes((demo_corpus / name).read_bytes())
    index["items"] = [{**index["items"][0], "split": "train"}]
    (tmp_path / "corpus.json").write_text(json.dumps(index))
    corpus = SpeechCorpus(tmp_path)
    known, example = Baselines(corpus), plain(corpus.read(corpus.entries("train")[0]), SILENCE_S)
    truth = rule_made(example)
    copied, by_energy = known.nearest(example), known.mean_by_energy(example)
    count = min(len(copied), len(truth))
    jaw = column("jaw")
    smooth = np.convolve(truth[:count, jaw], [0.25, 0.5, 0.25], "same")
    assert np.corrcoef(copied[:count, jaw], smooth)[0, 1] > 0.95
    assert by_energy.shape == truth[: len(by_energy)].shape
    assert by_energy[:5].max() == 0
    assert by_energy[:, jaw].max() > known.mean[jaw]


def babble(seconds: float, seed: int = 0) -> Example:
    """Speech-like motion with its stresses, without a sound."""
    random, count = np.random.default_rng(seed), round(50 * seconds)
    motion = gaussian_filter1d(random.uniform(0, 1.2, (count, len(ARTICULATION))), 3, axis=0).clip(0, 1)
    motion[:, [ARTICULATION.index(name) for name in CONTACTS]] = 0
    accents = np.clip(gaussian_filter1d(random.standard_normal(count), 8) * 4, 0, 1.5)
    phones = (np.arange(count) % 200 < 180).astype(np.int8)
    return Example(np.zeros(count * 320, np.float32), motion.astype(np.float32), phones, accents.astype(np.float32))


def test_statistics_are_those_of_the_style():
    content = babble(40)
    found = [features(seen_in(by_rule(one, content, 1), content.phones)) for one in TEST_STYLES]
    of = lambda name: np.array([row[name] for row in found])  # noqa: E731
    factor = lambda name: np.array([one.value[name] for one in TEST_STYLES])  # noqa: E731
    habit = np.array([one.gains[0] for one in TEST_STYLES])
    assert np.corrcoef(of("jaw std"), factor("jaw_amplitude") * habit)[0, 1] > 0.9
    assert np.corrcoef(of("smile mean"), factor("smile"))[0, 1] > 0.97
    assert np.corrcoef(of("brow_raise std"), factor("brow_accent"))[0, 1] > 0.9
    assert np.corrcoef(of("yaw mean"), factor("head_yaw_deg"))[0, 1] > 0.9
    assert np.corrcoef(of("yaw std"), factor("yaw_spread_deg"))[0, 1] > 0.7
    assert np.corrcoef(of("blinks"), factor("blinks_per_minute"))[0, 1] > 0.7
    assert correlation(found, found)["head_mean"] == pytest.approx(1)


def test_classifier_assigns_rule_made_motion_and_not_strangers():
    references, motions = trained_pairs(babble(120, 1), more=60)
    short, long = Stretches(babble(120, 2)).take(4, 24), Stretches(babble(120, 3)).take(20, 24)

    def shown(parts, seed):
        pairs = zip(TEST_STYLES, parts, strict=False)
        return [features(seen_in(by_rule(one, part, seed + n), part.phones)) for n, (one, part) in enumerate(pairs)]

    told, said = shown(short, 100), shown(long, 200)
    for without, least in (((), 0.95), (GIVEAWAYS, 0.9)):
        distances = Classifier(references, motions, without).distances(told, said)
        assert accuracy(distances) > least
        assert accuracy(np.roll(distances, 1, axis=1)) < 0.2
    blind = Classifier(references, motions, GIVEAWAYS)
    hidden = [{**row, "smile mean": 9.0, "yaw mean": 90.0, "gaze yaw std": 9.0} for row in said]
    assert np.array_equal(blind.distances(told, said), blind.distances(told, hidden))


def test_stretches_are_mostly_speech():
    content = babble(60)
    content.phones[:1500] = 0
    parts = Stretches(content).take(4, 10)
    assert all((part.phones > 0).mean() >= 0.7 for part in parts)
    assert {len(part.motion) for part in parts} == {200}


def test_speed_is_measured_in_another_process(monkeypatch):
    monkeypatch.setattr("erlnet_blender.neural.adf.evaluation.speed._TIMED_S", 3)
    monkeypatch.setattr("erlnet_blender.neural.adf.evaluation.speed.THREADS", 1)
    figures = speed()
    assert 0 < figures["real_time_factor_cpu"] < 0.5
    assert 0 < figures["load_cpu_s"] < 10
    with pytest.raises(ErlnetError, match="Speed could not be measured"):
        speed("gone.safetensors")


def test_tables_are_written_between_the_marks_and_name_existing_figures():
    page = (Path(__file__).parents[2] / "docs" / "adf.md").read_text(encoding="utf8")
    figures = {"weights": "erlnet train", "recordings": 2, "duration_s": 7.0, "split": "test", "lve": 2.25,
               "style": {"correlation": {"jaw": 0.9}}, "voices": {"flite-slt": {
                   "closure_recall": 0.95, "fv_recall": None, "events": {"closure_recall": [19, 20]},
                   "interval": {"closure_recall": [0.9, 1.0]}}}}  # fmt: skip
    first = {"lve": 3.0}
    changed = with_tables(page, figures, first)
    assert changed.partition(END)[2] == page.partition(END)[2]
    assert "| LVE (ARTalk), mm | least | **2.25** | 3.00 | – | – |" in changed
    assert "| closure recall, slt | ≥ .95 | **.950** |" in changed
    assert "| f/v recall, slt | ≥ .9 | **–** |" in changed
    assert "| jaw amplitude | ≥ .9 | .90 | – |" in changed
    assert "| flite-slt | 20 | .950 |" in changed
    assert "Weights: `erlnet train`" in changed
    assert ".90 to 1.00" in changed
    assert with_tables(changed, figures, first) == changed
    assert joined({"voices": {"a": {"lve": 1}}, "lve": 1}, {"voices": {"a": {"mod": 2}}, "lve": 3}) == {
        "voices": {"a": {"lve": 1, "mod": 2}}, "lve": 3}  # fmt: skip
    with pytest.raises(ErlnetError, match="no place for the figures"):
        with_tables("nothing", figures, first)


@pytest.fixture(scope="module")
def demo_corpus(tmp_path_factory, demo) -> Path:
    """A corpus of the one sentence whose phone times are known."""
    folder = tmp_path_factory.mktemp("corpus")
    times_s = json.loads(Path(__file__).with_name("demo_speech_closures.json").read_text())["closures"]
    frames = len(demo) * 100 // RATE_HZ
    loud = np.abs(demo[: frames * 160]).reshape(frames, 160).max(1) > 0.02
    motion = np.zeros((frames, len(ARTICULATION)), np.float16)
    motion[:, :5] = (loud[:, None] * np.random.default_rng(0).uniform(0.2, 0.6, (frames, 5))).astype(np.float16)
    soundfile.write(folder / "demo.flac", demo, RATE_HZ)
    np.savez(folder / "demo.npz", motion=motion, phones=(loud * PHONE_CLASSES.index("a")).astype(np.int8),
             accents=np.zeros(frames, np.float16))  # fmt: skip
    item = {"name": "demo", "split": "test", "voice": "flite-slt", "text": "", "duration_s": len(demo) / RATE_HZ,
            "closures": times_s, "labiodentals": [], "phones": []}  # fmt: skip
    index = {"format": "erlnet-speech-corpus", "version": 1, "channels": list(ARTICULATION), "sample_rate_hz": RATE_HZ,
             "phone_classes": list(PHONE_CLASSES), "motion_rate_hz": 100, "items": [item]}  # fmt: skip
    (folder / "corpus.json").write_text(json.dumps(index))
    return folder


def test_report_of_the_demo_recording(demo_corpus):
    figures = evaluate(demo_corpus, only=("events", "noise", "geometry", "sync"))
    named = {"closure_recall", "closure_false", "fv_recall", "mouth_correlation", "silence_motion",
             "lve", "fdd", "mod", "sync_lag_ms", "beat_alignment"}  # fmt: skip
    assert named <= set(figures)
    recalled, count = figures["events"]["closure_recall"]
    assert count >= 5
    assert figures["closure_recall"] == pytest.approx(recalled / count)
    assert figures["closure_recall"] >= 0.6
    assert figures["silence_motion"] < 0.05
    assert {"closure_recall", "lve", "sync_lag_ms"} <= set(figures["voices"]["flite-slt"])
    assert set(figures["noise_15db"]["voices"]) == {"flite-slt"}
    elsewhere = ("it", "hu", "en-us", "style", "blink", "load", "memory", "real_time", "alsa")
    for row in ROWS:
        assert look_up(figures, row.path) is not None or any(word in row.path for word in elsewhere), row.path
    with pytest.raises(ErlnetError, match="Corpus has no recordings of voice 'rms'"):
        evaluate(demo_corpus, voice="rms")
    with pytest.raises(ErlnetError, match="No such part of the evaluation: smell"):
        evaluate(demo_corpus, only=("smell",))


def test_command_prints_one_object_and_lists_errors(demo_corpus, tmp_path, capsys):
    errors = tmp_path / "errors.jsonl"
    call = ["evaluate", "speech", str(demo_corpus), "--json", "--only", "events", "--errors", str(errors)]
    assert main([*call, "--voice", "slt"]) == 0
    figures = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert figures["fv_recall"] is None
    listed = [json.loads(line) for line in errors.read_text().splitlines()]
    recalled, due = figures["events"]["closure_recall"]
    strays = figures["events"]["closure_false"][0]
    closures = [error for error in listed if error["event"] == "closure"]
    assert [error["error"] for error in closures].count("missed") == due - recalled
    assert [error["error"] for error in closures].count("false") == strays
