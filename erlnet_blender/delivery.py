"""How something is to be spoken: styles, emotions and which parts of the face take part (numpy only).

The panels and the command line describe it, a request carries it to the worker, the speech model follows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .errors import ErlnetError

PARTS = frozenset({"mouth", "brows", "blinks", "gaze", "head"})
STRONGEST, STRONGEST_EMOTION, MOST_BLINKS = 3.0, 1.5, 60.0
MOST_FRAMES = 1 << 24
_BROWS = re.compile("(brow|squint|eye_wide)_")
_EMOTION = "emotion "

Amount = float | np.ndarray


def parts_of_expression(name: str) -> frozenset[str]:
    """The parts that move an expression; one without a name (`Exp001`) belongs to whatever moves the face."""
    if re.fullmatch(r"Exp\d+", name):
        return frozenset({"mouth", "brows", "blinks"})
    return frozenset({"gaze" if name.startswith("lid_follow") else "brows" if _BROWS.match(name) else "mouth"})


@dataclass(frozen=True)
class Delivery:
    """How it is spoken. An amount is a number, or a curve (n,) over the frames of the track; its last value holds.

    Args:
        style, second_style: a preset's name or the path of a FaceTrack (.npz); the second may be empty.
        strength: of the styles, 0 (neutral) to 3.
        mix: 0 the style, 1 the second style.
        emotions: name to intensity, 0 to 1.5.
        parts: of `PARTS`, those that move; the others stay at rest.
        blinks_per_minute: up to 60; 0 takes the style's.
        seed: of everything that chance decides.

    Raises:
        ErlnetError: something is not of its kind or outside its range.
    """

    style: str = "neutral"
    strength: Amount = 1.0
    second_style: str = ""
    mix: Amount = 0.0
    emotions: Mapping[str, Amount] = field(default_factory=dict)
    parts: frozenset[str] = PARTS
    blinks_per_minute: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        for name in ("style", "second_style"):
            if not isinstance(getattr(self, name), str):
                raise ErlnetError(f"Style {getattr(self, name)!r} is not a name")
        put("strength", _amount("Style strength", self.strength, STRONGEST))
        put("mix", _amount("Style mix", self.mix, 1.0))
        named = {str(name): _amount(f"Intensity of {name}", value, STRONGEST_EMOTION)
                 for name, value in self.emotions.items()}  # fmt: skip
        put("emotions", named)
        put("parts", frozenset(self.parts))
        if not self.parts or not self.parts <= PARTS:
            listed = ", ".join(sorted(map(str, self.parts - PARTS))) or "none"
            raise ErlnetError(f"No such parts of the face: {listed}", "", f"choose from {', '.join(sorted(PARTS))}")
        blinks = _amount("Blinks per minute", self.blinks_per_minute, MOST_BLINKS)
        if np.ndim(blinks):
            raise ErlnetError("Blinks per minute is not one number")
        put("blinks_per_minute", blinks)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 1 << 31:
            raise ErlnetError(f"Seed {self.seed!r} is not a whole number from 0 to {(1 << 31) - 1}")

    @property
    def is_constant(self) -> bool:
        """Whether nothing changes over time."""
        return all(np.ndim(amount) == 0 for amount in (self.strength, self.mix, *self.emotions.values()))

    def as_request(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Plain JSON values and arrays, for the worker; `from_request` reads them."""
        header: dict = {
            "style": self.style, "second_style": self.second_style, "parts": sorted(self.parts),
            "blinks_per_minute": self.blinks_per_minute, "seed": self.seed, "emotions": {},
        }  # fmt: skip
        arrays = {}
        for name, amount in {"strength": self.strength, "mix": self.mix}.items():
            (arrays if np.ndim(amount) else header)[name] = amount
        for name, amount in self.emotions.items():
            if np.ndim(amount):
                arrays[_EMOTION + name] = amount
            else:
                header["emotions"][name] = amount
        return header, arrays

    @classmethod
    def from_request(cls, header: Mapping, arrays: Mapping[str, np.ndarray]) -> Delivery:
        """The inverse of `as_request`; what is missing is as usual, what else there is does not matter.

        Raises:
            ErlnetError: a value is not of its kind or outside its range.
        """
        plain = ("style", "second_style", "strength", "mix", "blinks_per_minute", "seed")
        given = {name: header[name] for name in plain if name in header}
        given |= {name: arrays[name] for name in ("strength", "mix") if name in arrays}
        emotions, parts = header.get("emotions", {}), header.get("parts", sorted(PARTS))
        if not isinstance(emotions, Mapping) or not isinstance(parts, (list, tuple)):
            raise ErlnetError("Emotions or parts of the request are not lists of names")
        curves = {name.removeprefix(_EMOTION): array for name, array in arrays.items() if name.startswith(_EMOTION)}
        return cls(emotions={**emotions, **curves}, parts=frozenset(map(str, parts)), **given)

    def as_notes(self) -> dict:
        """Plain JSON values, for the record of how a track was made; of a curve only its range."""

        def told(amount: Amount) -> float | list[float]:
            return [round(float(end), 4) for end in (np.min(amount), np.max(amount))] if np.ndim(amount) else amount  # type: ignore[return-value]

        return {
            "style": self.style, "strength": told(self.strength), "second_style": self.second_style,
            "mix": told(self.mix), "emotions": {name: told(amount) for name, amount in self.emotions.items()},
            "parts": sorted(self.parts), "blinks_per_minute": self.blinks_per_minute, "seed": self.seed,
        }  # fmt: skip


def _amount(what: str, value: object, highest: float) -> Amount:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or not 0 < array.size <= MOST_FRAMES:
        raise ErlnetError(f"{what} is neither a number nor a row of them")
    array = array.astype(np.float32 if array.ndim else np.float64)
    if not (np.isfinite(array).all() and (array >= 0).all() and (array <= highest * (1 + 1e-6)).all()):
        shown = f" {value}" if array.ndim == 0 else ""
        raise ErlnetError(f"{what}{shown} is not between 0 and {highest:g}")
    return array if array.ndim else float(array)
