"""Style in numbers that mean something: amplitudes, resting expression, head statistics, blink rate.

A style code of 128 is these factors, each as its distance from neutral in units of its usual spread, and a learnt
residual (see `network.StyleEncoder`). So neutral is the zero code, and strength is a plain factor. Factors that are
measured, not learnt, keep amplitude and rhythm in the code, which a purely contrastive code drops (pose and smile alone
tell styles apart).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Curve = float | np.ndarray
"""A value that holds all along, or (T,) of them at 50 Hz."""


@dataclass(frozen=True)
class Factor:
    """A factor of style: its neutral value, its usual spread, and the range that makes sense."""

    name: str
    neutral: float
    spread: float
    lowest: float
    highest: float


FACTORS = (
    Factor("jaw_amplitude", 1.0, 0.3, 0.2, 2.0),
    Factor("lip_amplitude", 1.0, 0.3, 0.2, 2.0),
    Factor("smile", 0.03, 0.2, 0.0, 0.8),
    Factor("smile_accent", 0.04, 0.1, 0.0, 0.4),
    Factor("frown", 0.0, 0.15, 0.0, 0.7),
    Factor("brow_raise", 0.0, 0.15, 0.0, 0.7),
    Factor("brow_accent", 0.2, 0.2, 0.0, 0.8),
    Factor("brow_inner", 0.0, 0.2, 0.0, 0.8),
    Factor("brow_down", 0.0, 0.2, 0.0, 0.9),
    Factor("squint", 0.0, 0.15, 0.0, 0.6),
    Factor("eye_wide", 0.0, 0.15, 0.0, 0.6),
    Factor("head_pitch_deg", 0.0, 4.0, -15.0, 15.0),
    Factor("head_yaw_deg", 0.0, 5.0, -25.0, 25.0),
    Factor("head_roll_deg", 0.0, 3.0, -15.0, 15.0),
    Factor("pitch_spread_deg", 1.3, 1.0, 0.1, 6.0),
    Factor("yaw_spread_deg", 1.8, 1.3, 0.1, 9.0),
    Factor("roll_spread_deg", 0.9, 0.8, 0.1, 5.0),
    Factor("head_tempo_hz", 0.35, 0.2, 0.1, 1.2),
    Factor("nod_deg", 2.0, 1.5, 0.0, 8.0),
    Factor("blinks_per_minute", 16.0, 8.0, 2.0, 50.0),
    Factor("asymmetry", 0.0, 0.2, -0.8, 0.8),
    Factor("sneer", 0.0, 0.15, 0.0, 0.8),
    Factor("grimace", 0.0, 0.15, 0.0, 0.8),
    Factor("gaze_yaw_deg", 0.0, 4.0, -20.0, 20.0),
    Factor("gaze_pitch_deg", 0.0, 3.0, -15.0, 15.0),
    Factor("gaze_spread_deg", 2.0, 1.5, 0.3, 8.0),
    Factor("rounding_amplitude", 1.0, 0.3, 0.3, 2.5),
    Factor("spreading_amplitude", 1.0, 0.3, 0.3, 2.5),
)
NAMES = tuple(factor.name for factor in FACTORS)
# Those that rules for head, eyelids and eyes follow; the networks of the face must not heed them.
BEHAVIOUR = (
    "head_pitch_deg", "head_yaw_deg", "head_roll_deg", "pitch_spread_deg", "yaw_spread_deg", "roll_spread_deg",
    "head_tempo_hz", "nod_deg", "blinks_per_minute", "gaze_yaw_deg", "gaze_pitch_deg", "gaze_spread_deg",
)  # fmt: skip
# What the movement of each of the shapes of speech is multiplied by. The lips' own factor is what they have in common;
# rounding and spreading are ratios to it.
AMPLITUDES = {
    "jaw": ("jaw_amplitude",),
    **dict.fromkeys(("pucker", "funnel"), ("lip_amplitude", "rounding_amplitude")),
    "stretch": ("lip_amplitude", "spreading_amplitude"),
    **dict.fromkeys(("upper_lip_raise", "lower_lip_depress"), ("lip_amplitude",)),
}
BEHAVIOUR_COLUMNS = [NAMES.index(name) for name in BEHAVIOUR]
NEUTRAL = np.array([factor.neutral for factor in FACTORS], np.float32)
SPREAD = np.array([factor.spread for factor in FACTORS], np.float32)
LOWEST = np.array([factor.lowest for factor in FACTORS], np.float32)
HIGHEST = np.array([factor.highest for factor in FACTORS], np.float32)


def code_of(values: np.ndarray) -> np.ndarray:
    """(..., 28) factor values as the explicit part of a style code; neutral gives zeros."""
    return ((values - NEUTRAL) / SPREAD).astype(np.float32)


def values_of(code: np.ndarray) -> dict[str, Curve]:
    """Factor values of a style code, held to the ranges that make sense: numbers for (128,), curves for (T, 128)."""
    values = np.clip(NEUTRAL + SPREAD * np.asarray(code)[..., : len(FACTORS)], LOWEST, HIGHEST)
    if values.ndim == 1:
        return dict(zip(NAMES, map(float, values), strict=True))
    return dict(zip(NAMES, np.ascontiguousarray(values.T), strict=True))


def with_values(**changed: float) -> np.ndarray:
    """(28,) factor values: neutral but for the named ones; unknown names raise KeyError."""
    values = NEUTRAL.copy()
    for name, value in changed.items():
        if name not in NAMES:
            raise KeyError(name)
        values[NAMES.index(name)] = value
    return values
