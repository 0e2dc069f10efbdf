"""From what is heard and a style code to motion: the styled mouth and brows, and the head.

Everything runs in windows that overlap by what a frame depends on, so length costs time and not memory. Expression can
come straight from the style decoder or by way of the codes of the expression VQ-VAE; head motion by rule
(`behaviour`), or drawn as codes of the head VQ-VAE. A network has the parts that its weights file has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ...errors import Cancelled
from .articulation import EXPRESSION, SHAPES
from .behaviour import head_rotation
from .network import MARGIN_FRAMES, SpeechToFaceNetwork
from .network.code_predictor import CodeTower, draw_codes
from .network.vqvae import MotionVQ
from .style.factors import AMPLITUDES, HIGHEST, LOWEST, NAMES, NEUTRAL, SPREAD, values_of

WINDOW_FRAMES = 1024
_HEAD_AXES = ("pitch", "yaw", "roll")
_UNIT_CHANNELS = (*SHAPES, *EXPRESSION)
_NOD_SPREAD = 0.25
"""Spread of a curve that nods by 1 on the accents of speech."""
_FURTHEST_HEAD_RAD = np.deg2rad(45)
_OWN_CHANCE = 4  # the stream of the seed that head motion draws from; `behaviour` has 1 to 3


def factors_of(style: np.ndarray) -> np.ndarray:
    """(..., 28) factor values of (..., 128) style codes, held to the ranges that make sense."""
    return np.clip(NEUTRAL + SPREAD * style[..., : len(NAMES)], LOWEST, HIGHEST).astype(np.float32)


def head_units(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of head motion, (..., 3) degrees each, that (..., 28) factor values ask for."""
    column = lambda name: factors[..., NAMES.index(name)]  # noqa: E731
    mean = np.stack([column(f"head_{axis}_deg") for axis in _HEAD_AXES], -1)
    unit = np.stack([column(f"{axis}_spread_deg") for axis in _HEAD_AXES], -1)
    unit[..., 0] = np.hypot(unit[..., 0], _NOD_SPREAD * column("nod_deg"))
    return mean, unit


def mouth_units(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resting value and amplitude of SHAPES and EXPRESSION, (..., 16) each, that (..., 28) factor values ask for."""
    mean = np.zeros((*factors.shape[:-1], len(_UNIT_CHANNELS)), np.float32)
    unit = np.ones_like(mean)
    for index, name in enumerate(_UNIT_CHANNELS):
        if name in SHAPES:
            unit[..., index] = factors[..., [NAMES.index(factor) for factor in AMPLITUDES[name]]].prod(-1)
        else:
            mean[..., index] = factors[..., NAMES.index(name)]
    return mean, unit


def windows(
    count: int, size: int, margin: int, cancelled: Callable[[], bool] | None = None
) -> Iterator[tuple[int, int, int, int]]:
    """(start, end, low, high) of windows of `size` steps: start to end is new, low to high is what it depends on.

    Raises:
        Cancelled: `cancelled` says so before a window.
    """
    for start in range(0, count, size):
        if cancelled is not None and cancelled():
            raise Cancelled
        end = min(count, start + size)
        yield start, end, max(0, start - margin), min(count, end + margin)


def styled(
    network: SpeechToFaceNetwork, articulation: np.ndarray, accents: np.ndarray, speaking: np.ndarray,
    style: np.ndarray, cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:  # fmt: skip
    """SHAPES and EXPRESSION (T, 16) at 50 Hz, in a style.

    Args:
        articulation: (T, 11) as heard; accents, speaking: (T,); style: (128,) or (T, 128).

    Raises:
        Cancelled: `cancelled` says so.
    """
    content, style = _content(articulation, accents, speaking), np.asarray(style, np.float32)
    if "expression" in network.by_codes:
        assert network.code_predictor is not None
        assert network.expression_vq is not None
        tower, vq = network.code_predictor.expression, network.expression_vq
        latents = _expected_latents(tower, vq, content, style, cancelled)
        mean, unit = mouth_units(factors_of(style))
        return mean + unit * _decoded(vq, latents, len(content), cancelled)
    parts = []
    for start, end, low, high in windows(len(content), WINDOW_FRAMES, MARGIN_FRAMES, cancelled):
        window = torch.from_numpy(content[low:high])[None]
        with torch.no_grad():
            motion = network.style_decoder(
                window[..., :-2], window[..., -2], window[..., -1], _style_window(style, low, high)
            )
        parts.append(motion[0, start - low : end - low].numpy())
    return np.concatenate(parts)


def head_motion(
    network: SpeechToFaceNetwork, articulation: np.ndarray, accents: np.ndarray, speaking: np.ndarray,
    style: np.ndarray, seed: int, cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:  # fmt: skip
    """(T, 3) pitch, yaw and roll in radians, drawn from what the code predictor holds likely.

    A window begins with the last tokens of the one before it, so the head goes on where it was. The style's own mean
    and spread are restored afterwards.

    Args:
        network: with `code_predictor` and `head_vq`; the rest as for `styled`.
        seed: the same seed gives the same motion.

    Raises:
        Cancelled: `cancelled` says so.
    """
    content, style = _content(articulation, accents, speaking), np.asarray(style, np.float32)
    assert network.code_predictor is not None
    assert network.head_vq is not None
    codes = _drawn_codes(network.code_predictor.head, content, style, seed, cancelled)
    vq = network.head_vq
    motion = _decoded(vq, vq.quantizer.latents(codes), len(content), cancelled)
    mean, unit = head_units(factors_of(style))
    turn_rad = np.deg2rad(mean + unit * motion)
    return np.clip(turn_rad, -_FURTHEST_HEAD_RAD, _FURTHEST_HEAD_RAD).astype(np.float32)


def turned(
    network: SpeechToFaceNetwork, articulation: np.ndarray, accents: np.ndarray, speaking: np.ndarray,
    style: np.ndarray, seed: int, cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:  # fmt: skip
    """(T, 3) head rotation in radians, by the way that the network's weights ask for: see `head_motion` and
    `behaviour.head_rotation`."""
    if "head" in network.by_codes:
        return head_motion(network, articulation, accents, speaking, style, seed, cancelled)
    return head_rotation(values_of(style), accents, speaking, seed)


def _expected_latents(
    tower: CodeTower, vq: MotionVQ, content: np.ndarray, style: np.ndarray, cancelled: Callable[[], bool] | None
) -> Tensor:
    """(N, size) mean latents of the tokens of (T, CONTENT_SIZE) content."""
    parts, stride = [], tower.stride
    tokens = -(-len(content) // stride)
    for start, end, low, high in windows(tokens, WINDOW_FRAMES // stride, tower.margin_tokens, cancelled):
        frames = slice(low * stride, high * stride)
        with torch.no_grad():
            heard = tower.hear(torch.from_numpy(content[frames])[None])
            logits = tower(heard, tower.at_tokens(_style_window(style, frames.start, frames.stop)))
            parts.append(vq.quantizer.expected(logits[0, start - low : end - low]))
    return torch.cat(parts)


def _drawn_codes(
    tower: CodeTower, content: np.ndarray, style: np.ndarray, seed: int, cancelled: Callable[[], bool] | None
) -> Tensor:
    """(N, levels) codes of the tokens of (T, CONTENT_SIZE) content; a window knows what those before it drew."""
    stride = tower.stride
    codes = torch.full((-(-len(content) // stride), tower.levels), tower.unknown)
    for start, end, low, high in windows(len(codes), WINDOW_FRAMES // stride, tower.margin_tokens, cancelled):
        chance = np.random.SeedSequence([seed, _OWN_CHANCE, start]).generate_state(1)
        random = torch.Generator().manual_seed(int(chance[0]))
        frames = slice(low * stride, high * stride)
        with torch.no_grad():
            heard = tower.hear(torch.from_numpy(content[frames])[None])
            at_tokens = tower.at_tokens(_style_window(style, frames.start, frames.stop))
            drawn = draw_codes(tower, heard, at_tokens, codes[None, low:high], low, random)
        codes[start:end] = drawn[0, start - low : end - low]
    return codes


def _decoded(vq: MotionVQ, latents: Tensor, frames: int, cancelled: Callable[[], bool] | None) -> np.ndarray:
    """(frames, features) motion of (N, size) latents."""
    parts = []
    for start, end, low, high in windows(len(latents), WINDOW_FRAMES // vq.stride, vq.margin_tokens, cancelled):
        with torch.no_grad():
            motion = vq.decode(latents[None, low:high])[0]
        parts.append(motion[(start - low) * vq.stride : (end - low) * vq.stride].numpy())
    return np.concatenate(parts)[:frames]


def _content(articulation: np.ndarray, accents: np.ndarray, speaking: np.ndarray) -> np.ndarray:
    return np.concatenate([articulation, accents[:, None], speaking[:, None]], 1).astype(np.float32)


def _style_window(style: np.ndarray, low: int, high: int) -> Tensor:
    """A style as the networks take it: (1, 128), or (1, high - low, 128) of one over time."""
    return torch.from_numpy(style if style.ndim == 1 else style[low:high])[None]
