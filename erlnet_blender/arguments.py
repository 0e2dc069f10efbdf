"""The kinds of values that the command line takes; each refuses the others in a sentence."""

from __future__ import annotations

import argparse
import re

MAX_SIDE = 8192


def size(text: str) -> tuple[int, int]:
    """(width, height) of e.g. ``256x256``; each side 1 to `MAX_SIDE`."""
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text)
    if not match or not all(1 <= int(side) <= MAX_SIDE for side in match.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 256x256, each side 1 to {MAX_SIDE}")
    return int(match[1]), int(match[2])


def frames(text: str) -> tuple[int, int]:
    """(first, last) of e.g. ``1-50``, or of one frame."""
    match = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of frames such as 1-50")
    return int(match[1]), int(match[2] or match[1])


def positive(text: str) -> float:
    """A number above 0 and up to 1000."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 1000")
    return value


def strength(text: str) -> float:
    """A strength of the style, 0 to 3."""
    return _between(text, 3)


def share(text: str) -> float:
    """A number from 0 to 1."""
    return _between(text, 1)


def blinks(text: str) -> float:
    """Blinks a minute, 0 to 60."""
    return _between(text, 60)


def _between(text: str, highest: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {highest}")
    return value


def seed(text: str) -> int:
    """A whole number from 0 to 2^31 - 1."""
    if not re.fullmatch(r"\d{1,10}", text) or int(text) >= 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {(1 << 31) - 1}")
    return int(text)


def count(text: str) -> int:
    """A whole number above 0."""
    if not re.fullmatch(r"[1-9]\d{0,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a count above 0")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
