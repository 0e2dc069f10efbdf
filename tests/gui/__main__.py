"""Pictures for the manual: ``BLENDER=/path/to/blender python -m tests.gui -o docs/images``."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from .blender import Blender

# High enough for the whole sidebar.
SIZE = (1400, 1400)
# Of a region, pixels: what may be its border.
EDGE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    program = os.environ.get("BLENDER")
    parser.add_argument("--blender", default=program, required=not program, help="the program; else BLENDER names it")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"), help="folder")
    parser.add_argument("parts", nargs="*", help="only these: states, layers, sections, library")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="erlnet-gui-") as folder:
        blender = Blender(chosen.blender, Path(folder))
        blender.install()
        found = blender.play("pictures", Path(folder) / "shots", *chosen.parts, size=SIZE)
        chosen.output.mkdir(parents=True, exist_ok=True)
        for name, box in found["pictures"].items():
            keep(Path(folder) / "shots" / f"{name}.png", tuple(box), chosen.output / f"{name}.png")


def keep(shot: Path, box: tuple[int, int, int, int], target: Path) -> None:
    """The part of a screenshot inside `box` (left, top, right, bottom), down to where nothing more is on it."""
    with Image.open(shot) as image:
        part = image.convert("RGB").crop(box)
    rows = np.asarray(part).astype(int)
    empty = rows[-EDGE : -EDGE + 1]
    used = np.flatnonzero(np.abs(rows[:-EDGE] - empty).max((1, 2)) > 8)
    if len(used) < len(rows) - 2 * EDGE:
        part = part.crop((0, 0, part.width, used[-1] + EDGE))
    # A panel has few colours, and the faces on it need no more.
    part.quantize(160, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target}  {part.width}x{part.height}  {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
