"""The first stage: hearing what the mouth does.

Cross-entropy on contacts and phones, squared error on shapes, their velocities and accents, and the contrastive speech
loss.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..articulation import ARTICULATION
from ..network.contrast import SpeechMotionContrast
from ..network.speech_encoder import CONTACT_COLUMNS, SHAPE_COLUMNS, Hearing, SpeechEncoder
from .batches import Batches

LEARNING_RATE = 2e-3
CONTRAST = 0.1
_CONTACT_WEIGHTS = {"closure": 2.0, "lip_tuck": 2.0}


class SpeechStage:
    """Trains the speech encoder (`run.Stage`).

    Args:
        contrast: weight of the contrastive loss; 0 leaves it out.
    """

    name = "speech"

    def __init__(self, speech: SpeechEncoder, batches: Batches, steps: int, rate: float, contrast: float) -> None:
        self.batches, self.steps, self.learning_rate, self.contrast = batches, steps, rate, contrast
        self.module = nn.ModuleDict({"speech": speech})
        if contrast:
            self.module["contrast"] = SpeechMotionContrast(speech.norm.normalized_shape[0])

    def loss(self, random: np.random.Generator) -> Tensor:
        """One batch."""
        mel, motion, phones, accents = self.batches.speech(random)
        heard = self.module["speech"](mel)
        loss = speech_loss(heard, motion, phones, accents)
        if self.contrast:
            loss = loss + self.contrast * self.module["contrast"](heard.hidden, motion, phones > 0)
        return loss


def speech_loss(heard: Hearing, motion: Tensor, phones: Tensor, accents: Tensor) -> Tensor:
    """The loss of the speech encoder; see the module."""
    predicted = torch.sigmoid(heard.motion)
    weights = torch.tensor([_CONTACT_WEIGHTS.get(ARTICULATION[index], 1.0) for index in CONTACT_COLUMNS])
    contact = functional.binary_cross_entropy_with_logits(
        heard.motion[..., CONTACT_COLUMNS], motion[..., CONTACT_COLUMNS], reduction="none"
    )
    shape = (predicted - motion)[..., SHAPE_COLUMNS].square().mean()
    velocity = (predicted.diff(dim=1) - motion.diff(dim=1)).square().mean()
    phone = functional.cross_entropy(heard.phones.transpose(1, 2), phones)
    accent_error = (heard.accents - accents).square().mean()
    return (contact * weights).mean() + 8 * shape + 6 * velocity + 0.8 * phone + 0.5 * accent_error
