"""Lip closures and f/v tucks: found, missed and made up, against the phone times of the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..articulation import ARTICULATION, CHANNEL_RATE_HZ, CONTACTS, column
from ..closure import runs
from .cases import SILENCE_S, Case

TOLERANCE_S = 0.04
MADE = 0.5
"""A contact is made where its channel is above this."""
CORRELATED = ("jaw", "pucker", "funnel", "stretch")
_EVENTS = {"closure": "closures", "lip_tuck": "labiodentals"}
_CONTEXT = 2
_RESAMPLES = 1000


@dataclass(frozen=True)
class Event:
    """A contact that was due, or one that was made where none was due; times as in `Case.mouth`.

    Args:
        channel: ``closure`` or ``lip_tuck``; due: false where it was made up; found: whether it was made.
    """

    channel: str
    start_s: float
    end_s: float
    due: bool
    found: bool


def events_of(case: Case, channel: str) -> list[Event]:
    """What was due and what was made of a contact; only made contacts that nothing explains are events not due."""
    curve, due = case.mouth[:, column(channel)], case.intervals(_EVENTS[channel])
    events = [Event(channel, a, b, True, bool(_around(curve, a, b).max(initial=0) > MADE)) for a, b in due]
    return events + [Event(channel, a, b, False, True) for a, b in made(curve) if not near(a, b, due)]


def made(curve: np.ndarray) -> list[tuple[float, float]]:
    """(start_s, end_s) of the stretches in which a contact is made."""
    return [(start / CHANNEL_RATE_HZ, end / CHANNEL_RATE_HZ) for start, end in runs(curve > MADE)]


def near(start_s: float, end_s: float, intervals: list[tuple[float, float]]) -> bool:
    """Whether a stretch comes within `TOLERANCE_S` of any of the intervals."""
    return any(a - TOLERANCE_S < end_s and b + TOLERANCE_S > start_s for a, b in intervals)


def _around(curve: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    first = int(max(0, start_s - TOLERANCE_S) * CHANNEL_RATE_HZ)
    return curve[first : int(np.ceil((end_s + TOLERANCE_S) * CHANNEL_RATE_HZ - 1e-6))]


def counts_of(case: Case) -> dict[str, tuple[int, int]]:
    """(part, whole) of each share that `shares` gives, in one recording."""
    counts = {}
    for channel, recall, false in (
        ("closure", "closure_recall", "closure_false"),
        ("lip_tuck", "fv_recall", "fv_false"),
    ):
        events = events_of(case, channel)
        due = [event for event in events if event.due]
        counts[recall] = (sum(event.found for event in due), len(due))
        counts[false] = (len(events) - len(due), len(made(case.mouth[:, column(channel)])))
    return counts


def shares(cases: Iterable[Case]) -> dict:
    """closure_recall, closure_false, fv_recall, fv_false of some recordings, with the numbers behind them.

    ``events`` holds (part, whole) of each, ``interval`` its 95 % interval: a bootstrap of 1000 draws of whole
    recordings, since errors in one recording hang together.
    """
    rows = [counts_of(case) for case in cases]
    figures: dict = {}
    events: dict[str, tuple[int, int]] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for name in rows[0]:
        table = np.array([row[name] for row in rows])
        part, whole = (int(total) for total in table.sum(0))
        figures[name], events[name] = share(part, whole), (part, whole)
        if whole:
            intervals[name] = _bootstrap(table)
    return {**figures, "events": events, "interval": intervals}


def _bootstrap(table: np.ndarray) -> tuple[float, float]:
    """95 % interval of sum(part) / sum(whole) over (R, 2) rows, drawn with replacement."""
    drawn = table[np.random.default_rng(0).integers(0, len(table), (_RESAMPLES, len(table)))].sum(1)
    ratios = drawn[drawn[:, 1] > 0, 0] / drawn[drawn[:, 1] > 0, 1]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


def share(part: int, whole: int) -> float:
    """A share; NaN of nothing."""
    return float(part) / whole if whole else float("nan")


def correlations(cases: Iterable[Case]) -> dict[str, float]:
    """mouth_correlation and, under its own name, that of each channel, over the recordings whose motion is known."""
    known = [case for case in cases if case.aligned()]
    if not known:
        return {}
    predicted = np.concatenate([case.mouth[: case.frames()] for case in known])
    true = np.concatenate([case.truth() for case in known])
    each = {
        f"{name}_correlation": float(np.corrcoef(predicted[:, column(name)], true[:, ARTICULATION.index(name)])[0, 1])
        for name in CORRELATED
    }
    return {"mouth_correlation": float(np.mean(list(each.values()))), **each}


def openness(mouth: np.ndarray) -> np.ndarray:
    """(T,) the largest of the channels that part or move the lips."""
    names = [name for name in ARTICULATION if name not in CONTACTS or name == "lip_tuck"]
    return np.abs(mouth[:, [column(name) for name in names]]).max(1)


def resting(cases: Iterable[Case]) -> float:
    """silence_motion: 95 % quantile of the openness at least 200 ms from speech."""
    values = np.concatenate([openness(case.mouth[: case.frames()])[case.silent()] for case in cases if case.aligned()])
    return float(np.quantile(values, 0.95)) if len(values) else 0.0


def errors_of(case: Case) -> Iterator[dict]:
    """What went wrong in a recording, one JSON object each: times from the start of the recording's own file.

    ``motion`` and ``bilabial`` are the highest values around it of what the network says before the filter of
    `closure.believed_closures`; ``gap_s`` is how far the nearest such contact of the truth lies from a made-up one.
    """
    for channel in _EVENTS:
        for event in events_of(case, channel):
            if event.due == event.found:
                continue
            raw = case.heard.articulation[:, ARTICULATION.index(channel)]
            phone, context = _phone(case.entry["phones"], event.start_s - SILENCE_S, event.end_s - SILENCE_S)
            gaps = [max(a - event.end_s, event.start_s - b) for a, b in case.intervals(_EVENTS[channel])]
            yield {
                "voice": case.entry["voice"], "recording": case.name, "event": channel,
                "error": "missed" if event.due else "false", "start_s": round(event.start_s - SILENCE_S, 3),
                "duration_s": round(event.end_s - event.start_s, 3), "phone": phone, "context": context,
                "motion": _highest(raw, event), "bilabial": _highest(case.heard.bilabial, event),
                "gap_s": round(min(gaps), 3) if gaps and not event.due else None, "text": case.entry.get("text", ""),
            }  # fmt: skip


def _highest(curve: np.ndarray, event: Event) -> float:
    return round(float(_around(curve, event.start_s, event.end_s).max(initial=0)), 3)


def _phone(phones: list, start_s: float, end_s: float) -> tuple[str, str]:
    """The phone that an interval overlaps most, and it in brackets between its neighbours."""
    if not phones:
        return "", ""
    overlaps = [min(end, end_s) - max(start, start_s) for start, end, _ in phones]
    index = int(np.argmax(overlaps))
    letters = [letter for _, _, letter in phones]
    before, after = letters[max(0, index - _CONTEXT) : index], letters[index + 1 : index + 1 + _CONTEXT]
    return letters[index], " ".join([*before, f"[{letters[index]}]", *after])
