"""Mean, spread, tempo and nods of a head's motion from a few seconds of it, in which it hardly gets round once.

A sample's own mean and deviation are poor then. Here they are those that make the motion most likely under the
covariance that the rule for heads (`behaviour.head`) gives it: generalised least squares on its slow part, with the
tempo, which is not known, averaged over. A head that is lively in one axis is taken to be lively in the others.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dct
from scipy.interpolate import BSpline
from scipy.linalg import solve_triangular, toeplitz

from ..articulation import CHANNEL_RATE_HZ
from ..behaviour.head import AXES, FAST, IDLE_SHARE, SLOW, beats, nod
from ..behaviour.timing import smooth
from .factors import NAMES, NEUTRAL
from .rules import LIVELY_SIGMA, OWN_SIGMA

_STEP = 5
_SEGMENT = 80  # samples of 0.1 s
_HIGHEST_HZ = 1.25
_TEMPOS_HZ = np.geomspace(0.1, 1.2, 16)
_USUAL_TEMPO_HZ, _TEMPO_SIGMA = 0.4, 0.5
# Quick gestures: nods of another size than fitted, and all that is not the rule's. Their variance beside the wander's.
_GESTURE_SHARES, _GESTURE_S = (0.003, 0.03, 0.15, 0.6), 0.15
_TREMOR = 1e-3
_USUAL_SPREAD_DEG = NEUTRAL[[NAMES.index(f"{axis}_spread_deg") for axis in AXES]]
_NOD_SLOWER_S = 1.2


def head_statistics(degrees: np.ndarray, talking: np.ndarray, accents: np.ndarray) -> dict[str, float]:
    """Factors of the head: means, spreads (while it talks), tempo and nods.

    Args:
        degrees: (T, 3) pitch, yaw, roll at 50 Hz, T at least 50.
        talking: (T,) 0..1 how much it speaks about then; accents: (T,) 0..about 1.
    """
    degrees = degrees.astype(float)
    frames = beats(accents)
    nods = nod(len(degrees), frames, accents[frames])
    nod_deg = max(0.0, _slope(nods, degrees[:, 0]))
    degrees[:, 0] -= nod_deg * nods
    lively = IDLE_SHARE + (1 - IDLE_SHARE) * smooth(talking, 1.0)
    samples = np.concatenate([degrees, np.ones((len(degrees), 1))], 1) / lively[:, None]
    slow, transform = _slow_part(_segments(samples))
    fits, likelihood = zip(*(_given_tempo(slow, transform, tempo) for tempo in _TEMPOS_HZ), strict=True)
    likelihood = np.array(likelihood) - 0.5 * (np.log(_TEMPOS_HZ / _USUAL_TEMPO_HZ) / _TEMPO_SIGMA) ** 2
    chance = np.exp(likelihood - likelihood.max())
    chance /= chance.sum()
    tempo_hz = float(np.exp(chance @ np.log(_TEMPOS_HZ)))
    mean, log_spread = np.tensordot(chance, np.array(fits), 1).T
    spread = _likely_spread(log_spread, len(degrees) / CHANNEL_RATE_HZ, tempo_hz)
    return {
        **{f"head_{axis}_deg": float(value) for axis, value in zip(AXES, mean, strict=True)},
        **{f"{axis}_spread_deg": float(value) for axis, value in zip(AXES, spread, strict=True)},
        "head_tempo_hz": tempo_hz,
        "nod_deg": nod_deg,
    }


def _slope(nods: np.ndarray, pitch: np.ndarray) -> float:
    """Degrees of nod, from what is quick in both curves; 0 where there is no accent."""
    nods, pitch = (curve - smooth(curve, _NOD_SLOWER_S) for curve in (nods, pitch))
    power = float(nods @ nods)
    return float(nods @ pitch) / power if power > 1e-6 else 0.0


def _likely_spread(log_spread: np.ndarray, duration_s: float, tempo_hz: float) -> np.ndarray:
    """Spreads (3,), given what was measured and how heads are: a variance of n independent looks is off by 2 / n."""
    looks = 1 + 3 * tempo_hz * duration_s
    prior = LIVELY_SIGMA**2 + OWN_SIGMA**2 * np.eye(3)
    usual = np.log(_USUAL_SPREAD_DEG)
    return np.exp(usual + prior @ np.linalg.solve(prior + np.eye(3) / (2 * looks), log_spread - usual))


def _segments(samples: np.ndarray) -> np.ndarray:
    """(n, segments, C): one sample in five, in stretches of 8 s at most, each taken to be independent."""
    samples = samples[_STEP // 2 :: _STEP]
    count = -(-len(samples) // _SEGMENT)
    length = len(samples) // count
    return samples[: count * length].reshape(count, length, -1).swapaxes(0, 1)


def _slow_part(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine transform (K, segments, C) of samples up to 1.25 Hz, and its matrix (K, n)."""
    length = len(samples)
    count = min(length, 1 + int(2 * _HIGHEST_HZ * length * _STEP / CHANNEL_RATE_HZ))
    transform = np.asarray(dct(np.eye(length), axis=0, norm="ortho"))[:count]
    return np.tensordot(transform, samples, 1), transform


def _given_tempo(slow: np.ndarray, transform: np.ndarray, tempo_hz: float) -> tuple[np.ndarray, float]:
    """(3, 2) mean in degrees and logarithm of the spread of each axis if this is the tempo; and how likely that is."""
    count, segments, columns = slow.shape
    length = transform.shape[1]
    lag_s = np.arange(length) * _STEP / CHANNEL_RATE_HZ
    knots = np.pi * tempo_hz * lag_s
    wander = (FAST**2 * _correlation(knots) + SLOW**2 * _correlation(knots / 4)) / (FAST**2 + SLOW**2)
    gesture = np.exp(-0.5 * (lag_s / _GESTURE_S) ** 2)
    wander, gesture = (transform @ toeplitz(part) @ transform.T for part in (wander, gesture))
    fits, likelihoods = np.zeros((len(_GESTURE_SHARES), 3, 2)), np.zeros((len(_GESTURE_SHARES), 3))
    freedom = count * segments - 1
    for row, share in enumerate(_GESTURE_SHARES):
        factor = np.linalg.cholesky(wander + share * gesture + _TREMOR * np.eye(count))
        white = solve_triangular(factor, slow.reshape(count, -1), lower=True).reshape(-1, columns)
        ones, white = white[:, 3], white[:, :3]
        mean = ones @ white / (ones @ ones)
        log_spread = 0.5 * np.log(np.maximum(((white - ones[:, None] * mean) ** 2).sum(0) / freedom, 1e-8))
        fits[row] = np.stack([mean, log_spread], 1)
        likelihoods[row] = -freedom * log_spread - segments * np.log(np.diag(factor)).sum()
    best = likelihoods.max(0)
    chance = np.exp(likelihoods - best)
    return (fits * (chance / chance.sum(0))[..., None]).sum(0), float((best + np.log(chance.sum(0))).sum())


def _correlation(lag: np.ndarray) -> np.ndarray:
    """Of a cubic B-spline with independent weights, over knots: itself a B-spline, of degree 7."""
    spline = BSpline.basis_element(np.arange(-4, 5), extrapolate=False)
    return np.nan_to_num(spline(np.clip(lag, 0, 4))) / float(spline(0.0))
