"""Head motion by rule: it wanders about the style's mean, nods on accents and lifts a little with each breath."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.signal import find_peaks

from ..articulation import CHANNEL_RATE_HZ
from ..style.factors import Curve
from .breath import inhales
from .timing import at, smooth, swell

AXES = ("pitch", "yaw", "roll")
IDLE_SHARE = 0.45
"""How much the head still moves where nobody speaks."""
FAST, SLOW = 0.85, 0.53
"""Shares of the wander at the style's tempo, and at a quarter of it."""
_BREATH_LIFT_DEG = 1.0
_LEAST_ACCENT, _ACCENT_GAP_S = 0.3, 0.24
_MISSED_ACCENTS = 0.15  # of a normal distribution, about 0: one in eight
_NOD_RISE_S, _NOD_FALL_S = 0.22, 0.42
_LIFT_BEFORE_S, _LIFT_SHARE = 0.3, 0.22
_ASIDE_SHARE = 0.2
_NODS_ABOUT_ZERO_S = 6.0


def wander(phase: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(T, 3) smooth noise of unit variance, its two derivatives continuous: a cubic B-spline with random weights.

    Args:
        phase: (T,) how far the noise has got: a spline's knot a unit. A tempo of f hertz, where a quarter of the power
            is left, makes π f knots a second; tempo may change along the way.
    """
    knots = random.standard_normal((int(phase[-1]) + 5, 3)).astype(np.float32)
    places = phase[None] + 1.5
    noise = [map_coordinates(knot, places, order=3, prefilter=False, mode="nearest") for knot in knots.T]
    return np.stack(noise, 1) / np.float32(np.sqrt(0.48))


def head_rotation(style: Mapping[str, Curve], accents: np.ndarray, talking: np.ndarray, seed: int) -> np.ndarray:
    """(T, 3) pitch (positive looks down), yaw (to the head's left), roll, radians: about x, y, z.

    Args:
        style: factor values, each a number or (T,); accents: (T,) 0..about 1; talking: (T,) 0 in rest to 1, of
            `closure.rest_gate`.
    """
    count = len(accents)
    phase = np.cumsum(np.full(count, np.pi / CHANNEL_RATE_HZ) * style["head_tempo_hz"])
    degrees = FAST * wander(phase, np.random.default_rng([seed, 1, 0]))
    degrees += SLOW * wander(phase / 4, np.random.default_rng([seed, 1, 1]))
    lively = IDLE_SHARE + (1 - IDLE_SHARE) * smooth(talking, 1.0)
    nods = _nods(style["nod_deg"], accents * talking, np.random.default_rng([seed, 1, 2]))
    for index, axis in enumerate(AXES):
        degrees[:, index] = style[f"head_{axis}_deg"] + style[f"{axis}_spread_deg"] * lively * degrees[:, index]
        degrees[:, index] += nods[index]
    degrees[:, 0] -= _BREATH_LIFT_DEG * inhales(talking)
    return np.deg2rad(degrees, dtype=np.float32)


def beats(accents: np.ndarray) -> np.ndarray:
    """Frames of the accents that a nod may fall on: their peaks."""
    return find_peaks(accents, height=_LEAST_ACCENT, distance=int(_ACCENT_GAP_S * CHANNEL_RATE_HZ))[0]


def nod(count: int, frames: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(count,) down with the lowest point at each frame, after a small lift; about zero on the whole.

    The head stands still for a moment at that point, which is what makes it a beat.
    """
    down = swell(count, frames, _NOD_RISE_S, _NOD_FALL_S, sizes)
    lift = swell(count, frames - int(_LIFT_BEFORE_S * CHANNEL_RATE_HZ), 0.2, 0.2, _LIFT_SHARE * sizes)
    return down - lift - smooth(down - lift, _NODS_ABOUT_ZERO_S)


def _nods(nod_deg: Curve, accents: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """(T,) degrees for each axis. Not every accent has a nod, and a nod leans aside a little."""
    count, frames = len(accents), beats(accents)
    chance, size, aside, tilt = random.standard_normal((len(frames), 4)).T
    size = np.where(np.abs(chance) < _MISSED_ACCENTS, 0, np.exp(0.25 * size))
    size *= np.minimum(accents[frames], 1) * at(nod_deg, frames)
    leans = (swell(count, frames, _NOD_RISE_S, _NOD_FALL_S, _ASIDE_SHARE * size * lean) for lean in (aside, tilt))
    return [nod(count, frames, size), *leans]
