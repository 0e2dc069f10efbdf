"""The last stage: what a style does to motion, directly and by codes.

The style decoder and the expression tower learn rule-made styles (`style.rules`) of what is heard, from exact or
measured factors and a residual code of other motion in the same style; the head tower learns the codes of head motion,
some of which it is told. The residual code is drawn together for two references of one style and apart for different
ones (NT-Xent: Chen et al. 2020), and must tell the hidden habits of the style.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..articulation import SHAPES
from ..network import SpeechToFaceNetwork
from ..network.code_predictor import COARSEST, CodePredictor, CodeTower, halving_rounds
from ..network.style_encoder import RESIDUAL_SIZE
from ..style.factors import BEHAVIOUR_COLUMNS
from ..style.rules import GAIN_SPREAD, OFFSET_SPREAD, Traits, random_traits, styled_motion
from .teacher import Content, Teacher, mouth_units_of, observed

LEARNING_RATE = 1.5e-3
CONTRAST, HABITS = 0.02, 0.02
BATCH, WINDOW_FRAMES, REFERENCE_FRAMES = 16, 144, 200
_EDGE = 24
"""Frames at both ends of a window whose motion hangs on what lies beyond: context only."""
_HEAD_BATCH, _HEAD_TOKENS = 12, 64
_CLIPS = 400
_SETUP_STREAM = 1 << 22
_HEARD_SHARE = 0.6
_SHORT_SHARE = 0.6
"""Of references that are 4 s long; the others are three times that."""
_TEMPERATURE = 0.1
_HABITS_SIZE = 2 * len(SHAPES) + 1


class StyleStage:
    """Trains style encoder, style decoder and, where there are VQ-VAEs, the code predictor (`run.Stage`).

    Args:
        teacher: with content as the (finished) speech encoder hears it.
        contrast, habits: weights of the losses of the residual code; 0 leaves one out.
    """

    name = "style"

    def __init__(
        self, network: SpeechToFaceNetwork, teacher: Teacher, steps: int, rate: float, seed: int,
        contrast: float = CONTRAST, habits: float = HABITS,
    ) -> None:  # fmt: skip
        self.teacher, self.steps, self.learning_rate = teacher, steps, rate
        self.contrast, self.habits = contrast, habits
        self.vq, self.head_vq = network.expression_vq, network.head_vq
        self.module = nn.ModuleDict({"style_encoder": network.style_encoder, "style_decoder": network.style_decoder})
        if habits:
            self.module["habits"] = nn.Linear(RESIDUAL_SIZE, _HABITS_SIZE)
        if self.vq is not None and self.head_vq is not None:
            if network.code_predictor is None:
                network.code_predictor = CodePredictor(self.vq, self.head_vq)
            self.module["code_predictor"] = network.code_predictor
            self.vq.eval()
            self.head_vq.eval()
            self.clips = teacher.head_clips(np.random.default_rng([seed, _SETUP_STREAM]), _CLIPS)
            with torch.no_grad():
                codes = [self.head_vq.codes_of(torch.from_numpy(motion)[None]) for motion in self.clips.motion]
            self.head_codes = torch.cat(codes)

    def loss(self, random: np.random.Generator) -> Tensor:
        """One batch: content is what was heard for six in ten, what was said for the others."""
        rows, plain = self.teacher.rows(random, BATCH, WINDOW_FRAMES), random.random(BATCH) < 0.4
        content = self.teacher.content(rows, random.random(BATCH) < _HEARD_SHARE)
        traits = random_traits(random, BATCH, plain)
        target = styled_motion(*self.teacher.content(rows), traits)
        pieces = 1 if random.random() < _SHORT_SHARE else 3
        references = self.teacher.references(random, _twice(traits), pieces * REFERENCE_FRAMES)
        residual = self.module["style_encoder"](references.reshape(-1, REFERENCE_FRAMES, references.shape[-1]))
        residual = residual.view(2 * BATCH, pieces, -1).mean(1)
        shown = torch.from_numpy(~plain | (random.random(BATCH) < 0.3)).float()[:, None]
        explicit = observed(traits, plain, references[:BATCH])
        # The behaviour of head, lids and eyes must not matter to the mouth.
        explicit[:, BEHAVIOUR_COLUMNS] = random.normal(0, 1, (BATCH, len(BEHAVIOUR_COLUMNS)))
        style = torch.cat([torch.from_numpy(explicit), residual[:BATCH] * shown], 1)
        loss = _motion_loss(self.module["style_decoder"](*content, style), target) + 1e-3 * residual.square().mean()
        if self.contrast:
            loss = loss + self.contrast * contrastive(residual.view(2, BATCH, -1)[:, torch.from_numpy(~plain)])
        if self.habits:
            told = self.module["habits"](residual)
            loss = loss + self.habits * (told - _habits_of(_twice(traits))).square().mean()
        if "code_predictor" in self.module:
            towers = self.module["code_predictor"]
            loss = loss + self._expression_loss(towers.expression, content, style, mouth_units_of(explicit), target)
            loss = loss + 0.1 * self._head_loss(towers.head, random)
        return loss

    def _expression_loss(
        self, tower: CodeTower, content: Content, style: Tensor, units: tuple[Tensor, Tensor], target: Tensor
    ) -> Tensor:
        """Cross-entropy of the codes, and the error of the motion that their mean latents give."""
        assert self.vq is not None
        mean, unit = units
        with torch.no_grad():
            codes = self.vq.codes_of((target - mean) / unit)
        logits = tower(tower.hear(_stacked(content)), tower.at_tokens(style))
        inner = slice(_EDGE // tower.stride, -_EDGE // tower.stride)
        surprise = functional.cross_entropy(logits[:, inner].flatten(0, 2), codes[:, inner].flatten())
        motion = self.vq.decode(self.vq.quantizer.expected(logits))
        return 0.05 * surprise + _motion_loss(mean + unit * motion, target)

    def _head_loss(self, tower: CodeTower, random: np.random.Generator) -> Tensor:
        """Cross-entropy of the codes that are hidden, as in one round of drawing."""
        tokens = min(_HEAD_TOKENS, self.head_codes.shape[1])
        clips = random.integers(len(self.head_codes), size=_HEAD_BATCH)
        starts = random.integers(self.head_codes.shape[1] - tokens + 1, size=_HEAD_BATCH)
        codes = self.head_codes[clips[:, None], starts[:, None] + np.arange(tokens)]
        frames = starts[:, None] * tower.stride + np.arange(tokens * tower.stride)
        rows = self.clips.rows[clips[:, None], np.minimum(frames, self.clips.rows.shape[1] - 1)]
        content = self.teacher.content(rows, random.random(_HEAD_BATCH) < _HEARD_SHARE)
        level, hidden = int(random.integers(tower.levels)), hidden_tokens(random, _HEAD_BATCH, tokens)
        known = codes.clone()
        known[..., level][hidden] = tower.unknown
        known[..., level + 1 :] = tower.unknown
        style = tower.at_tokens(torch.from_numpy(self.clips.styles[clips]))
        logits = tower(tower.hear(_stacked(content)), style, known)
        return functional.cross_entropy(logits[..., level, :][hidden], codes[..., level][hidden])


def hidden_tokens(random: np.random.Generator, count: int, tokens: int) -> Tensor:
    """(count, tokens) what is hidden in some round of drawing, on a grid that starts anywhere, after a known start."""
    hidden = torch.zeros(count, tokens, dtype=torch.bool)
    for row in hidden:
        rounds = halving_rounds(torch.arange(tokens) + int(random.integers(COARSEST)))
        row |= torch.stack(rounds[int(random.integers(len(rounds))) :]).any(0)
        if random.random() < 0.5:
            row[: int(random.integers(tokens // 2))] = False
    return hidden


def contrastive(codes: Tensor) -> Tensor:
    """NT-Xent of (2, B, R): each code against its twin, among all others."""
    count = codes.shape[1]
    if count < 2:
        return codes.sum() * 0
    unit = functional.normalize(codes.flatten(0, 1), dim=-1)
    likeness = (unit @ unit.T / _TEMPERATURE).masked_fill(torch.eye(2 * count, dtype=torch.bool), float("-inf"))
    return functional.cross_entropy(likeness, torch.arange(2 * count).roll(count))


def _twice(traits: Traits) -> Traits:
    return Traits(*(tensor.repeat(2, *[1] * (tensor.ndim - 1)) for tensor in vars(traits).values()))


def _habits_of(traits: Traits) -> Tensor:
    """(B, 13) hidden habits, each about as large as the others."""
    gains, offsets = (traits.gains - 1) / GAIN_SPREAD, traits.offsets / OFFSET_SPREAD
    return torch.cat([gains, offsets, 3 * traits.smoothing[:, None]], 1)


def _motion_loss(motion: Tensor, target: Tensor) -> Tensor:
    error = (motion - target)[:, _EDGE:-_EDGE]
    return 8 * error.square().mean() + 6 * error.diff(dim=1).square().mean()


def _stacked(content: Content) -> Tensor:
    """(B, T, CONTENT_SIZE)."""
    articulation, accents, speaking = content
    return torch.cat([articulation, accents[..., None], speaking[..., None]], -1)
