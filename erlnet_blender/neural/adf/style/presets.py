"""Style presets: factor values under the names that people know."""

from __future__ import annotations

import numpy as np

from ....errors import ErlnetError
from ..network.style_encoder import RESIDUAL_SIZE
from .factors import code_of, with_values

PRESETS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {
        "smile": 0.42, "smile_accent": 0.2, "brow_raise": 0.08, "brow_accent": 0.35, "squint": 0.08,
        "lip_amplitude": 1.12, "jaw_amplitude": 1.08, "head_pitch_deg": -1.5, "yaw_spread_deg": 2.6,
        "roll_spread_deg": 1.6, "pitch_spread_deg": 1.8, "head_tempo_hz": 0.45, "nod_deg": 3.0,
    },
    "sad": {
        "smile": 0.0, "smile_accent": 0.0, "frown": 0.38, "brow_inner": 0.5, "brow_accent": 0.08, "squint": 0.06,
        "jaw_amplitude": 0.72, "lip_amplitude": 0.78, "head_pitch_deg": 6.0, "head_roll_deg": 2.5,
        "pitch_spread_deg": 0.9, "yaw_spread_deg": 1.1, "roll_spread_deg": 0.6, "head_tempo_hz": 0.2, "nod_deg": 1.0,
        "blinks_per_minute": 12.0,
    },
    "angry": {
        "smile": 0.0, "smile_accent": 0.0, "frown": 0.22, "brow_down": 0.6, "brow_accent": 0.0, "squint": 0.22,
        "jaw_amplitude": 1.2, "lip_amplitude": 1.25, "head_pitch_deg": 3.0, "pitch_spread_deg": 1.8,
        "yaw_spread_deg": 2.2, "head_tempo_hz": 0.6, "nod_deg": 4.5, "blinks_per_minute": 9.0,
    },
    "energetic": {
        "smile": 0.2, "smile_accent": 0.2, "brow_raise": 0.15, "brow_accent": 0.6, "eye_wide": 0.12,
        "jaw_amplitude": 1.3, "lip_amplitude": 1.25, "pitch_spread_deg": 2.6, "yaw_spread_deg": 4.0,
        "roll_spread_deg": 2.2, "head_tempo_hz": 0.65, "nod_deg": 5.0, "blinks_per_minute": 22.0,
    },
    "calm": {
        "smile": 0.12, "smile_accent": 0.03, "brow_accent": 0.08, "jaw_amplitude": 0.82, "lip_amplitude": 0.85,
        "pitch_spread_deg": 0.7, "yaw_spread_deg": 1.0, "roll_spread_deg": 0.5, "head_tempo_hz": 0.18, "nod_deg": 1.0,
        "blinks_per_minute": 12.0,
    },
    "surprised": {
        "smile": 0.0, "brow_raise": 0.5, "brow_inner": 0.25, "brow_accent": 0.4, "eye_wide": 0.4,
        "jaw_amplitude": 1.25, "head_pitch_deg": -3.0, "head_tempo_hz": 0.4, "blinks_per_minute": 10.0,
    },
    "serious": {
        "smile": 0.0, "smile_accent": 0.0, "brow_down": 0.2, "brow_accent": 0.12, "squint": 0.05, "frown": 0.06,
        "pitch_spread_deg": 1.0, "yaw_spread_deg": 1.3, "nod_deg": 2.5, "head_tempo_hz": 0.3,
    },
}  # fmt: skip


def preset_code(name: str) -> np.ndarray:
    """(128,) code of a preset.

    Raises:
        ErlnetError: there is no such preset.
    """
    if name not in PRESETS:
        raise ErlnetError(
            "Unknown style", repr(name), f"choose one of {', '.join(PRESETS)}, or a .npz face track to take it from"
        )
    return np.concatenate([code_of(with_values(**PRESETS[name])), np.zeros(RESIDUAL_SIZE, np.float32)])
