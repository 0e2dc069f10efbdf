"""Figures of the speech model: events counted by hand, known curves, and the whole report on the demo sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from erlnet_blender.cli import main
from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import ARTICULATION, MOUTH, PHONE_CLASSES, column
from erlnet_blender.neural.adf.corpus.augmentation import Example
from erlnet_blender.neural.adf.evaluation import evaluate
from erlnet_blender.neural.adf.evaluation.cases import SILENCE_S, Case, noisy
from erlnet_blender.neural.adf.evaluation.events import correlations, errors_of, shares
from erlnet_blender.neural.adf.predictor import Heard

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


def test_correlation_ignores_the_scale():
    assert correlations([a_case([], [])])["mouth_correlation"] == pytest.approx(1, abs=1e-5)


def test_noise_is_15_db_below_the_speech():
    silence = np.zeros(round(SILENCE_S * RATE_HZ), np.float32)
    speech = np.random.default_rng(0).normal(0, 0.3, RATE_HZ).astype(np.float32)
    sound = np.concatenate([silence, speech, silence])
    noise = noisy(sound, 15.0, 1) - sound
    assert 10 * np.log10(np.mean(speech**2) / np.mean(noise**2)) == pytest.approx(15, abs=0.1)
    assert np.array_equal(noisy(sound, 15.0, 1), noisy(sound, 15.0, 1))


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
    figures = evaluate(demo_corpus)
    named = {"closure_recall", "closure_false", "fv_recall", "mouth_correlation", "real_time_factor", "silence_motion"}
    assert named <= set(figures)
    count = figures["closures"]
    assert count >= 5
    assert figures["closure_recall"] * count == pytest.approx(round(figures["closure_recall"] * count))
    assert figures["closure_recall"] >= 0.6
    assert figures["silence_motion"] < 0.05
    assert figures["real_time_factor"] < 0.5
    assert set(figures["voices"]) == set(figures["noise_15db"]) == {"flite-slt"}
    with pytest.raises(ErlnetError, match="Corpus has no recordings of voice 'rms'"):
        evaluate(demo_corpus, voice="rms")


def test_command_prints_one_object_and_lists_errors(demo_corpus, tmp_path, capsys):
    errors = tmp_path / "errors.jsonl"
    assert main(["evaluate", "speech", str(demo_corpus), "--json", "--voice", "slt", "--errors", str(errors)]) == 0
    figures = json.loads(capsys.readouterr().out)
    listed = [json.loads(line) for line in errors.read_text().splitlines()]
    recalled, due = figures["events"]["closure_recall"]
    strays = figures["events"]["closure_false"][0]
    closures = [error for error in listed if error["event"] == "closure"]
    assert [error["error"] for error in closures].count("missed") == due - recalled
    assert [error["error"] for error in closures].count("false") == strays
