"""How something is to be spoken, on the command line: ``erlnet bake`` and ``erlnet demo``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import arguments
from .errors import ErlnetError
from .style_presets import EMOTIONS, INTENSITIES, PARTS, STYLE_PRESETS

if TYPE_CHECKING:
    from .delivery import Delivery


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of a delivery."""
    add = command.add_argument
    add("--style", default="neutral", metavar="S", help="a preset's name or a track (.npz)")
    add("--strength", type=arguments.strength, default=1.0, metavar="X", help="of the styles, 0 to 3, default 1")
    add("--second-style", default="", metavar="S", help="a style to mix in, see --mix")
    add("--mix", type=arguments.share, metavar="X", help="0 is the style, 1 the second style, default 0.5")
    add("--emotion", type=_emotion, action="append", default=[], metavar="NAME=X",
        help=f"{', '.join(_names(EMOTIONS))}; X is 0 to 1.5, or {', '.join(INTENSITIES)}; may be repeated")  # fmt: skip
    add("--parts", type=_parts, default=_names(PARTS), metavar="A,B",
        help=f"what moves, of {','.join(_names(PARTS))}; default: all")  # fmt: skip
    add("--blinks", type=arguments.blinks, default=0.0, metavar="N", help="a minute, default: as the style has it")
    add("--weights", type=Path, metavar="W", help="speech model (.safetensors), default: the shipped one")
    add("--seed", type=arguments.seed, default=0, metavar="N", help="another take of head, blinks and gaze")


def delivery_of(options: argparse.Namespace) -> Delivery:
    """What the options ask for.

    Raises:
        ErlnetError: no such style, a track that cannot be read, or a mix of one style.
    """
    from .delivery import Delivery

    for style in filter(None, (options.style, options.second_style)):
        _check_style(style)
    if options.mix is not None and not options.second_style:
        raise ErlnetError("There is no second style to mix in", "--mix", "name one with --second-style")
    mix = 0.5 if options.mix is None else options.mix
    return Delivery(
        style=options.style,
        strength=options.strength,
        second_style=options.second_style,
        mix=mix if options.second_style else 0.0,
        emotions=dict(options.emotion),
        parts=frozenset(options.parts),
        blinks_per_minute=options.blinks,
        seed=options.seed,
    )


def _names(table: tuple) -> list[str]:
    return [name for name, *_ in table]


def _check_style(style: str) -> None:
    from .face_track import FaceTrack

    if style.endswith(".npz"):
        FaceTrack.load(Path(style))
    elif style not in (presets := _names(STYLE_PRESETS)):
        raise ErlnetError("Unknown style", style, f"choose one of {', '.join(presets)}, or a track (.npz)")


def _emotion(text: str) -> tuple[str, float]:
    """("happy", 0.7) of ``happy=0.7`` or ``happy=medium``; a name alone is at 1."""
    name, _, intensity = text.partition("=")
    if name not in _names(EMOTIONS):
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(_names(EMOTIONS))}, with =INTENSITY")
    try:
        value = INTENSITIES[intensity] if intensity in INTENSITIES else float(intensity or 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1.5:
        raise argparse.ArgumentTypeError(f"{text!r} has no intensity from 0 to 1.5, nor {', '.join(INTENSITIES)}")
    return name, value


def _parts(text: str) -> list[str]:
    """The names of ``mouth,head``."""
    parts = text.split(",")
    if not set(parts) <= set(_names(PARTS)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(_names(PARTS))}")
    return parts
