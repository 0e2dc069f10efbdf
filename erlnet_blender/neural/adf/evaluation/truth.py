"""What the rules make of the corpus's own motion in a style: what the figures compare with."""

from __future__ import annotations

import numpy as np
import torch

from ..articulation import ARTICULATION, EXPRESSION, MOUTH, SHAPES, column
from ..corpus.augmentation import Example
from ..style.factors import NEUTRAL
from ..style.rules import Traits, styled_motion


def rule_made(example: Example, factors: np.ndarray = NEUTRAL) -> np.ndarray:
    """(T, len(MOUTH)) channels of a recording of the corpus, in the style of `factors`, without hidden habits."""
    count = len(SHAPES)
    traits = Traits(
        torch.from_numpy(np.asarray(factors, np.float32))[None], torch.ones(1, count), torch.zeros(1, count),
        torch.zeros(1),
    )  # fmt: skip
    curves = (example.motion, example.accents, (example.phones > 0).astype(np.float32))
    styled = styled_motion(*(torch.from_numpy(curve)[None] for curve in curves), traits)[0].numpy()
    mouth = np.zeros((len(styled), len(MOUTH)), np.float32)
    mouth[:, : len(ARTICULATION)] = example.motion
    mouth[:, [column(name) for name in (*SHAPES, *EXPRESSION)]] = styled
    return mouth
