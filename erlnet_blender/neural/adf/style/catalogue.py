"""The styles of the corpus: numbered combinations of the factors, some to train on and others that training never sees.

`TRAINING_STYLES` and `TEST_STYLES` are drawn from seeds over the same ranges (`rules`); `training_style` is one of the
first or a new one, `random_style` always a new one. `motion_in` is the whole rule-made motion of somebody with a style.
docs/training/styles.md lists them: `python -m erlnet_blender.neural.adf.style.catalogue > docs/training/styles.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..articulation import ARTICULATION, MOUTH, SHAPES, column
from ..behaviour import behave
from ..network.style_encoder import RESIDUAL_SIZE
from .factors import NAMES, NEUTRAL, code_of, values_of
from .rules import Traits, random_traits, styled_motion

_SEEDS = {"training": 1, "test": 2}
_COUNT = 48
_NAMED_ONES = 0.5
_WORTH_A_WORD = 1.0
_SHAPE_COLUMNS = [column(name) for name in SHAPES]


@dataclass(frozen=True)
class Style:
    """One style: (28,) `factors`, and habits no factor names: `gains` and `offsets` (6,) of SHAPES, `smoothing`."""

    name: str
    factors: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    smoothing: float

    @property
    def code(self) -> np.ndarray:
        """(128,) style code, as far as factors tell it."""
        return np.concatenate([code_of(self.factors), np.zeros(RESIDUAL_SIZE, np.float32)])

    @property
    def value(self) -> dict[str, float]:
        """Factor values by name."""
        return dict(zip(NAMES, map(float, self.factors), strict=True))

    @property
    def description(self) -> str:
        """Factors that are a usual spread or more from neutral, the furthest first."""
        distance = code_of(self.factors)
        order = [index for index in np.argsort(-np.abs(distance)) if abs(distance[index]) >= _WORTH_A_WORD]
        return ", ".join(f"{NAMES[index]} {self.factors[index]:.3g}" for index in order)


@dataclass(frozen=True)
class Motion:
    """Motion at 50 Hz: mouth (T, 21) MOUTH; head (T, 3) and gaze (T, 6) radians; eyelids (T, 2)."""

    mouth: np.ndarray
    head: np.ndarray
    eyelids: np.ndarray
    gaze: np.ndarray


def random_style(random: np.random.Generator, name: str = "") -> Style:
    """A style that nobody has seen, with habits of its own; never the neutral one."""
    while True:
        traits = random_traits(random, 1, np.zeros(1, bool))
        style = Style(
            name, traits.factors[0].numpy(), traits.gains[0].numpy(), traits.offsets[0].numpy(),
            float(traits.smoothing[0]),
        )  # fmt: skip
        if not np.allclose(style.factors, NEUTRAL):
            return style


def _drawn(split: str) -> tuple[Style, ...]:
    random = np.random.default_rng([_SEEDS[split], 2026])
    return tuple(random_style(random, f"{split}-{number:02d}") for number in range(_COUNT))


TRAINING_STYLES, TEST_STYLES = _drawn("training"), _drawn("test")


def training_style(random: np.random.Generator) -> Style:
    """One of `TRAINING_STYLES`, or as often a new one."""
    if random.random() < _NAMED_ONES:
        return TRAINING_STYLES[random.integers(len(TRAINING_STYLES))]
    return random_style(random)


def traits_of(styles: list[Style] | tuple[Style, ...]) -> Traits:
    """Styles as a batch for `rules.styled_motion`."""
    rows = [[getattr(style, field) for style in styles] for field in ("factors", "gains", "offsets", "smoothing")]
    return Traits(*(torch.tensor(np.array(row), dtype=torch.float32) for row in rows))


def motion_in(style: Style, articulation: np.ndarray, accents: np.ndarray, speaking: np.ndarray, seed: int) -> Motion:
    """What somebody with this style does while saying something, all of it by rule.

    Args:
        articulation: (T, 11) neutral; accents, speaking: (T,); seed: of head, blinks and gaze.
    """
    content = [torch.from_numpy(np.asarray(curve, np.float32))[None] for curve in (articulation, accents, speaking)]
    styled = styled_motion(*content, traits_of([style]))[0].numpy()
    mouth = np.zeros((len(articulation), len(MOUTH)), np.float32)
    mouth[:, : len(ARTICULATION)] = articulation
    mouth[:, _SHAPE_COLUMNS] = styled[:, : len(SHAPES)]
    mouth[:, len(ARTICULATION) :] = styled[:, len(SHAPES) :]
    rest = behave(values_of(style.code), accents, speaking, seed)
    return Motion(mouth, rest.head, rest.eyelids, rest.eyes)


def table() -> str:
    """The catalogue as Markdown."""
    lines = [
        "# Styles of the corpus",
        "",
        f"Made by `python -m erlnet_blender.neural.adf.style.catalogue`: {_COUNT} styles that training sees, beside",
        f"ones drawn anew, and {_COUNT} that it never sees. Given are the factors a usual spread or more from neutral",
        "(`style/factors.py` says what they are); gains, offsets and smoothing of the lips vary as well.",
        "",
    ]
    for title, styles in (("Training", TRAINING_STYLES), ("Test", TEST_STYLES)):
        lines += [f"## {title}", "", "| style | factors |", "|---|---|"]
        lines += [f"| {style.name} | {style.description} |" for style in styles] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(), end="")
