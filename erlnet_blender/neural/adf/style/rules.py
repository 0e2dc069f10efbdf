"""How a style changes neutral motion, by rule: the teacher of the style decoder until filmed motion can teach it.

Amplitudes scale the shapes of speech; accents lift brows and smile; contacts stay as they are in every style. Hidden
traits (habits of the lips, sharpness) vary too, which only the residual part of a style code can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..articulation import ARTICULATION, EXPRESSION, SHAPES
from ..behaviour.head import AXES
from .factors import AMPLITUDES, HIGHEST, LOWEST, NAMES, NEUTRAL

_ACCENT_SMOOTHING = 9  # frames at 50 Hz: a brow is slower than a vowel
_SLOW_SMOOTHING = 31
GAIN_SPREAD, OFFSET_SPREAD = 0.08, 0.05  # of the hidden habits


# Least, most and how often a factor is other than neutral, in styles at random.
_USUAL: dict[str, tuple[float, float, float]] = {
    "jaw_amplitude": (0.5, 1.7, 1.0), "lip_amplitude": (0.6, 1.5, 1.0),
    "smile": (0.0, 0.7, 0.7), "smile_accent": (0.0, 0.3, 0.7),
    **dict.fromkeys(("frown", "brow_raise", "brow_inner", "brow_down", "squint", "eye_wide"), (0.0, 0.6, 0.4)),
    "brow_accent": (0.0, 0.7, 1.0),
    "sneer": (0.0, 0.6, 0.3), "grimace": (0.0, 0.6, 0.3), "asymmetry": (-0.6, 0.6, 0.4),
    "head_pitch_deg": (-8.0, 8.0, 0.8), "head_yaw_deg": (-10.0, 10.0, 0.8), "head_roll_deg": (-6.0, 6.0, 0.8),
    "head_tempo_hz": (0.18, 0.8, 1.0), "nod_deg": (0.0, 6.0, 1.0), "blinks_per_minute": (6.0, 34.0, 1.0),
    "gaze_yaw_deg": (-10.0, 10.0, 0.5), "gaze_pitch_deg": (-6.0, 6.0, 0.5), "gaze_spread_deg": (0.8, 5.0, 1.0),
}  # fmt: skip
# Drawn on their own, so that a style is otherwise the one that its seed gave before there were these. The range of
# `lip_amplitude` allows for them: what a lip shape is multiplied by in all lies mostly between 0.4 and 2.2.
_USUAL_RATIOS = dict.fromkeys(("rounding_amplitude", "spreading_amplitude"), (0.65, 1.5, 1.0))
_PLAIN_NEUTRAL = 0.15
_SPREAD_COLUMNS = [NAMES.index(f"{axis}_spread_deg") for axis in AXES]
LIVELY_SIGMA, OWN_SIGMA = 0.55, 0.25
"""How much the logarithms of people's head spreads differ in all axes alike, and in each on its own; set by hand."""


@dataclass
class Traits:
    """Styles of a batch of B: factor values, and habits of the SHAPES that no factor names.

    Args:
        factors: (B, 28); gains, offsets: (B, 6) of SHAPES; smoothing: (B,) 0 crisp to 1 mumbled.
    """

    factors: Tensor
    gains: Tensor
    offsets: Tensor
    smoothing: Tensor


def random_traits(random: np.random.Generator, count: int, plain: np.ndarray) -> Traits:
    """Styles at random over the usual ranges; where `plain` is true the hidden habits are neutral."""
    factors = np.tile(NEUTRAL, (count, 1))
    for source, usual in ((random, _USUAL), (random.spawn(1)[0], _USUAL_RATIOS)):
        for name, (low, high, chance) in usual.items():
            chosen = source.random(count) < chance
            factors[chosen, NAMES.index(name)] = source.uniform(low, high, int(chosen.sum()))
    # A head that is lively in one axis is lively in the others.
    lively = random.normal(0, LIVELY_SIGMA, (count, 1)) + random.normal(0, OWN_SIGMA, (count, 3))
    factors[:, _SPREAD_COLUMNS] *= 1.2 * np.exp(lively)
    calm = random.random(count) < _PLAIN_NEUTRAL  # the neutral style itself must come out exactly
    factors[calm] = NEUTRAL
    keep = np.where(plain | calm, 0.0, 1.0)[:, None]
    gains = 1 + keep * random.normal(0, GAIN_SPREAD, (count, len(SHAPES)))
    offsets = keep * random.normal(0, OFFSET_SPREAD, (count, len(SHAPES)))
    smoothing = keep[:, 0] * random.random(count) * (random.random(count) < 0.5)
    as_tensor = lambda x: torch.tensor(x, dtype=torch.float32)  # noqa: E731
    return Traits(as_tensor(np.clip(factors, LOWEST, HIGHEST)), *map(as_tensor, (gains, offsets, smoothing)))


def _smooth(curve: Tensor, width: int) -> Tensor:
    """(B, T) or (B, T, C) under a Hann window of odd `width` frames."""
    flat = curve[..., None] if curve.ndim == 2 else curve
    kernel = torch.hann_window(width + 2, periodic=False)[1:-1]
    moved = flat.transpose(1, 2).reshape(-1, 1, flat.shape[1])
    moved = torch.nn.functional.pad(moved, (width // 2, width // 2), mode="replicate")
    smooth = torch.nn.functional.conv1d(moved, (kernel / kernel.sum())[None, None])
    return smooth.reshape(flat.shape[0], flat.shape[2], -1).transpose(1, 2).reshape(curve.shape)


def styled_motion(articulation: Tensor, accents: Tensor, speaking: Tensor, traits: Traits) -> Tensor:
    """Styled SHAPES and EXPRESSION.

    Args:
        articulation: (B, T, 11) neutral; accents, speaking: (B, T); at 50 Hz.

    Returns:
        (B, T, 16).
    """
    value = {name: traits.factors[:, index, None] for index, name in enumerate(NAMES)}
    shapes = articulation[..., [ARTICULATION.index(name) for name in SHAPES]]
    smoothing = traits.smoothing[:, None, None]
    shapes = shapes * (1 - smoothing) + smoothing * _smooth(shapes, 7)
    amplitude = torch.stack([prod(value[factor] for factor in AMPLITUDES[name]) for name in SHAPES], 2)
    voiced = _smooth(speaking, _ACCENT_SMOOTHING)[..., None]
    shapes = (shapes * amplitude * traits.gains[:, None] + traits.offsets[:, None] * voiced).clamp_min(0)
    lift, slow = _smooth(accents, _ACCENT_SMOOTHING), _smooth(accents, _SLOW_SMOOTHING)
    still = torch.ones_like(accents)
    expression = {
        "smile": value["smile"] + value["smile_accent"] * slow,
        "frown": value["frown"] * still,
        "brow_raise": value["brow_raise"] + value["brow_accent"] * lift,
        "brow_inner": value["brow_inner"] * (1 + 0.2 * lift),
        "brow_down": value["brow_down"] * (1 + 0.25 * lift),
        "squint": value["squint"] * still,
        "eye_wide": value["eye_wide"] + 0.15 * value["brow_accent"] * lift,
        "sneer": value["sneer"] * (1 + 0.2 * lift),
        "grimace": value["grimace"] * still,
        "asymmetry": value["asymmetry"] * still,
    }
    return torch.cat([shapes, torch.stack([expression[name] for name in EXPRESSION], 2)], 2)
