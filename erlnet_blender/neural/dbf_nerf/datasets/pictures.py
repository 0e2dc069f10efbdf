"""Foreign pictures become RGBA with straight alpha: what is cut out how, and what the colours were laid over."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from ....errors import ErlnetError
from ....formats.picture import FORMATS, MAX_PIXELS

PNG, MASK, PARSING, BACKGROUND = "the pictures' own alpha", "mask pictures", "parsing pictures", "the empty background"
_BACKGROUND_STEP = 24
"""How far a pixel's colour must be from the empty background's to be the person, of 255; JPEG strays by less."""
_LAID_OVER_STEP = 3.0
_BORDER = 4


@dataclass(frozen=True)
class Cutout:
    """Where a picture's alpha is: PNG, or MASK, PARSING or BACKGROUND with the file of it."""

    kind: str
    path: Path | None = None


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height; nothing is decoded.

    Raises:
        ErlnetError: missing, no picture, or beyond all bounds.
    """
    from PIL import Image

    if not path.is_file():
        raise ErlnetError("No such picture", path, "copy the dataset again, with all its folders")
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as opened:
            warnings.simplefilter("ignore")
            width, height = opened.size
    except (OSError, ValueError, SyntaxError) as error:
        raise _unreadable(path, error) from error
    except Image.DecompressionBombError:
        width = height = MAX_PIXELS
    if width * height > MAX_PIXELS:
        what = f"The picture has more than {MAX_PIXELS // 10**6} million pixels"
        raise ErlnetError(what, path, "make the dataset again, smaller")
    return width, height


def read_pixels(path: Path, mode: str, size: tuple[int, int]) -> np.ndarray:
    """(H, W) or (H, W, C) uint8 in Pillow's `mode`.

    Raises:
        ErlnetError: missing, damaged, or not of `size` (width, height).
    """
    from PIL import Image

    found = picture_size(path)
    if found != size:
        what = f"The picture is {found[0]} x {found[1]}, its camera {size[0]} x {size[1]}"
        raise ErlnetError(what, path, "make the dataset again at one size")
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as opened:
            warnings.simplefilter("ignore")
            return np.asarray(opened.convert(mode))
    except (OSError, ValueError, SyntaxError) as error:
        raise _unreadable(path, error) from error


def straight_rgba(picture: Path, cutout: Cutout, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 4) uint8 with straight alpha.

    Where a mask is soft and all that it leaves out has one colour, the picture was laid over that colour (VHAP exports
    over white): then the colour is taken out of the edges again. A parsing picture keeps head, neck and torso.
    """
    if cutout.kind == PNG:
        return read_pixels(picture, "RGBA", size)
    colour = read_pixels(picture, "RGB", size)
    assert cutout.path is not None
    if cutout.kind == PARSING:
        # Head blue, neck green, torso red, all else white.
        alpha = np.where(read_pixels(cutout.path, "RGB", size).min(-1) < 128, 255, 0).astype(np.uint8)
    elif cutout.kind == BACKGROUND:
        alpha = _differing(colour, read_pixels(cutout.path, "RGB", size))
    else:
        alpha = read_pixels(cutout.path, "L", size)
        colour = _lifted(colour, alpha)
    return np.dstack([colour, alpha])


def _differing(colour: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """(H, W) 255 where the largest thing that differs from the background is, without holes."""
    differs = np.abs(colour.astype(int) - empty).max(-1) > _BACKGROUND_STEP
    # Beyond the picture's border it goes on as it ends there.
    differs = np.pad(ndimage.median_filter(differs, 3), _BORDER, "edge")
    differs = ndimage.binary_closing(differs, iterations=2)[_BORDER:-_BORDER, _BORDER:-_BORDER]
    labels = np.zeros(differs.shape, np.int32)
    if ndimage.label(differs, output=labels):
        differs = ndimage.binary_fill_holes(labels == 1 + np.bincount(labels.ravel())[1:].argmax())
    return np.where(differs, 255, 0).astype(np.uint8)


def _lifted(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The picture's colours without the one that it was laid over, if it was."""
    outside = colour[alpha == 0]
    if not len(outside) or outside.std(0).max() > _LAID_OVER_STEP:
        return colour
    share = alpha[..., None] / 255
    lifted = (colour - (1 - share) * np.median(outside, 0)) / np.maximum(share, 1 / 255)
    return np.where(alpha[..., None] == 0, colour, np.clip(np.round(lifted), 0, 255)).astype(np.uint8)


def _unreadable(path: Path, error: Exception) -> ErlnetError:
    return ErlnetError(f"Not a readable picture ({' '.join(str(error).split())[:80]})", path, "copy the dataset again")
