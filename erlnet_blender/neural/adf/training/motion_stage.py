"""The second stage: words for motion. Both VQ-VAEs learn to tell styled expression and head motion by codes.

Squared error of the motion and of its velocity, each channel in units of its spread, and the commitment of the
latents to their entries.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..articulation import EXPRESSION, SHAPES
from ..network import SpeechToFaceNetwork
from ..network.vqvae import MotionVQ
from .teacher import Teacher, mouth_units_of

LEARNING_RATE = 2e-3
EXPRESSION_VQ = {"features": len(SHAPES) + len(EXPRESSION), "stride": 4, "codes": 256, "levels": 4}
HEAD_VQ = {"features": 3, "stride": 8, "codes": 256, "levels": 1}
_LEAST_SPREADS = {"expression": 0.05, "head": 0.1}
_EXPRESSION_WINDOWS, _EXPRESSION_FRAMES = 24, 128
_HEAD_WINDOWS, _HEAD_FRAMES = 16, 256
_CLIPS = 400
_SETUP_STREAM = 1 << 21


class MotionStage:
    """Trains the VQ-VAEs (`run.Stage`); those that the network has already are trained further."""

    name = "motion"

    def __init__(self, network: SpeechToFaceNetwork, teacher: Teacher, steps: int, rate: float, seed: int) -> None:
        self.teacher, self.steps, self.learning_rate = teacher, steps, rate
        random = np.random.default_rng([seed, _SETUP_STREAM])
        self.clips = teacher.head_clips(random, _CLIPS)
        if network.expression_vq is None or network.head_vq is None:
            network.expression_vq, network.head_vq = MotionVQ(**EXPRESSION_VQ), MotionVQ(**HEAD_VQ)
            network.expression_vq.measure(self.expression(random, 100, 500), _LEAST_SPREADS["expression"])
            network.head_vq.measure(torch.from_numpy(np.concatenate(self.clips.motion)), _LEAST_SPREADS["head"])
        for vq in (network.expression_vq, network.head_vq):
            vq.quantizer.restart_until = 0.7 * steps
        self.module = nn.ModuleDict({"expression_vq": network.expression_vq, "head_vq": network.head_vq})

    def loss(self, random: np.random.Generator) -> Tensor:
        """A batch of each."""
        expression = self.expression(random, _EXPRESSION_WINDOWS, _EXPRESSION_FRAMES)
        return vq_loss(self.module["expression_vq"], expression) + vq_loss(self.module["head_vq"], self._head(random))

    def expression(self, random: np.random.Generator, count: int, frames: int) -> Tensor:
        """(count, frames, 16) styled motion in units of what is seen of its style."""
        lesson = self.teacher.lesson(random, count, frames)
        mean, unit = mouth_units_of(lesson.explicit)
        return (lesson.target - mean) / unit

    def _head(self, random: np.random.Generator) -> Tensor:
        """(B, T, 3) head motion in units of its style."""
        return self.clips.motion_at(*self.clips.windows(random, _HEAD_WINDOWS, _HEAD_FRAMES))


def vq_loss(vq: MotionVQ, motion: Tensor) -> Tensor:
    """The loss of a VQ-VAE; see the module."""
    again, _, commitment = vq(motion)
    error = (again - motion) / vq.scale
    return error.square().mean() + 4 * error.diff(dim=1).square().mean() + 0.5 * commitment
