"""The last stage: which codes fit what is heard and a style.

The expression tower learns the codes of styled motion, and that their mean latents give that motion; the head tower
learns the codes of head motion, of which it is told as many as in a round of drawing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ....errors import ErlnetError
from ..network import SpeechToFaceNetwork
from ..network.code_predictor import COARSEST, CodePredictor, CodeTower, halving_rounds
from .style_stage import BATCH, EDGE, WINDOW_FRAMES, motion_loss, residuals
from .teacher import HEARD_SHARE, Content, Lesson, Teacher, mouth_units_of

LEARNING_RATE = 1.5e-3
_HEAD_BATCH, _HEAD_TOKENS = 12, 64
_CLIPS = 400
_SETUP_STREAM = 1 << 22


class CodeStage:
    """Trains the code predictor on the (finished) VQ-VAEs and style encoder (`run.Stage`).

    Args:
        teacher: with content as the (finished) speech encoder hears it.

    Raises:
        ErlnetError: the network has no VQ-VAEs.
    """

    name = "codes"

    def __init__(self, network: SpeechToFaceNetwork, teacher: Teacher, steps: int, rate: float, seed: int) -> None:
        if network.expression_vq is None or network.head_vq is None:
            raise ErlnetError("Codes cannot be predicted before there are any", "", "train the stage motion first")
        self.teacher, self.steps, self.learning_rate = teacher, steps, rate
        self.vq, self.head_vq = network.expression_vq, network.head_vq
        self.encoder = network.style_encoder
        for finished in (self.vq, self.head_vq, self.encoder):
            finished.eval().requires_grad_(False)
        if network.code_predictor is None:
            network.code_predictor = CodePredictor(self.vq, self.head_vq)
        self.module = nn.ModuleDict({"code_predictor": network.code_predictor})
        self.clips = teacher.head_clips(np.random.default_rng([seed, _SETUP_STREAM]), _CLIPS)
        with torch.no_grad():
            self.head_codes = [self.head_vq.codes_of(torch.from_numpy(motion)[None])[0] for motion in self.clips.motion]

    def loss(self, random: np.random.Generator) -> Tensor:
        """A batch of each."""
        towers = self.module["code_predictor"]
        lesson = self.teacher.lesson(random, BATCH, WINDOW_FRAMES)
        return self._expression_loss(towers.expression, lesson) + 0.1 * self._head_loss(towers.head, random)

    def _expression_loss(self, tower: CodeTower, lesson: Lesson) -> Tensor:
        """Cross-entropy of the codes, and the error of the motion that their mean latents give."""
        mean, unit = mouth_units_of(lesson.explicit)
        with torch.no_grad():
            codes = self.vq.codes_of((lesson.target - mean) / unit)
            style = lesson.style(residuals(self.encoder, lesson)[: len(codes)])
        logits = tower(tower.hear(_stacked(lesson.content)), tower.at_tokens(style))
        inner = slice(EDGE // tower.stride, -EDGE // tower.stride)
        surprise = functional.cross_entropy(logits[:, inner].flatten(0, 2), codes[:, inner].flatten())
        motion = self.vq.decode(self.vq.quantizer.expected(logits))
        return 0.05 * surprise + motion_loss(mean + unit * motion, lesson.target)

    def _head_loss(self, tower: CodeTower, random: np.random.Generator) -> Tensor:
        """Cross-entropy of the codes that are hidden, as in one round of drawing."""
        stride = tower.stride
        clips, places = self.clips.windows(random, _HEAD_BATCH, _HEAD_TOKENS * stride, stride)
        pairs = zip(clips, places[:, ::stride] // stride, strict=True)
        codes = torch.stack([self.head_codes[clip][place] for clip, place in pairs])
        content = self.teacher.content(self.clips.rows_at(clips, places), random.random(_HEAD_BATCH) < HEARD_SHARE)
        level, hidden = int(random.integers(tower.levels)), hidden_tokens(random, _HEAD_BATCH, _HEAD_TOKENS)
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


def _stacked(content: Content) -> Tensor:
    """(B, T, CONTENT_SIZE)."""
    articulation, accents, speaking = content
    return torch.cat([articulation, accents[..., None], speaking[..., None]], -1)
