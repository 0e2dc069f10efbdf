"""From how a person moves to what the speech encoder learns: neutral articulation, and closures by the lips' distance.

A seal is where the lips are nearer than `SEALED_SHARE` of the way from how near this person's lips ever come (4 %
quantile while speaking, as trackers seldom let them meet) to their usual distance. It is given the ramps of the
rule-made corpus. What a seal hides of the other channels is carried across from before to after it. Shapes lose the
person's resting mouth (median in pauses) and are divided by the person's amplitude (`style.measured`), so that all
speakers of a corpus speak neutrally; how they really moved is kept beside it for the style.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...articulation import (
    ARTICULATION,
    CHANNEL_RATE_HZ,
    CONTACTS,
    LIPS_PRESS,
    MOUTH,
    SHAPES,
    YIELD_TO_CLOSURE,
    column,
    mouth_of,
)
from ...closure import runs, smoothstep
from ...style.factors import NAMES
from ...style.measured import measured_factors
from .faces import Face
from .hearing import Heard

SEALED_SHARE = 0.15
_NEAREST, _ENOUGH_SPEECH_S = 0.04, 20.0
_NEVER_MEET = 0.5
_SHORTEST_S, _LONGEST_S = 0.03, 0.35
_ATTACK_S, _RELEASE_S = 0.06, 0.05
_ENOUGH_PAUSE_S = 1.0
_LEAST_AMPLITUDE, _MOST_AMPLITUDE = 0.4, 2.5
_LEAST_LIPS_MM = 0.5
_TUCKED = (0.25, 0.4)
_TONGUE = ("tongue_up", "tongue_out", "tongue_back")


@dataclass(frozen=True)
class Performance:
    """A take: what is seen of it; (T,) gate at 50 Hz, 1 while speaking; by how much the face runs late, seconds."""

    face: Face
    gate: np.ndarray
    late_s: float = 0.0

    @property
    def face_times_s(self) -> np.ndarray:
        """(N,) middles of the face's frames, in the time of the sound."""
        return (np.arange(len(self.face)) + 0.5) / self.face.fps - self.late_s

    def gate_at(self, times_s: np.ndarray) -> np.ndarray:
        """The gate at any times."""
        return np.interp(times_s, (np.arange(len(self.gate)) + 0.5) / CHANNEL_RATE_HZ, self.gate, 0, 0)

    def at(self, times_s: np.ndarray, curves: np.ndarray) -> np.ndarray:
        """(T, C) float32 of curves (N, C) at the face's frames."""
        own_s = self.face_times_s
        return np.stack([np.interp(times_s, own_s, curve) for curve in curves.T], 1).astype(np.float32)

    def mouth_at(self, times_s: np.ndarray, seals: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
        """(T, len(MOUTH)) channels, closure as the seals say, and which of them can be seen."""
        closure = ramped(times_s, seals)
        expr, names = self.at(times_s, self.face.expr), self.face.names
        if "lips_press" in names:
            expr[:, names.index("lips_press")] = LIPS_PRESS * closure
        mouth, seen = mouth_of(self.at(times_s, self.face.jaw_pose), expr, names)
        mouth[:, column("closure")] = closure
        seen[column("closure")] = True
        parted = closure <= 0.5
        for name in YIELD_TO_CLOSURE.keys() & set(MOUTH):
            if parted.any():
                curve = mouth[:, column(name)]
                curve[~parted] = np.interp(times_s[~parted], times_s[parted], curve[parted])
        return mouth, seen


@dataclass(frozen=True)
class Manner:
    """How a speaker speaks: lips nearer than `sealed_mm` are sealed (None: they never meet); (6,) resting SHAPES;
    amplitudes of jaw and lips, 1 = that of the neutral rule-made corpus."""

    sealed_mm: float | None
    resting: np.ndarray
    jaw: float
    lips: float


def manner_of(performances: list[Performance]) -> Manner:
    """Measure a speaker in all that there is of them."""
    sealed_mm = _sealed_mm(performances)
    mouths, gates, others, seen = [], [], [], np.zeros(len(MOUTH), bool)
    for one in performances:
        count = min(len(one.gate), int(one.face_times_s[-1] * CHANNEL_RATE_HZ) + 1)
        times_s = (np.arange(count) + 0.5) / CHANNEL_RATE_HZ
        mouth, seen = one.mouth_at(times_s, seals_of(one, sealed_mm))
        mouths.append(mouth)
        gates.append(one.gate_at(times_s))
        others.append(one.at(times_s, np.concatenate([one.face.head, one.face.eyelids, one.face.gaze], 1)))
    mouth, gate, other = (np.concatenate(parts) for parts in (mouths, gates, others))
    pause, columns = gate < 0.01, [column(name) for name in SHAPES]
    resting = np.zeros(len(SHAPES), np.float32)
    if pause.sum() > _ENOUGH_PAUSE_S * CHANNEL_RATE_HZ:
        resting = np.median(mouth[pause][:, columns], axis=0)
    mouth[:, columns] = np.clip(mouth[:, columns] - resting, 0, None)
    speaking = gate > 0.5
    head, lids, eyes = np.split(other[speaking], (3, 5), axis=1)
    factors = measured_factors(mouth[speaking], seen, head, lids, eyes)
    jaw, lips = (float(factors[NAMES.index(f"{part}_amplitude")]) for part in ("jaw", "lip"))
    held = np.clip([jaw, lips], _LEAST_AMPLITUDE, _MOST_AMPLITUDE)
    return Manner(sealed_mm, resting, *map(float, held))


def _sealed_mm(performances: list[Performance]) -> float | None:
    gaps = np.concatenate([one.face.lip_gap_mm[one.gate_at(one.face_times_s) > 0.5] for one in performances])
    if not len(gaps):
        return None
    usual = float(np.median(gaps))
    speech_s = sum(float((one.gate > 0.5).sum()) for one in performances) / CHANNEL_RATE_HZ
    nearest = float(np.quantile(gaps, _NEAREST))
    if nearest > _NEVER_MEET * usual or usual - nearest < _LEAST_LIPS_MM:
        return None
    if speech_s < _ENOUGH_SPEECH_S:  # few words may hold no m, b or p: then lips can meet as in the neutral face
        nearest = min(0.0, float(gaps.min()))
    return nearest + SEALED_SHARE * (usual - nearest)


def seals_of(one: Performance, sealed_mm: float | None) -> list[tuple[float, float]]:
    """(start_s, end_s) of every stretch of speech in which the lips are sealed.

    Times are where the distance, as a line between frames, crosses the threshold. Longer ones than 0.35 s are a mouth
    at rest and no sound.
    """
    if sealed_mm is None:
        return []
    times_s, gap = one.face_times_s, one.face.lip_gap_mm - sealed_mm
    speech = [(start / CHANNEL_RATE_HZ, end / CHANNEL_RATE_HZ) for start, end in runs(one.gate > 0.5)]
    seals = []
    for start, end in runs(gap < 0):
        start_s = _crossing(times_s, gap, start - 1) if start else times_s[0]
        end_s = _crossing(times_s, gap, end - 1) if end < len(gap) else times_s[-1]
        for from_s, to_s in speech:
            part = max(start_s, from_s), min(end_s, to_s)
            if _SHORTEST_S <= part[1] - part[0] <= _LONGEST_S:
                seals.append((float(part[0]), float(part[1])))
    return seals


def _crossing(times_s: np.ndarray, values: np.ndarray, index: int) -> float:
    share = values[index] / (values[index] - values[index + 1])
    return float(times_s[index] + share * (times_s[index + 1] - times_s[index]))


def ramped(times_s: np.ndarray, seals: list[tuple[float, float]]) -> np.ndarray:
    """(T,) 1 within the seals, smooth ramps of 60 and 50 ms before and after them."""
    curve = np.zeros(len(times_s), np.float32)
    for start_s, end_s in seals:
        height = np.minimum(1 - (start_s - times_s) / _ATTACK_S, 1 - (times_s - end_s) / _RELEASE_S)
        curve = np.maximum(curve, smoothstep(height))
    return curve


def neutral_motion(mouth: np.ndarray, seen: np.ndarray, heard: Heard, gate: np.ndarray, manner: Manner) -> np.ndarray:
    """(T, 11) neutral articulation from (T, 21) channels and what was heard, all at the same times.

    Args:
        heard: with articulation (T, 11); gate: (T,) 0 where the mouth rests.
    """
    motion = mouth[:, : len(ARTICULATION)].copy()
    for index, name in enumerate(SHAPES):
        amplitude = manner.jaw if name == "jaw" else manner.lips
        motion[:, ARTICULATION.index(name)] = (mouth[:, column(name)] - manner.resting[index]) / amplitude
    low, width = _TUCKED
    closure, tuck = mouth[:, column("closure")], ARTICULATION.index("lip_tuck")
    motion[:, tuck] = smoothstep((mouth[:, tuck] - low) / width) * (closure < 0.5)
    hidden = [index for index, name in enumerate(ARTICULATION) if not seen[column(name)]]
    motion[:, hidden] = heard.articulation[:, hidden]
    rests = [index for index, name in enumerate(ARTICULATION) if name not in CONTACTS or name in _TONGUE]
    motion[:, rests] *= gate[:, None]
    return np.clip(motion, 0, 1)
