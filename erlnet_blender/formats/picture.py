"""Reading photographs: upright 8-bit RGB of a bounded size (needs Pillow, which the worker has)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from ..errors import ErlnetError

MAX_PIXELS = 100_000_000
MAX_SIDE = 2048
# Others, PostScript above all, would start programs.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_REMEDY = "choose a JPEG, PNG, WebP, TIFF or BMP picture"


def read_picture(path: str | os.PathLike, max_side: int = MAX_SIDE) -> np.ndarray:
    """(H, W, 3) uint8, turned upright as the camera noted, made smaller where a side is above `max_side`.

    Raises:
        ErlnetError: the file is missing, no picture, damaged or beyond `MAX_PIXELS`.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    if not path.is_file():
        raise ErlnetError("No such picture", path, "check the path")
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as opened:
            warnings.simplefilter("ignore")
            width, height = opened.size
            if width * height > MAX_PIXELS:
                what = f"The picture has {width * height / 1e6:.0f} million pixels, more than {MAX_PIXELS // 10**6}"
                raise ErlnetError(what, path, "make it smaller")
            opened.draft("RGB", (max_side, max_side))  # a JPEG may be decoded at a half or a quarter
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("I", "F") or image.mode.startswith("I;16"):
                deep = np.asarray(image, np.float64)
                image = Image.fromarray((deep / max(deep.max(), 1.0) * 255).astype(np.uint8))
            image = image.convert("RGB")
            image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
            return np.ascontiguousarray(np.asarray(image))
    except ErlnetError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow's own words for an unknown file hold an object's address.
        reason = "" if isinstance(error, Image.UnidentifiedImageError) else f" ({error})"
        raise ErlnetError(f"Not a readable picture{reason}", path, _REMEDY) from error
