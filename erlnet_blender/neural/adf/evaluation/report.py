"""All figures of the speech model on a split of a corpus, and the list of its errors."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from ....formats.atomic import write_bytes
from ..corpus.augmentation import noise_only
from ..corpus.folder import SpeechCorpus
from ..features import SAMPLE_RATE_HZ
from ..predictor import SpeechToFace
from .cases import NEUTRAL, Case, case_of, chosen_entries
from .events import correlations, errors_of, openness, resting, shares

_NOISE_CLIPS = 8
_NOISE_DB = 15.0
_RECORDED_KINDS = ("flite", "festival", "recorded")


def evaluate(
    corpus_dir: str | Path, weights: str | Path | None = None, split: str = "test", voice: str = "",
    errors: str | Path | None = None,
) -> dict:  # fmt: skip
    """Figures of a split of a corpus, in all and per voice (under ``voices``); docs/adf.md defines each.

    Args:
        weights: None for those that ship.
        voice: only voices whose name contains this, e.g. ``"slt"``.
        errors: a file to write each missed and made-up contact to, one JSON object a line.

    Raises:
        ErlnetError: no such corpus or voice, or unusable weights.
    """
    model, corpus = SpeechToFace.load(weights), SpeechCorpus(corpus_dir)
    entries = chosen_entries(corpus, split, voice)
    started = time.perf_counter()
    cases = [case_of(model, corpus, entry) for entry in entries]
    busy_s = time.perf_counter() - started
    sound_s = sum(len(case.example.samples) for case in cases) / SAMPLE_RATE_HZ
    if errors is not None:
        write_errors(cases, errors)
    return {
        "split": split,
        "recordings": len(entries),
        "duration_s": round(sound_s, 1),
        **_figures(cases),
        "noise_motion": _noise_motion(model),
        "real_time_factor": busy_s / sound_s,
        "noise_15db": _under_noise(model, corpus, entries),
        "voices": {name: _figures([case for case in cases if case.voice == name]) for name in _voices(cases)},
    }


def write_errors(cases: list[Case], path: str | Path) -> None:
    """Write the errors of `errors_of`, those that the model is surest of first."""
    found = [error for case in cases for error in errors_of(case)]
    found.sort(key=lambda error: error["motion"] if error["error"] == "missed" else -error["motion"])
    write_bytes(path, "".join(json.dumps(error, ensure_ascii=False) + "\n" for error in found).encode())


def _figures(cases: list[Case]) -> dict:
    aligned = [case for case in cases if case.aligned()]
    return {
        **shares(cases),
        **correlations(cases),
        **({"silence_motion": resting(aligned)} if aligned else {}),
        "closures": sum(len(case.entry["closures"]) for case in cases),
    }


def _voices(cases: list[Case]) -> list[str]:
    return sorted({case.voice for case in cases})


def _under_noise(model: SpeechToFace, corpus: SpeechCorpus, entries: list[dict]) -> dict:
    """Closures of the voices of recorded speakers in white noise, 15 dB below the speech."""
    recorded = [entry for entry in entries if _kind(entry) in _RECORDED_KINDS and entry["closures"]]
    cases = [case_of(model, corpus, entry, _NOISE_DB) for entry in recorded]
    return {name: _figures([case for case in cases if case.voice == name]) for name in _voices(cases)}


def _kind(entry: dict) -> str:
    return entry.get("kind") or entry["voice"].split("-")[0]


def _noise_motion(model: SpeechToFace) -> float:
    random = np.random.default_rng(20)
    clips = [noise_only(random).samples for _ in range(_NOISE_CLIPS)]
    return float(max(openness(model.move(model.listen(clip), NEUTRAL)).max() for clip in clips))
