"""The second stage: what a style is, and what it does to the motion of speech.

The style decoder learns rule-made styles (`style.rules`) of what is heard, from exact or measured factors and a
residual code of other motion in the same style. The residual code is drawn together for two references of one style
and apart for different ones (NT-Xent: Chen et al. 2020), and must tell the hidden habits of the style.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..articulation import SHAPES
from ..network import SpeechToFaceNetwork
from ..network.style_encoder import RESIDUAL_SIZE, StyleEncoder
from ..style.rules import GAIN_SPREAD, OFFSET_SPREAD, Traits
from .teacher import REFERENCE_FRAMES, Lesson, Teacher

LEARNING_RATE = 1.5e-3
CONTRAST, HABITS = 0.02, 0.02
BATCH, WINDOW_FRAMES = 16, 144
EDGE = 24
"""Frames at both ends of a window whose motion hangs on what lies beyond: context only."""
_TEMPERATURE = 0.1
_HABITS_SIZE = 2 * len(SHAPES) + 1


class StyleStage:
    """Trains style encoder and style decoder (`run.Stage`).

    Args:
        teacher: with content as the (finished) speech encoder hears it.
        contrast, habits: weights of the losses of the residual code; 0 leaves one out.
    """

    name = "style"

    def __init__(
        self, network: SpeechToFaceNetwork, teacher: Teacher, steps: int, rate: float,
        contrast: float = CONTRAST, habits: float = HABITS,
    ) -> None:  # fmt: skip
        self.teacher, self.steps, self.learning_rate = teacher, steps, rate
        self.contrast, self.habits = contrast, habits
        self.module = nn.ModuleDict({"style_encoder": network.style_encoder, "style_decoder": network.style_decoder})
        if habits:
            self.module["habits"] = nn.Linear(RESIDUAL_SIZE, _HABITS_SIZE)

    def loss(self, random: np.random.Generator) -> Tensor:
        """One batch."""
        lesson = self.teacher.lesson(random, BATCH, WINDOW_FRAMES)
        residual = residuals(self.module["style_encoder"], lesson)
        motion = self.module["style_decoder"](*lesson.content, lesson.style(residual[:BATCH]))
        loss = motion_loss(motion, lesson.target) + 1e-3 * residual.square().mean()
        if self.contrast:
            loss = loss + self.contrast * contrastive(residual.view(2, BATCH, -1)[:, ~lesson.plain])
        if self.habits:
            off = self.module["habits"](residual) - _habits_of(lesson.traits).repeat(2, 1)
            loss = loss + self.habits * (off * ~lesson.filmed.repeat(2)[:, None]).square().mean()
        return loss


def residuals(encoder: StyleEncoder, lesson: Lesson) -> Tensor:
    """(2B, R) residual codes of the two references of each style: means over pieces of 4 s."""
    references = lesson.references
    pieces = references.reshape(-1, REFERENCE_FRAMES, references.shape[-1])
    return encoder(pieces).view(len(references), -1, RESIDUAL_SIZE).mean(1)


def motion_loss(motion: Tensor, target: Tensor) -> Tensor:
    """Squared error of motion (B, T, C) and of its velocity, away from the ends of the window."""
    error = (motion - target)[:, EDGE:-EDGE]
    return 8 * error.square().mean() + 6 * error.diff(dim=1).square().mean()


def contrastive(codes: Tensor) -> Tensor:
    """NT-Xent of (2, B, R): each code against its twin, among all others."""
    count = codes.shape[1]
    if count < 2:
        return codes.sum() * 0
    unit = functional.normalize(codes.flatten(0, 1), dim=-1)
    likeness = (unit @ unit.T / _TEMPERATURE).masked_fill(torch.eye(2 * count, dtype=torch.bool), float("-inf"))
    return functional.cross_entropy(likeness, torch.arange(2 * count).roll(count))


def _habits_of(traits: Traits) -> Tensor:
    """(B, 13) hidden habits, each about as large as the others."""
    gains, offsets = (traits.gains - 1) / GAIN_SPREAD, traits.offsets / OFFSET_SPREAD
    return torch.cat([gains, offsets, 3 * traits.smoothing[:, None]], 1)
