"""How well the speech model does, against the known phone times of a corpus, in figures.

All curves are those of the predictor itself (post-filter, gains, neutral style) at 50 Hz. The motion they are compared
with is made by rule, so the figures say whether sounds and their times are recovered, not whether a face looks right.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from ....errors import ErlnetError
from ..articulation import ARTICULATION, CHANNEL_RATE_HZ, CONTACTS, MOUTH, SHAPES
from ..checkpoint import load_network, save_weights
from ..closure import runs
from ..corpus.augmentation import Example, noise_only, plain
from ..corpus.folder import Recording, SpeechCorpus
from ..features import SAMPLE_RATE_HZ
from ..network import STYLE_SIZE
from ..predictor import Heard, SpeechToFace

TOLERANCE_S = 0.04
CORRELATED = ("jaw", "pucker", "funnel", "stretch")
_SILENCE_S = 0.3
_SEALED = 0.5
_NOISE_CLIPS = 8
_THRESHOLDS = np.arange(0.25, 0.86, 0.05)
_MOST_FALSE = 0.10
_MOST_GAIN = 1.6


class _Tally:
    """Events found, missed and made up, and curves to correlate, of one voice."""

    def __init__(self) -> None:
        self.closures, self.tucks = np.zeros(2, int), np.zeros(2, int)
        self.false = np.zeros(2, int)
        self.predicted: list[np.ndarray] = []
        self.true: list[np.ndarray] = []
        self.resting: list[np.ndarray] = []

    def add(self, mouth: np.ndarray, example: Example, entry: dict) -> None:
        """Count one recording; its times are shifted by the silence put before it."""
        closure, tuck = mouth[:, MOUTH.index("closure")], mouth[:, MOUTH.index("lip_tuck")]
        closures = [(a + _SILENCE_S, b + _SILENCE_S) for a, b in entry["closures"]]
        self.closures += _found(closure, closures)
        self.tucks += _found(tuck, [(a + _SILENCE_S, b + _SILENCE_S) for a, b in entry["labiodentals"]])
        made = [(start / CHANNEL_RATE_HZ, end / CHANNEL_RATE_HZ) for start, end in runs(closure > _SEALED)]
        strays = [
            not any(a - TOLERANCE_S < end and b + TOLERANCE_S > start for a, b in closures) for start, end in made
        ]
        self.false += (sum(strays), len(made))
        count = min(len(mouth), len(example.motion))
        self.predicted.append(mouth[:count, : len(ARTICULATION)])
        self.true.append(example.motion[:count])
        silent = np.ones(count, bool)
        for start, end in runs(example.phones[:count] > 0):
            silent[max(0, start - 10) : end + 10] = False  # 200 ms: lips get ready before the sound
        self.resting.append(_openness(mouth[:count])[silent])

    def figures(self) -> dict[str, float]:
        """The figures of `evaluate`."""
        predicted, true = np.concatenate(self.predicted), np.concatenate(self.true)
        resting = np.concatenate(self.resting)
        columns = [ARTICULATION.index(name) for name in CORRELATED]
        correlations = {ARTICULATION[c]: float(np.corrcoef(predicted[:, c], true[:, c])[0, 1]) for c in columns}
        return {
            "closure_recall": _share(*self.closures),
            "closure_false": _share(*self.false),
            "fv_recall": _share(*self.tucks),
            "mouth_correlation": float(np.mean(list(correlations.values()))),
            **{f"{name}_correlation": value for name, value in correlations.items()},
            "silence_motion": float(np.quantile(resting, 0.95)) if len(resting) else 0.0,
            "closures": int(self.closures[1]),
        }


def evaluate(corpus_dir: str | Path, weights: str | Path | None = None, split: str = "test", voice: str = "") -> dict:
    """Figures of a split of a corpus, in all and per voice (under ``voices``).

    closure_recall: share of the m, b and p closures during which, or within 40 ms of which, the lips are sealed
        (channel > 0.5). closure_false: share of the sealed stretches that come within 40 ms of no such closure.
    fv_recall: as closure_recall, for the lower lip at the teeth in f and v. mouth_correlation: mean over jaw, pucker,
        funnel and stretch of the correlation with the rule-made motion (each also under its own name).
    silence_motion: 95 % quantile, over frames at least 200 ms from speech, of the largest speech channel (0 = lips shut
        and still, 1 = wide open). noise_motion: the largest such value over 32 s of noise, hum, clicks and chords.
    real_time_factor: seconds of computing for a second of sound, here, in this process.

    Args:
        voice: only voices whose name contains this, e.g. ``"slt"``; the corpus of development is split
            ``"development"``.

    Raises:
        ErlnetError: no such corpus or voice, or unusable weights.
    """
    model, corpus = SpeechToFace.load(weights), SpeechCorpus(corpus_dir)
    entries = [entry for entry in corpus.entries(split) if voice in entry["voice"]]
    if not entries:
        raise ErlnetError(
            f"Corpus has no recordings of voice {voice!r} in split {split!r}", corpus.folder, "choose another"
        )
    whole, voices = _Tally(), {}
    sound_s = busy_s = 0.0
    for entry in entries:
        example = plain(corpus.read(entry), _SILENCE_S)
        started = time.perf_counter()
        mouth = model.move(model.listen(example.samples), np.zeros(STYLE_SIZE, np.float32))
        busy_s += time.perf_counter() - started
        sound_s += len(example.samples) / SAMPLE_RATE_HZ
        for tally in (whole, voices.setdefault(_voice_name(entry), _Tally())):
            tally.add(mouth, example, entry)
    return {
        "split": split,
        "recordings": len(entries),
        "duration_s": round(sound_s, 1),
        **whole.figures(),
        "noise_motion": _noise_motion(model),
        "real_time_factor": busy_s / sound_s,
        "voices": {name: tally.figures() for name, tally in sorted(voices.items())},
    }


def calibrate(corpus_dir: str | Path, weights: str | Path) -> dict:
    """Choose the closure threshold and the gains of the shapes on the development split; write them into the weights.

    The threshold is the highest, among those with at most 10 % false closures, whose recall is within one standard
    error of the best (where none has so few false ones: the largest recall less false closures). A gain brings the
    spread of a channel back to that of the truth, where squared error has shrunk it, by 1.6 at most.

    Returns:
        {"closure_threshold", "gains", "table"}: table rows are (threshold, recall, false).
    """
    network, metadata = load_network(weights)
    corpus = SpeechCorpus(corpus_dir)
    model = SpeechToFace(network, {**metadata, "calibration": {}})
    heard: list[tuple[Recording, Example, Heard]] = []
    for entry in corpus.entries("development"):
        recording = corpus.read(entry)
        example = plain(recording, _SILENCE_S)
        heard.append((recording, example, model.listen(example.samples)))
    table = [(float(threshold), *_closures_at(model, heard, float(threshold))) for threshold in _THRESHOLDS]
    best = _chosen(table, sum(len(recording.entry["closures"]) for recording, _, _ in heard))
    model.closure_threshold = best[0]
    calibration = {"closure_threshold": round(best[0], 3), "gains": _gains(model, heard)}
    save_weights(weights, network, network.state_dict(), {
        **{key: value for key, value in metadata.items() if key not in ("format", "version", "layout", "config")},
        "calibration": calibration,
    })  # fmt: skip
    return {**calibration, "table": table}


def _chosen(table: list[tuple[float, float, float]], closures: int) -> tuple[float, float, float]:
    good = [row for row in table if row[2] <= _MOST_FALSE]
    if not good:
        return max(table, key=lambda row: row[1] - row[2])
    best = max(row[1] for row in good)
    error = np.sqrt(best * (1 - best) / max(1, closures))
    return max((row for row in good if row[1] >= best - error), key=lambda row: row[0])


def _closures_at(
    model: SpeechToFace, heard: list[tuple[Recording, Example, Heard]], threshold: float
) -> tuple[float, float]:
    model.closure_threshold, tally = threshold, _Tally()
    for recording, example, curves in heard:
        tally.add(model.move(curves, np.zeros(STYLE_SIZE, np.float32)), example, recording.entry)
    return _share(*tally.closures), _share(*tally.false)


def _gains(model: SpeechToFace, heard: list[tuple[Recording, Example, Heard]]) -> dict[str, float]:
    mouths = [model.move(curves, np.zeros(STYLE_SIZE, np.float32)) for _, _, curves in heard]
    counts = [min(len(mouth), len(example.motion)) for mouth, (_, example, _) in zip(mouths, heard, strict=True)]
    predicted = np.concatenate([mouth[:count] for mouth, count in zip(mouths, counts, strict=True)])
    true = np.concatenate([example.motion[:count] for (_, example, _), count in zip(heard, counts, strict=True)])
    gains = {}
    for name in SHAPES:
        spread = predicted[:, MOUTH.index(name)].std()
        gains[name] = round(
            float(np.clip(true[:, ARTICULATION.index(name)].std() / max(spread, 1e-3), 1, _MOST_GAIN)), 3
        )
    return gains


def _openness(mouth: np.ndarray) -> np.ndarray:
    """(T,) the largest of the channels that part or move the lips."""
    names = [name for name in ARTICULATION if name not in CONTACTS or name == "lip_tuck"]
    return np.abs(mouth[:, [MOUTH.index(name) for name in names]]).max(1)


def _noise_motion(model: SpeechToFace) -> float:
    random = np.random.default_rng(20)
    clips = [noise_only(random).samples for _ in range(_NOISE_CLIPS)]
    return float(max(_openness(model.move(model.listen(c), np.zeros(STYLE_SIZE, np.float32))).max() for c in clips))


def _found(curve: np.ndarray, intervals: list[tuple[float, float]]) -> tuple[int, int]:
    rate = CHANNEL_RATE_HZ
    spans = [(int(max(0, a - TOLERANCE_S) * rate), int(np.ceil((b + TOLERANCE_S) * rate))) for a, b in intervals]
    return sum(bool(curve[a:b].max(initial=0) > _SEALED) for a, b in spans), len(spans)


def _share(part: int, whole: int) -> float:
    return float(part) / whole if whole else float("nan")


def _voice_name(entry: dict) -> str:
    """flite voices by their own names, espeak-ng ones by language."""
    return entry["voice"].split("+")[0]


if __name__ == "__main__":
    import json
    import sys

    torch.set_num_threads(1)
    print(json.dumps(evaluate(*sys.argv[1:]), indent=1))
