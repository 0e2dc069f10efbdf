"""Choosing what is not learnt, the closure threshold and the gains of the shapes, on the development split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..articulation import ARTICULATION, SHAPES, column
from ..checkpoint import load_network, save_weights
from ..corpus.folder import SpeechCorpus
from ..predictor import SpeechToFace
from .cases import NEUTRAL, Case, case_of, voice_name
from .events import counts_of, share

_THRESHOLDS = np.arange(0.25, 0.86, 0.05)
_MOST_FALSE = 0.10
_MOST_GAIN = 1.6


def calibrate(corpus_dir: str | Path, weights: str | Path) -> dict:
    """Choose the closure threshold and the gains of the shapes on the development split; write them into the weights.

    The threshold is chosen on the development voices that training does not have, where there are any: a trained voice
    is heard too well to say what an unknown one needs. It is the highest, among those with at most 10 % false closures,
    whose recall is within one standard error of the best (where none has so few false ones: the largest recall less
    false closures). A gain brings the spread of a channel back to that of the truth, where squared error has shrunk it,
    by 1.6 at most; gains come from all development voices.

    Returns:
        {"closure_threshold", "gains", "table", "voices"}: table rows are (threshold, recall, false).
    """
    network, metadata = load_network(weights)
    corpus = SpeechCorpus(corpus_dir)
    model = SpeechToFace(network, {**metadata, "calibration": {}})
    cases = [case_of(model, corpus, entry) for entry in corpus.entries("development")]
    unseen = _unseen(corpus, cases)
    table = [(float(threshold), *_closures_at(model, unseen, float(threshold))) for threshold in _THRESHOLDS]
    best = _chosen(table, sum(len(case.entry["closures"]) for case in unseen))
    model.closure_threshold = best[0]
    calibration = {"closure_threshold": round(best[0], 3), "gains": _gains(model, cases)}
    save_weights(weights, network, network.state_dict(), {
        **{key: value for key, value in metadata.items() if key not in ("format", "version", "layout", "config")},
        "calibration": calibration,
    })  # fmt: skip
    return {**calibration, "table": table, "voices": sorted({case.voice for case in unseen})}


def _unseen(corpus: SpeechCorpus, cases: list[Case]) -> list[Case]:
    trained = {voice_name(entry) for entry in corpus.entries("train")}
    return [case for case in cases if case.voice not in trained] or cases


def _chosen(table: list[tuple[float, float, float]], closures: int) -> tuple[float, float, float]:
    good = [row for row in table if row[2] <= _MOST_FALSE]
    if not good:
        return max(table, key=lambda row: row[1] - row[2])
    best = max(row[1] for row in good)
    error = np.sqrt(best * (1 - best) / max(1, closures))
    return max((row for row in good if row[1] >= best - error), key=lambda row: row[0])


def _closures_at(model: SpeechToFace, cases: list[Case], threshold: float) -> tuple[float, float]:
    model.closure_threshold = threshold
    _move(model, cases)
    counts = [counts_of(case) for case in cases]
    recall, false = (np.sum([row[name] for row in counts], 0) for name in ("closure_recall", "closure_false"))
    return share(*recall), share(*false)


def _gains(model: SpeechToFace, cases: list[Case]) -> dict[str, float]:
    _move(model, cases)
    predicted = np.concatenate([case.mouth[: case.frames()] for case in cases])
    true = np.concatenate([case.truth() for case in cases])
    gains = {}
    for name in SHAPES:
        spread = predicted[:, column(name)].std()
        gains[name] = round(
            float(np.clip(true[:, ARTICULATION.index(name)].std() / max(spread, 1e-3), 1, _MOST_GAIN)), 3
        )
    return gains


def _move(model: SpeechToFace, cases: list[Case]) -> None:
    for case in cases:
        case.mouth = model.move(case.heard, NEUTRAL)
