"""What the motion and style stages learn from: the speech of a corpus, moved by the rules of `style` and `behaviour`.

Neutral articulation, accents and speech come from the corpus, as they are or as the speech encoder hears them; styles
are drawn at random; the rules make the styled mouth and the head's motion. Filmed people move as they did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..articulation import CHANNEL_RATE_HZ, MOUTH, SHAPES
from ..behaviour import head_rotation
from ..corpus.preparation import Prepared
from ..motion import factors_of, head_units, mouth_units
from ..network.code_predictor import CONTENT_SIZE
from ..network.speech_encoder import SHAPE_COLUMNS, SpeechEncoder, speaking_of
from ..network.style_encoder import RESIDUAL_SIZE
from ..style.factors import BEHAVIOUR_COLUMNS, NAMES, code_of
from ..style.measured import measured_factors
from ..style.rules import Traits, random_traits, styled_motion

MOST_S = 7200
HEAD_CLIP_S = 40
REFERENCE_FRAMES = 200
"""4 s: a piece of a reference that the style encoder sees at once."""
HEARD_SHARE = 0.6
_PLAIN_SHARE, _SHORT_SHARE = 0.4, 0.6
"""Of styles without hidden habits; of references of one piece, where the others are of three."""

Content = tuple[Tensor, Tensor, Tensor]
"""Articulation (B, T, 11), accents (B, T) and speaking (B, T) at 50 Hz."""


@dataclass
class Lesson:
    """A batch of B windows of speech, each in a style.

    Args:
        content: what is heard for six in ten, what was said for the others; target: (B, T, 16) styled motion.
        traits: the styles; plain: (B,) those without hidden habits, as presets are.
        references: (2B, 200 or 600, 21) other speech in the styles, twice.
        explicit: (B, 26) explicit codes: known where plain, else measured in the first references.
        shown: (B, 1) 0 where the residual code is kept back, as for a preset.
    """

    content: Content
    target: Tensor
    traits: Traits
    plain: Tensor
    references: Tensor
    explicit: np.ndarray
    shown: Tensor

    def style(self, residual: Tensor) -> Tensor:
        """(B, 128) style codes with (B, R) residuals."""
        return torch.cat([torch.from_numpy(self.explicit), residual * self.shown], 1)


@dataclass
class HeadClips:
    """Head motion for stretches of the corpus.

    Args:
        rows: (n, T) corpus frames of each clip; motion: (n, T, 3) float32 in units of the style (`motion.head_units`).
        styles: (n, 128) style codes with a residual of zero.
    """

    rows: np.ndarray
    motion: np.ndarray
    styles: np.ndarray


class Teacher:
    """Two hours of a corpus at most, chosen at random.

    Args:
        speech: the trained speech encoder, where content is to be had as it hears it.
    """

    def __init__(self, prepared: Prepared, seed: int, speech: SpeechEncoder | None = None) -> None:
        order = np.random.default_rng([seed, 1 << 20]).permutation(len(prepared.pools))
        lengths = np.diff(prepared.starts)[order]
        chosen = order[: 1 + int(np.searchsorted(np.cumsum(lengths), MOST_S * CHANNEL_RATE_HZ))]
        spans = [slice(int(prepared.starts[index]), int(prepared.starts[index + 1])) for index in chosen]
        self.truth = np.concatenate([_told(prepared, span) for span in spans])
        self.heard = None if speech is None else np.concatenate([_heard(speech, prepared, span) for span in spans])

    def __len__(self) -> int:
        return len(self.truth)

    def rows(self, random: np.random.Generator, count: int, frames: int) -> np.ndarray:
        """(B, T) corpus frames of windows anywhere; a corpus that is too short ends in a long last frame."""
        starts = random.integers(0, max(1, len(self) - frames), count)
        return np.minimum(starts[:, None] + np.arange(frames), len(self) - 1)

    def content(self, rows: np.ndarray, heard: np.ndarray | None = None) -> Content:
        """Content of (B, T) corpus frames; as heard where `heard` (B,) says so."""
        content = self.truth[rows].astype(np.float32)
        if heard is not None and self.heard is not None:
            content[heard] = self.heard[rows[heard]]
        tensor = torch.from_numpy(content)
        return tensor[..., :-2], tensor[..., -2], tensor[..., -1]

    def lesson(self, random: np.random.Generator, count: int, frames: int) -> Lesson:
        """A batch to learn from."""
        rows, plain = self.rows(random, count, frames), random.random(count) < _PLAIN_SHARE
        traits = random_traits(random, count, plain)
        twice = Traits(*(tensor.repeat(2, *[1] * (tensor.ndim - 1)) for tensor in vars(traits).values()))
        pieces = 1 if random.random() < _SHORT_SHARE else 3
        references = self.references(random, twice, pieces * REFERENCE_FRAMES)
        explicit = observed(traits, plain, references[:count])
        # The behaviour of head, lids and eyes must not matter to the mouth.
        explicit[:, BEHAVIOUR_COLUMNS] = random.normal(0, 1, (count, len(BEHAVIOUR_COLUMNS)))
        shown = torch.from_numpy(~plain | (random.random(count) < 0.3)).float()[:, None]
        content = self.content(rows, random.random(count) < HEARD_SHARE)
        target = styled_motion(*self.content(rows), traits)
        return Lesson(content, target, traits, torch.from_numpy(plain), references, explicit, shown)

    def references(self, random: np.random.Generator, traits: Traits, frames: int) -> Tensor:
        """(B, T, 21) MOUTH channels of speech anywhere, in the styles."""
        content = self.content(self.rows(random, len(traits.factors), frames))
        styled = styled_motion(*content, traits)
        mouth = torch.cat([content[0], styled[..., len(SHAPES) :]], 2)
        mouth[..., SHAPE_COLUMNS] = styled[..., : len(SHAPES)]
        return mouth

    def head_clips(self, random: np.random.Generator, count: int) -> HeadClips:
        """Clips of 40 s (or of the whole corpus, where that is shorter), each in a style of its own."""
        rows = self.rows(random, count, min(HEAD_CLIP_S * CHANNEL_RATE_HZ, len(self)))
        factors = random_traits(random, count, np.ones(count, bool)).factors.numpy()
        motion = np.zeros((*rows.shape, 3), np.float32)
        for index, values in enumerate(factors):
            _, accents, speaking = (tensor[0].numpy() for tensor in self.content(rows[index : index + 1]))
            style = dict(zip(NAMES, map(float, values), strict=True))
            turn_deg = np.rad2deg(head_rotation(style, accents, speaking, int(random.integers(1 << 31))))
            mean, unit = head_units(values)
            motion[index] = (turn_deg - mean) / unit
        styles = np.concatenate([code_of(factors), np.zeros((count, RESIDUAL_SIZE), np.float32)], 1)
        return HeadClips(rows, motion, styles)


def observed(traits: Traits, plain: np.ndarray, references: Tensor) -> np.ndarray:
    """(B, 26) explicit codes of styles: known where `plain`, else as measured in (B, T, 21) references."""
    factors, still = traits.factors.numpy().copy(), np.zeros((references.shape[1], 3), np.float32)
    mouth_columns = [index for index in range(len(NAMES)) if index not in BEHAVIOUR_COLUMNS]
    for index in np.flatnonzero(~plain):
        measured = measured_factors(references[index].numpy(), np.ones(len(MOUTH), bool), still, still[:, :2])
        factors[index, mouth_columns] = measured[mouth_columns]
    return code_of(factors)


def mouth_units_of(explicit: np.ndarray) -> tuple[Tensor, Tensor]:
    """`motion.mouth_units` of (B, 26) explicit codes, (B, 1, 16) tensors."""
    mean, unit = mouth_units(factors_of(explicit))
    return torch.from_numpy(mean[:, None]), torch.from_numpy(unit[:, None])


def _told(prepared: Prepared, span: slice) -> np.ndarray:
    """(T, CONTENT_SIZE) float16 of the corpus itself."""
    told = prepared.motion[span], prepared.accents[span, None], (prepared.phones[span] > 0).astype(np.float16)[:, None]
    return np.concatenate(told, 1)


def _heard(speech: SpeechEncoder, prepared: Prepared, span: slice) -> np.ndarray:
    """(T, CONTENT_SIZE) float16 as the speech encoder hears it."""
    mel = torch.from_numpy(prepared.mel[2 * span.start : 2 * span.stop].astype(np.float32))
    with torch.no_grad():
        out = speech.eval()(mel[None])
    content = out.motion.sigmoid(), out.accents.clamp(0, 1.5)[..., None], speaking_of(out.phones)[..., None]
    heard = torch.cat(content, -1)[0].half().numpy()
    assert heard.shape[1] == CONTENT_SIZE
    return heard
