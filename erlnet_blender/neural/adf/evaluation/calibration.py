"""Choosing what is not learnt, thresholds of contacts and gains of shapes, on the development split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..articulation import ARTICULATION, SHAPES, column
from ..checkpoint import load_network, save_weights
from ..corpus.folder import SpeechCorpus
from ..predictor import SpeechToFace
from .cases import NEUTRAL, Case, case_of, voice_name
from .events import counts_of, share

_THRESHOLDS = np.arange(0.15, 0.86, 0.05)
# The thresholds of the predictor, and the figures that they decide.
_CONTACTS = {
    "closure_threshold": ("closure_recall", "closure_false"), "tuck_threshold": ("fv_recall", "fv_false"),
}  # fmt: skip
_MOST_GAIN = 1.6
_AS_GOOD = 0.005
"""Differences of F1 that say nothing. Of such thresholds the lowest: a missed contact shows more than an extra one."""


def calibrate(corpus_dir: str | Path, weights: str | Path) -> dict:
    """Choose thresholds of closure and tuck and gains of shapes on the development split; write them into the weights.

    Thresholds are chosen on the development voices that training does not have, where there are any: a trained voice
    is heard too well to say what an unknown one needs. Each is the one with the highest harmonic mean of recall and
    share of contacts that are not false (F1), or the lowest that is as good: a bound on false ones alone makes a mouth
    that hardly ever closes where voices are hard. A gain brings the spread of a channel back to that of the truth,
    where squared error has shrunk it, by 1.6 at most; gains come from all development voices.

    Returns:
        {"closure_threshold", "tuck_threshold", "gains", "table", "tuck_table", "voices"}: rows are (threshold, recall,
        false).
    """
    network, metadata = load_network(weights)
    corpus = SpeechCorpus(corpus_dir)
    model = SpeechToFace(network, {**metadata, "calibration": {}})
    cases = [case_of(model, corpus, entry) for entry in corpus.entries("development")]
    unseen = _unseen(corpus, cases)
    tables, chosen = {}, {}
    for contact, (recall, _) in _CONTACTS.items():
        rows = [(float(threshold), *_at(model, unseen, contact, float(threshold))) for threshold in _THRESHOLDS]
        best = _chosen(rows, sum(counts_of(case)[recall][1] for case in unseen))
        setattr(model, contact, best[0])
        tables[contact], chosen[contact] = rows, round(best[0], 3)
    calibration = {**chosen, "gains": _gains(model, cases)}
    save_weights(weights, network, network.state_dict(), {
        **{key: value for key, value in metadata.items() if key not in ("format", "version", "layout", "config")},
        "calibration": calibration,
    })  # fmt: skip
    told = {"table": tables["closure_threshold"], "tuck_table": tables["tuck_threshold"]}
    return {**calibration, **told, "voices": sorted({case.voice for case in unseen})}


def _unseen(corpus: SpeechCorpus, cases: list[Case]) -> list[Case]:
    trained = {voice_name(entry) for entry in corpus.entries("train")}
    return [case for case in cases if case.voice not in trained] or cases


def _chosen(table: list[tuple[float, float, float]], due: int) -> tuple[float, float, float]:
    """The lowest of the (threshold, recall, false) that are as good as the best; the middle one if nothing is `due`."""
    if not due:
        return min(table, key=lambda row: abs(row[0] - 0.5))
    best = max(_harmonic(row[1], 1 - row[2]) for row in table)
    return min(row for row in table if _harmonic(row[1], 1 - row[2]) >= best - _AS_GOOD)


def _harmonic(recall: float, precision: float) -> float:
    """Their harmonic mean, F1; what makes no contact at all is worth nothing."""
    return 2 * recall * precision / (recall + precision) if recall + precision > 0 else 0.0


def _at(model: SpeechToFace, cases: list[Case], contact: str, threshold: float) -> tuple[float, float]:
    setattr(model, contact, threshold)
    _move(model, cases)
    counts = [counts_of(case) for case in cases]
    recall, false = (np.sum([row[name] for row in counts], 0) for name in _CONTACTS[contact])
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
