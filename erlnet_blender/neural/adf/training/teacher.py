"""What the motion and style stages learn from: the speech of a corpus, moved by the rules of `style` and `behaviour`.

Neutral articulation, accents and speech come from the corpus, as they are or as the speech encoder hears them; styles
are drawn at random; the rules make the styled mouth and the head's motion. Filmed people move as they did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..articulation import CHANNEL_RATE_HZ, EXPRESSION, MOUTH, SHAPES, column
from ..behaviour import head_rotation
from ..corpus.folder import TrackedMotion
from ..corpus.preparation import Prepared
from ..motion import factors_of, head_units, mouth_units
from ..network.code_predictor import CONTENT_SIZE
from ..network.speech_encoder import SHAPE_COLUMNS, SpeechEncoder, speaking_of
from ..network.style_encoder import RESIDUAL_SIZE
from ..style.factors import BEHAVIOUR_COLUMNS, NAMES, code_of
from ..style.measured import measured_factors, mouth_factors
from ..style.rules import Traits, random_traits, styled_motion

MOST_S = 7200
HEAD_CLIP_S = 40
REFERENCE_FRAMES = 200
"""4 s: a piece of a reference that the style encoder sees at once."""
HEARD_SHARE = 0.6
_PLAIN_SHARE, _SHORT_SHARE, _FILMED_SHARE = 0.4, 0.6, 0.5
"""Of styles without hidden habits; of references of one piece (the others are of three); of filmed people, if any."""
_SHORTEST_FILM_S = 5
_STYLED = [column(name) for name in (*SHAPES, *EXPRESSION)]

Content = tuple[Tensor, Tensor, Tensor]
"""Articulation (B, T, 11), accents (B, T) and speaking (B, T) at 50 Hz."""


@dataclass
class Lesson:
    """A batch of B windows of speech, each in a style.

    Args:
        content: what is heard for six in ten, what was said for the others; target: (B, T, 16) styled motion.
        traits: the styles; plain: (B,) those without hidden habits, as presets are.
        references: (2B, 200 or 600, 21) other speech in the styles, twice.
        explicit: (B, 28) explicit codes: known where plain, else measured in the first references.
        shown: (B, 1) 0 where the residual code is kept back, as for a preset.
        filmed: (B,) those whose motion is that of a filmed person, and whose traits say nothing.
    """

    content: Content
    target: Tensor
    traits: Traits
    plain: Tensor
    references: Tensor
    explicit: np.ndarray
    shown: Tensor
    filmed: Tensor

    def style(self, residual: Tensor) -> Tensor:
        """(B, 128) style codes with (B, R) residuals."""
        return torch.cat([torch.from_numpy(self.explicit), residual * self.shown], 1)


@dataclass
class HeadClips:
    """Head motion for stretches of the corpus.

    Args:
        rows: (T,) corpus frames of each clip; motion: (T, 3) float32 of each, in units of its style
            (`motion.head_units`); styles: (n, 128) style codes with a residual of zero.
    """

    rows: list[np.ndarray]
    motion: list[np.ndarray]
    styles: np.ndarray

    def windows(
        self, random: np.random.Generator, count: int, frames: int, step: int = 1
    ) -> tuple[list[int], np.ndarray]:
        """`count` clips and (count, frames) places in them, from a multiple of `step` on; short clips end held."""
        chosen = random.integers(len(self.motion), size=count).tolist()
        lengths = np.array([len(self.motion[clip]) for clip in chosen])
        starts = step * (random.random(count) * (np.maximum(0, lengths - frames) // step + 1)).astype(int)
        return chosen, np.minimum(starts[:, None] + np.arange(frames), lengths[:, None] - 1)

    def motion_at(self, chosen: list[int], places: np.ndarray) -> Tensor:
        """(B, T, 3) motion of `windows`."""
        pairs = zip(chosen, places, strict=True)
        return torch.from_numpy(np.stack([self.motion[clip][place] for clip, place in pairs]))

    def rows_at(self, chosen: list[int], places: np.ndarray) -> np.ndarray:
        """(B, T) corpus frames of `windows`."""
        return np.stack([self.rows[clip][place] for clip, place in zip(chosen, places, strict=True)])


@dataclass
class Film:
    """A filmed person's recording: first frame in the teacher's speech, motion at 50 Hz, and whose it is."""

    first: int
    motion: TrackedMotion
    voice: int


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
        firsts = np.cumsum([0, *(span.stop - span.start for span in spans)])
        self.films = [
            Film(int(first), motion, int(prepared.voices[index]))
            for first, index in zip(firsts, chosen, strict=False)
            if (motion := prepared.tracked_of(int(index))) is not None
        ]

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
        filmed = (random.random(count) < _FILMED_SHARE) & bool(self.films)
        films = [self.films[random.integers(len(self.films))] for _ in np.flatnonzero(filmed)]
        for index, film in zip(np.flatnonzero(filmed), films, strict=True):
            rows[index], plain[index] = film.first + _place(random, film, frames), False
            for reference in (index, count + index):
                others = [other for other in self.films if other.voice == film.voice]
                references[reference] = self._seen(random, others[random.integers(len(others))], references.shape[1])
        explicit = observed(traits, plain, references[:count])
        # The behaviour of head, lids and eyes must not matter to the mouth.
        explicit[:, BEHAVIOUR_COLUMNS] = random.normal(0, 1, (count, len(BEHAVIOUR_COLUMNS)))
        shown = torch.from_numpy(~plain | (random.random(count) < 0.3)).float()[:, None]
        content = self.content(rows, random.random(count) < HEARD_SHARE)
        target = styled_motion(*self.content(rows), traits)
        for index, film in zip(np.flatnonzero(filmed), films, strict=True):
            target[index] = torch.from_numpy(film.motion.mouth[rows[index] - film.first][:, _STYLED])
        plainly, really = torch.from_numpy(plain), torch.from_numpy(filmed)
        return Lesson(content, target, traits, plainly, references, explicit, shown, really)

    def _seen(self, random: np.random.Generator, film: Film, frames: int) -> Tensor:
        """(T, 21) a reference of a filmed person."""
        return torch.from_numpy(film.motion.mouth[_place(random, film, frames)])

    def references(self, random: np.random.Generator, traits: Traits, frames: int) -> Tensor:
        """(B, T, 21) MOUTH channels of speech anywhere, in the styles."""
        content = self.content(self.rows(random, len(traits.factors), frames))
        styled = styled_motion(*content, traits)
        mouth = torch.cat([content[0], styled[..., len(SHAPES) :]], 2)
        mouth[..., SHAPE_COLUMNS] = styled[..., : len(SHAPES)]
        return mouth

    def head_clips(self, random: np.random.Generator, count: int) -> HeadClips:
        """`count` clips of 40 s (or of the whole corpus, where that is shorter), each in a style of its own, and those
        of the filmed people."""
        length = min(HEAD_CLIP_S * CHANNEL_RATE_HZ, len(self))
        rows = list(self.rows(random, count, length))
        factors = list(random_traits(random, count, np.ones(count, bool)).factors.numpy())
        turns_rad = []
        for values, row in zip(factors, rows, strict=True):
            _, accents, speaking = (tensor[0].numpy() for tensor in self.content(row[None]))
            style = dict(zip(NAMES, map(float, values), strict=True))
            turns_rad.append(head_rotation(style, accents, speaking, int(random.integers(1 << 31))))
        for film in self.films:
            moved, frames = film.motion, len(film.motion.head)
            if frames >= _SHORTEST_FILM_S * CHANNEL_RATE_HZ:
                rows.append(film.first + np.arange(frames))
                turns_rad.append(moved.head)
                factors.append(
                    measured_factors(moved.mouth, np.ones(len(MOUTH), bool), moved.head, moved.eyelids, moved.gaze)
                )
        pairs = zip(turns_rad, map(head_units, factors), strict=True)
        motion = [((np.rad2deg(turn) - mean) / unit).astype(np.float32) for turn, (mean, unit) in pairs]
        codes = code_of(np.stack(factors))
        return HeadClips(rows, motion, np.concatenate([codes, np.zeros((len(codes), RESIDUAL_SIZE), np.float32)], 1))


def observed(traits: Traits, plain: np.ndarray, references: Tensor) -> np.ndarray:
    """(B, 28) explicit codes: known where `plain`, else of the mouth alone, measured in (B, T, 21) references."""
    factors = traits.factors.numpy().copy()
    for index in np.flatnonzero(~plain):
        factors[index] = mouth_factors(references[index].numpy(), np.ones(len(MOUTH), bool))
    return code_of(factors)


def mouth_units_of(explicit: np.ndarray) -> tuple[Tensor, Tensor]:
    """`motion.mouth_units` of (B, 28) explicit codes, (B, 1, 16) tensors."""
    mean, unit = mouth_units(factors_of(explicit))
    return torch.from_numpy(mean[:, None]), torch.from_numpy(unit[:, None])


def _place(random: np.random.Generator, film: Film, frames: int) -> np.ndarray:
    """(frames,) consecutive places in a film; one that is too short ends held."""
    start = random.integers(max(1, len(film.motion.mouth) - frames + 1))
    return np.minimum(start + np.arange(frames), len(film.motion.mouth) - 1)


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
