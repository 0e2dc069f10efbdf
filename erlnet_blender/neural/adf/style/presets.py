"""Style presets and emotions: factor values under the names that people know.

A preset is how somebody talks; an emotion comes on top of any style, at any intensity, and may come and go. The faces
of the emotions follow the action units that people recognise them by (Ekman & Friesen 1978), head and gaze
what is usually said of them: sadness looks down and slows, fear shrinks back with darting eyes.
"""

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
    "fearful": {
        "smile": 0.0, "smile_accent": 0.0, "brow_raise": 0.2, "brow_inner": 0.4, "brow_accent": 0.25, "eye_wide": 0.3,
        "grimace": 0.3, "frown": 0.06, "jaw_amplitude": 0.88, "lip_amplitude": 0.9, "head_pitch_deg": -1.5,
        "pitch_spread_deg": 1.2, "yaw_spread_deg": 2.2, "head_tempo_hz": 0.7, "nod_deg": 1.0, "blinks_per_minute": 26.0,
        "gaze_spread_deg": 4.0,
    },
    "disgusted": {
        "smile": 0.0, "smile_accent": 0.0, "sneer": 0.5, "brow_down": 0.25, "squint": 0.2, "frown": 0.2,
        "brow_accent": 0.08, "asymmetry": 0.12, "jaw_amplitude": 0.92, "head_pitch_deg": -2.5, "head_yaw_deg": 3.0,
        "head_roll_deg": 2.0, "head_tempo_hz": 0.3, "gaze_yaw_deg": -3.0,
    },
}  # fmt: skip

# At intensity 1, which is strong; the rest of a style stays.
EMOTIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {
        "smile": 0.7, "smile_accent": 0.16, "brow_raise": 0.12, "brow_accent": 0.35, "squint": 0.15,
        "lip_amplitude": 1.1, "jaw_amplitude": 1.1, "head_pitch_deg": -2.0, "pitch_spread_deg": 1.8,
        "yaw_spread_deg": 2.8, "roll_spread_deg": 1.8, "head_tempo_hz": 0.5, "nod_deg": 3.0,
    },
    "sad": {
        "smile": 0.0, "smile_accent": 0.0, "frown": 0.6, "brow_inner": 0.75, "brow_accent": 0.05, "squint": 0.1,
        "jaw_amplitude": 0.7, "lip_amplitude": 0.75, "head_pitch_deg": 8.0, "head_roll_deg": 3.0,
        "pitch_spread_deg": 0.8, "yaw_spread_deg": 1.0, "roll_spread_deg": 0.6, "head_tempo_hz": 0.2, "nod_deg": 0.8,
        "blinks_per_minute": 12.0, "gaze_pitch_deg": 5.0,
    },
    "angry": {
        "smile": 0.0, "smile_accent": 0.0, "brow_down": 0.85, "squint": 0.3, "frown": 0.3, "sneer": 0.2,
        "brow_accent": 0.0, "jaw_amplitude": 1.25, "lip_amplitude": 1.25, "head_pitch_deg": 4.0,
        "pitch_spread_deg": 1.8, "yaw_spread_deg": 2.4, "head_tempo_hz": 0.65, "nod_deg": 5.0,
        "blinks_per_minute": 9.0, "gaze_spread_deg": 1.0,
    },
    "surprised": {
        "smile": 0.0, "smile_accent": 0.0, "brow_raise": 0.7, "brow_inner": 0.25, "brow_accent": 0.4, "eye_wide": 0.6,
        "jaw_amplitude": 1.3, "head_pitch_deg": -4.0, "head_tempo_hz": 0.45, "blinks_per_minute": 9.0,
        "gaze_spread_deg": 1.2,
    },
    "fearful": {
        "smile": 0.0, "smile_accent": 0.0, "brow_raise": 0.25, "brow_inner": 0.75, "brow_down": 0.15,
        "brow_accent": 0.2, "eye_wide": 0.6, "grimace": 0.75, "frown": 0.1, "jaw_amplitude": 0.85,
        "lip_amplitude": 0.9, "head_pitch_deg": -2.5, "pitch_spread_deg": 1.2, "yaw_spread_deg": 2.2,
        "head_tempo_hz": 0.8, "nod_deg": 0.8, "blinks_per_minute": 28.0, "gaze_spread_deg": 5.0,
    },
    "disgusted": {
        "smile": 0.0, "smile_accent": 0.0, "sneer": 0.8, "brow_down": 0.45, "squint": 0.35, "frown": 0.35,
        "brow_accent": 0.05, "asymmetry": 0.15, "jaw_amplitude": 0.9, "head_pitch_deg": -3.0, "head_yaw_deg": 5.0,
        "head_roll_deg": 2.5, "head_tempo_hz": 0.28, "gaze_yaw_deg": -4.0,
    },
}  # fmt: skip
INTENSITIES = {"slight": 0.4, "medium": 0.7, "strong": 1.0}


def preset_code(name: str) -> np.ndarray:
    """(128,) code of a preset.

    Raises:
        ErlnetError: there is no such preset.
    """
    if name not in PRESETS:
        raise ErlnetError(
            "Unknown style", repr(name), f"choose one of {', '.join(PRESETS)}, or a .npz face track to take it from"
        )
    return _code_of(PRESETS[name])


def emotion_code(name: str) -> np.ndarray:
    """(128,) what an emotion adds to a style code at intensity 1; see `INTENSITIES`.

    Raises:
        ErlnetError: there is no such emotion.
    """
    if name not in EMOTIONS:
        raise ErlnetError("Unknown emotion", repr(name), f"choose among {', '.join(EMOTIONS)}")
    return _code_of(EMOTIONS[name])


def _code_of(values: dict[str, float]) -> np.ndarray:
    return np.concatenate([code_of(with_values(**values)), np.zeros(RESIDUAL_SIZE, np.float32)])
