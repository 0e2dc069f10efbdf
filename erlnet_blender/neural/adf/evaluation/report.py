"""All figures of the speech model on a split of a corpus, and the list of its errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ....errors import ErlnetError
from ....formats.atomic import write_bytes
from ..corpus.folder import SpeechCorpus
from ..corpus.music import music
from ..corpus.sounds import noise
from ..features import SAMPLE_RATE_HZ
from ..predictor import SpeechToFace
from .baselines import Baselines
from .cases import NEUTRAL, Case, case_of, chosen_entries, in_a_row, training_examples
from .events import correlations, errors_of, openness, resting, shares
from .geometry import Shown, deviation, geometry, shown
from .speed import memory, speed
from .style import style_figures
from .sync import beat_alignment, lags, spoken_in_a_row
from .truth import rule_made

_NOISE_CLIPS, _MUSIC_CLIPS = 8, 24
_MOVES = 0.05
"""How far a channel opens the mouth before it is counted as moving."""
_NOISE_DB = 15.0
_RECORDED_KINDS = ("flite", "festival", "recorded")
_STYLE_RECORDINGS = 200


class Evaluation:
    """A model on the recordings of a split; each part of the report is a method of the same name.

    Args:
        entries: of the split; weights: None for those that ship.
        baseline: weights of an earlier model to compare with.
    """

    def __init__(
        self, corpus: SpeechCorpus, entries: list[dict], weights: str | Path | None, baseline: str | Path | None = None
    ) -> None:
        self.model, self.corpus, self.entries, self.weights = SpeechToFace.load(weights), corpus, entries, weights
        self.cases = [case_of(self.model, corpus, entry) for entry in entries]
        self.sound_s = sum(len(case.example.samples) for case in self.cases) / SAMPLE_RATE_HZ
        self.baseline = SpeechToFace.load(baseline) if baseline is not None else None
        self._truths: dict[str, Shown] = {}

    def events(self) -> dict:
        """Closures, f/v, correlations; silence and noise; per voice too."""
        strays = [case for case in self.cases if not case.aligned()]
        return {
            **_events(self.cases),
            "noise_motion": _noise_motion(self.model),
            "music_motion": _music_motion(self.model),
            **({"alsa_false_closures": _events(strays)["events"]["closure_false"][0]} if strays else {}),
            "voices": self._by_voice(_events),
        }

    def noise(self) -> dict:
        """Events of the voices of recorded speakers in white noise, 15 dB below the speech."""
        recorded = [entry for entry in self.entries if _kind(entry) in _RECORDED_KINDS and entry["closures"]]
        cases = [case_of(self.model, self.corpus, entry, _NOISE_DB) for entry in recorded]
        if not cases:
            return {}
        voices = {voice: _events(group) for voice, group in _grouped(cases).items()}
        return {"noise_15db": {**_events(cases), "voices": voices}}

    def geometry(self) -> dict:
        """Lips and upper face in millimetres; per voice too."""
        return {**self._geometry(self.cases), "voices": self._by_voice(self._geometry)}

    def sync(self) -> dict:
        """Lag of the mouth, beats of the head; the lag per voice too."""
        rows = [spoken_in_a_row(self.model, group) for group in _grouped(_aligned(self.cases)).values()]
        return {**lags(self.cases), **(beat_alignment(rows) if rows else {}), "voices": self._by_voice(lags)}

    def style(self) -> dict:
        """Styles of unseen references; recordings of one voice say both the references and what is generated."""
        voice = max(_grouped(_aligned(self.cases)).values(), key=lambda cases: sum(len(c.mouth) for c in cases))
        training = in_a_row(training_examples(self.corpus, _STYLE_RECORDINGS))
        told, said = (in_a_row([case.example for case in voice[half::2] or voice]) for half in (0, 1))
        return {**style_figures(self.model, training, told, said), "style_voice": voice[0].voice}

    def speed(self) -> dict:
        """Seconds for a second of sound, and to load."""
        return speed(self.weights)

    def memory(self) -> dict:
        """Megabytes for ten minutes and for three hours; takes a few minutes itself."""
        return memory(self.weights)

    def baselines(self) -> dict:
        """The figures of the mouth for the three baselines."""
        known = Baselines(self.corpus)
        rivals = {name: known.cases(self.cases, name) for name in ("mean_by_energy", "nearest")}
        if self.baseline is not None:
            rivals["earlier_model"] = [case_of(self.baseline, self.corpus, entry) for entry in self.entries]
        return {"baselines": {name: self._mouth(cases) for name, cases in rivals.items()}}

    def _mouth(self, cases: list[Case]) -> dict:
        voices = {voice: {**_events(group), **self._geometry(group)} for voice, group in _grouped(cases).items()}
        return {**_events(cases), **self._geometry(cases), **lags(cases), "voices": voices}

    def _geometry(self, cases: list[Case]) -> dict:
        return geometry([deviation(case.mouth, self._truth(case)) for case in _aligned(cases)])

    def _truth(self, case: Case) -> Shown:
        if case.name not in self._truths:
            self._truths[case.name] = shown(rule_made(case.example))
        return self._truths[case.name]

    def _by_voice(self, figures: Callable[[list[Case]], dict]) -> dict[str, dict]:
        return {voice: figures(cases) for voice, cases in _grouped(self.cases).items()}


PARTS = ("events", "noise", "geometry", "sync", "style", "baselines", "speed")
SLOW_PARTS = ("memory",)


def evaluate(
    corpus_dir: str | Path, weights: str | Path | None = None, split: str = "test", voice: str = "",
    errors: str | Path | None = None, only: Iterable[str] = PARTS, baseline: str | Path | None = None,
) -> dict:  # fmt: skip
    """Figures of a split of a corpus, in all and per voice (under ``voices``); docs/adf.md defines each.

    Args:
        weights: None for those that ship.
        voice: only voices whose name contains this, e.g. ``"slt"``.
        errors: a file to write each missed and made-up contact to, one JSON object a line.
        only: which of `PARTS` and `SLOW_PARTS`.
        baseline: weights of an earlier model, for the part `baselines`.

    Raises:
        ErlnetError: no such corpus, voice or part, or unusable weights.
    """
    unknown = sorted(set(only) - {*PARTS, *SLOW_PARTS})
    if unknown:
        raise ErlnetError(f"No such part of the evaluation: {', '.join(unknown)}", "", f"choose of {', '.join(PARTS)}")
    corpus = SpeechCorpus(corpus_dir)
    entries = chosen_entries(corpus, split, voice)
    found = Evaluation(corpus, entries, weights, baseline)
    if errors is not None:
        write_errors(found.cases, errors)
    figures: dict = {
        "split": split,
        "weights": found.model.metadata.get("command", ""),
        "recordings": len(entries),
        "duration_s": round(found.sound_s, 1),
    }
    voices: dict[str, dict] = {name: {} for name in _grouped(found.cases)}
    for part in (*PARTS, *SLOW_PARTS):
        if part in only:
            measured = getattr(found, part)()
            for name, of_voice in measured.pop("voices", {}).items():
                voices[name].update(of_voice)
            figures.update(measured)
    return {**figures, "voices": voices}


def write_errors(cases: list[Case], path: str | Path) -> None:
    """Write the errors of `errors_of`, those that the model is surest of first."""
    found = [error for case in cases for error in errors_of(case)]
    found.sort(key=lambda error: error["motion"] if error["error"] == "missed" else -error["motion"])
    write_bytes(path, "".join(json.dumps(error, ensure_ascii=False) + "\n" for error in found).encode())


def _events(cases: list[Case]) -> dict:
    aligned = _aligned(cases)
    rest = {"silence_motion": resting(aligned)} if aligned else {}
    return {**shares(cases), **correlations(cases), **rest}


def _aligned(cases: list[Case]) -> list[Case]:
    return [case for case in cases if case.aligned()]


def _grouped(cases: list[Case]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.voice, []).append(case)
    return dict(sorted(groups.items()))


def _kind(entry: dict) -> str:
    return entry.get("kind") or entry["voice"].split("-")[0]


def _noise_motion(model: SpeechToFace) -> float:
    random = np.random.default_rng(20)
    clips = [noise(4 * SAMPLE_RATE_HZ, random) for _ in range(_NOISE_CLIPS)]
    return float(max(_opened(model, clip).max() for clip in clips))


def _music_motion(model: SpeechToFace) -> float:
    random = np.random.default_rng(21)
    clips = [music(5 * SAMPLE_RATE_HZ, random) for _ in range(_MUSIC_CLIPS)]
    return float(np.mean([_opened(model, clip) > _MOVES for clip in clips]))


def _opened(model: SpeechToFace, sound: np.ndarray) -> np.ndarray:
    return openness(model.move(model.listen(sound * np.float32(0.1)), NEUTRAL))
