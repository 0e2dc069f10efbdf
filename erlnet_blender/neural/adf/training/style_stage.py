"""The last stage: what a style does to motion.

The decoder learns rule-made styles (`style.rules`) of the windows that the speech stage hears, from exact or measured
factors and a code of other motion in the same style.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..network import SpeechToFaceNetwork
from ..network.speech_encoder import SHAPE_COLUMNS, speaking_of
from ..network.style_decoder import StyleDecoder
from ..network.style_encoder import StyleEncoder
from ..style.factors import BEHAVIOUR_COLUMNS, NEUTRAL, SPREAD
from ..style.rules import random_traits, styled_motion
from .batches import Batches

LEARNING_RATE = 2e-3


class StyleStage:
    """Trains style encoder and decoder on what the (finished) speech encoder hears (`run.Stage`)."""

    name = "style"

    def __init__(self, network: SpeechToFaceNetwork, batches: Batches, steps: int, rate: float) -> None:
        self.batches, self.steps, self.learning_rate = batches, steps, rate
        self.speech = network.speech
        self.module = nn.ModuleDict({"style_encoder": network.style_encoder, "style_decoder": network.style_decoder})

    def loss(self, random: np.random.Generator) -> Tensor:
        """One batch: content is what was heard for six in ten, what was said for the others."""
        mel, motion, phones, accents = self.batches.speech(random)
        truth = (motion, accents, (phones > 0).float())
        with torch.inference_mode():
            out = self.speech.eval()(mel)
            heard = (out.motion.sigmoid(), out.accents, speaking_of(out.phones))
        use_heard = torch.from_numpy(random.random(len(motion)) < 0.6)
        content = tuple(
            torch.where(use_heard.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(heard, truth, strict=True)
        )
        reference = self.batches.references(random)
        encoder, decoder = self.module["style_encoder"], self.module["style_decoder"]
        return style_loss(encoder, decoder, content, truth, reference, random)  # type: ignore[arg-type]


def style_loss(
    encoder: StyleEncoder, decoder: StyleDecoder, content: tuple[Tensor, Tensor, Tensor],
    truth: tuple[Tensor, Tensor, Tensor], reference: tuple[Tensor, Tensor, Tensor],
    random: np.random.Generator,
) -> Tensor:  # fmt: skip
    """The loss of the style parts: content (predicted or true neutral motion) must come out styled as the truth would.

    content, truth: motion (B, T, 11), accents (B, T), speaking (B, T); reference: the same for other motion.
    """
    count = len(truth[0])
    plain = random.random(count) < 0.4
    traits = random_traits(random, count, plain)
    with torch.no_grad():
        target = styled_motion(*truth, traits)
        styled = styled_motion(*reference, traits)
        mouth = torch.cat([reference[0], styled[..., len(SHAPE_COLUMNS) :]], 2)
        mouth[..., SHAPE_COLUMNS] = styled[..., : len(SHAPE_COLUMNS)]
    residual = encoder(mouth)
    residual = residual * torch.from_numpy(~plain | (random.random(count) < 0.3)).float()[:, None]
    explicit = (traits.factors - torch.from_numpy(NEUTRAL)) / torch.from_numpy(SPREAD)
    # References are short, so what is measured in them is off: amplitudes most.
    slack = torch.zeros_like(explicit)
    slack[:, :2] = torch.from_numpy(random.normal(0, 0.5, (count, 2)) * ~plain[:, None]).float()
    explicit = explicit + slack
    # Head statistics are used as they are, and must not matter here.
    explicit[:, BEHAVIOUR_COLUMNS] = torch.from_numpy(random.normal(0, 1, (count, len(BEHAVIOUR_COLUMNS)))).float()
    predicted = decoder(*content, torch.cat([explicit, residual], 1))
    error = (predicted - target).square().mean()
    velocity = (predicted.diff(dim=1) - target.diff(dim=1)).square().mean()
    return 8 * error + 6 * velocity + 1e-3 * residual.square().mean()
