"""Timing: how far the mouth lags behind the sound, and whether the head's beats fall on stressed syllables.

Beat alignment is the score of AIST++ (Li et al. 2021) and Bailando (Siyao et al. 2022), used for heads since SadTalker:
the mean over motion beats of exp(-d² / 2σ²), d to the nearest beat of the sound, σ = 3 frames at 25 a second. By chance
it is far from 0, so it is set against the same motion shifted in a circle by random times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ..articulation import CHANNEL_RATE_HZ, column
from ..features import SAMPLE_RATE_HZ
from ..predictor import SpeechToFace
from .cases import Case, in_a_row, performed

_LONGEST_LAG = 15
_SIGMA_S = 0.12
_SHIFTS = 400
_LEAST_SHIFT_S = 1.0
_STRESS = 0.3
_NOD_DEG = 0.5
_SMOOTHING = 2.0


def mouth_opening(mouth: np.ndarray) -> np.ndarray:
    """(T,) how far the lips are parted: the jaw, where the lips are not sealed."""
    return mouth[:, column("jaw")] * (1 - mouth[:, column("closure")])


def energy(samples: np.ndarray) -> np.ndarray:
    """(T,) root of the mean square of 16 kHz samples in each frame of 20 ms."""
    hop = SAMPLE_RATE_HZ // CHANNEL_RATE_HZ
    count = len(samples) // hop
    return np.sqrt(np.square(samples[: count * hop]).reshape(count, hop).mean(1))


def lag_ms(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """By how much the first curves of (T,) pairs come after the second, ms, and the correlation at that lag.

    The normalised cross-correlations of all pairs are added up over ±300 ms; the peak is refined by a parabola.
    """
    lags = np.arange(-_LONGEST_LAG, _LONGEST_LAG + 1)
    products, norms = np.zeros(len(lags)), 0.0
    for late, early in pairs:
        count = min(len(late), len(early))
        a, b = late[:count] - late[:count].mean(), early[:count] - early[:count].mean()
        padded = np.pad(a, _LONGEST_LAG)
        products += np.array([padded[_LONGEST_LAG + lag : _LONGEST_LAG + lag + count] @ b for lag in lags])
        norms += np.linalg.norm(a) * np.linalg.norm(b)
    correlation = products / max(norms, 1e-12)
    best = int(correlation[1:-1].argmax()) + 1
    before, peak, after = correlation[best - 1 : best + 2]
    bend = before - 2 * peak + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return 1000 / CHANNEL_RATE_HZ * float(lags[best] + shift), float(peak)


def lags(cases: list[Case]) -> dict[str, float]:
    """sync_lag_ms: predicted opening after that of the truth; sync_lag_energy_ms: after the sound's energy.

    truth_lag_energy_ms is what the truth itself has: a jaw opens a little before a vowel is loudest or after.
    """
    known = [case for case in cases if case.aligned()]
    sounds = {case.name: energy(case.example.samples) for case in cases}
    figures = {"sync_lag_energy_ms": lag_ms((mouth_opening(case.mouth), sounds[case.name]) for case in cases)[0]}
    if known:
        truths = {case.name: mouth_opening(case.example.motion) for case in known}
        figures["sync_lag_ms"], figures["opening_correlation"] = lag_ms(
            (mouth_opening(case.mouth), truths[case.name]) for case in known
        )
        figures["truth_lag_energy_ms"] = lag_ms((truths[case.name], sounds[case.name]) for case in known)[0]
    return figures


@dataclass
class Spoken:
    """Recordings of a voice one after the other: the head's rotation (T, 3) rad and times of stressed syllables."""

    head: np.ndarray
    stresses_s: np.ndarray


def spoken_in_a_row(model: SpeechToFace, cases: list[Case]) -> Spoken:
    """The head's motion, in the neutral style, over all recordings, and the stresses that the corpus knows in them."""
    row = in_a_row([case.example for case in cases])
    return Spoken(performed(model, row.samples).neck_pose, stresses(row.accents))


def stresses(accents: np.ndarray) -> np.ndarray:
    """Times, s, of the peaks above 0.3 of (T,) accents."""
    return (find_peaks(accents, height=_STRESS)[0] + 0.5) / CHANNEL_RATE_HZ


def nods(head: np.ndarray) -> np.ndarray:
    """Times, s, of the lowest points of nods: peaks of pitch that stand out by half a degree."""
    pitch_deg = gaussian_filter1d(np.rad2deg(head[:, 0]), _SMOOTHING)
    return (find_peaks(pitch_deg, prominence=_NOD_DEG)[0] + 0.5) / CHANNEL_RATE_HZ


def turns(head: np.ndarray) -> np.ndarray:
    """Times, s, of the local minima of the head's angular speed: the kinematic beats of AIST++."""
    speed = np.linalg.norm(np.diff(gaussian_filter1d(head, _SMOOTHING, axis=0), axis=0), axis=1)
    return (find_peaks(-speed)[0] + 1.0) / CHANNEL_RATE_HZ


def alignment(beats_s: np.ndarray, stresses_s: np.ndarray) -> float:
    """The score, 0..1: mean over beats of exp(-d² / 2σ²), d to the nearest stress."""
    if not len(beats_s) or not len(stresses_s):
        return 0.0
    following = np.clip(np.searchsorted(stresses_s, beats_s), 1, max(1, len(stresses_s) - 1))
    near = np.stack([stresses_s[following - 1], stresses_s[np.minimum(following, len(stresses_s) - 1)]])
    return float(np.exp(-np.square(near - beats_s).min(0) / (2 * _SIGMA_S**2)).mean())


def beat_alignment(rows: list[Spoken]) -> dict[str, float]:
    """beat_alignment of nods, that of circular shifts of the same motion, and how many of their standard deviations
    it is above them; the same for the kinematic beats (``beat_alignment_speed``)."""
    figures = {}
    for name, beats_of in (("beat_alignment", nods), ("beat_alignment_speed", turns)):
        beats = [beats_of(row.head) for row in rows]
        score = _pooled(beats, [row.stresses_s for row in rows])
        random = np.random.default_rng(0)
        shifted = []
        for _ in range(_SHIFTS):
            moved = []
            for row, times_s in zip(rows, beats, strict=True):
                length_s = len(row.head) / CHANNEL_RATE_HZ
                shift_s = random.uniform(_LEAST_SHIFT_S, length_s - _LEAST_SHIFT_S)
                moved.append(np.sort((times_s + shift_s) % length_s))
            shifted.append(_pooled(moved, [row.stresses_s for row in rows]))
        figures[name] = score
        figures[f"{name}_random"] = float(np.mean(shifted))
        figures[f"{name}_sigmas"] = float((score - np.mean(shifted)) / max(np.std(shifted), 1e-9))
        figures[f"{name}_beats"] = sum(map(len, beats))
    return figures


def _pooled(beats: list[np.ndarray], stresses_s: list[np.ndarray]) -> float:
    counts = [len(times_s) for times_s in beats]
    scores = [alignment(*pair) for pair in zip(beats, stresses_s, strict=True)]
    return float(np.average(scores, weights=counts)) if sum(counts) else 0.0
