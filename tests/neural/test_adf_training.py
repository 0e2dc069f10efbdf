"""Training and judging the speech model on a corpus of its own demo sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.adf.articulation import (
    ARTICULATION,
    PHONE_CLASSES,
)
from erlnet_blender.neural.adf.checkpoint import default_weights_path, load_network
from erlnet_blender.neural.adf.training import train

torch.set_num_threads(1)
DEMO = default_weights_path().with_name("demo_speech.flac")
RATE_HZ = 16000


def write_corpus(folder: Path, count: int = 8) -> None:
    """A corpus of buzzes and pauses, in the documented format: loud means an open jaw, low means sealed lips."""
    random, items = np.random.default_rng(0), []
    for index in range(count):
        duration_s = 3.5
        times_s = (np.arange(int(duration_s * 100)) + 0.5) / 100
        opening = np.clip(np.sin(2 * np.pi * random.uniform(1, 2) * times_s), 0, 1)
        samples = np.interp(np.arange(int(duration_s * RATE_HZ)) / RATE_HZ, times_s, opening)
        samples = samples * random.normal(0, 0.2, len(samples))
        motion = np.zeros((len(times_s), len(ARTICULATION)), np.float16)
        motion[:, 0], motion[:, 1] = 0.7 * opening, opening < 0.02
        phones = np.where(opening > 0, PHONE_CLASSES.index("a"), PHONE_CLASSES.index("m")).astype(np.int8)
        name = f"buzz-{index}"
        soundfile.write(folder / f"{name}.flac", np.clip(samples, -1, 1), RATE_HZ)
        np.savez(folder / f"{name}.npz", motion=motion, phones=phones, accents=opening.astype(np.float16))
        items.append({"name": name, "split": "train", "voice": "espeak-x" if index % 2 else "real", "text": "",
                      "duration_s": duration_s, "closures": [], "labiodentals": [], "phones": []})  # fmt: skip
    index = {"format": "erlnet-speech-corpus", "version": 1, "channels": list(ARTICULATION), "sample_rate_hz": RATE_HZ,
             "phone_classes": list(PHONE_CLASSES), "motion_rate_hz": 100, "items": items}  # fmt: skip
    (folder / "corpus.json").write_text(json.dumps(index))


def test_training_learns_and_a_resumed_run_ends_the_same(tmp_path, monkeypatch):
    from erlnet_blender.neural.adf.training import code_stage, motion_stage, run, style_stage

    sizes = {motion_stage: ("_EXPRESSION_WINDOWS", "_HEAD_WINDOWS"), style_stage: ("BATCH",), code_stage: ("BATCH",)}
    for stage, names in sizes.items():
        for name in names:
            monkeypatch.setattr(stage, name, 4)
    for stage in (motion_stage, code_stage):
        monkeypatch.setattr(stage, "_CLIPS", 6)
    write_corpus(tmp_path)
    quiet = lambda *text, **how: None  # noqa: E731
    two = {"channels": 48, "stages": ("speech", "style"), "report": quiet}  # the others: test_adf_stages
    whole = train(tmp_path, tmp_path / "whole.safetensors", 20, **two)
    short = train(tmp_path, tmp_path / "short.safetensors", 2, channels=48, report=quiet)
    assert load_network(tmp_path / "short.safetensors")[0].code_predictor is not None
    assert all(whole["losses"][stage] < 0.95 * short["losses"][stage] for stage in ("speech", "style"))

    class StopHereError(Exception):
        pass

    monkeypatch.setattr(run, "_SAVE_EVERY", 10)
    advance = run.Run._advance

    def interrupted(self, loss):
        if self.step == 14:
            raise StopHereError
        advance(self, loss)

    out = tmp_path / "halves.safetensors"
    monkeypatch.setattr(run.Run, "_advance", interrupted)
    with pytest.raises(StopHereError):
        train(tmp_path, out, 20, **two)
    monkeypatch.setattr(run.Run, "_advance", advance)
    assert train(tmp_path, out, 20, resume=True, **two)["steps"] == 30
    first, second = (load_network(tmp_path / f"{name}.safetensors")[0].state_dict() for name in ("whole", "halves"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(ErlnetError, match="another steps"):
        train(tmp_path, out, 30, resume=True, **two)


def test_training_without_a_corpus_says_how_to_make_one(tmp_path):
    with pytest.raises(ErlnetError, match=r"No speech corpus.*python -m studio\.speech"):
        train(tmp_path, tmp_path / "x.safetensors", 1)
