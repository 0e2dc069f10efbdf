"""Pictures from a movie, side by side: ``python -m studio.filmstrip build/demo/demo.mp4 -o docs/demo.png``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from .judge_movie import read_movie


def filmstrip(movie: Path, columns: int, rows: int) -> np.ndarray:
    """(rows x H, columns x W, 3) uint8: frames spread evenly over the movie, in reading order."""
    frames, _ = read_movie(movie)
    chosen = frames[np.linspace(0, len(frames) - 1, columns * rows + 2).round().astype(int)[1:-1]]
    return np.concatenate([np.concatenate(list(row), 1) for row in np.split(chosen, rows)])


def main() -> None:
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("movie", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=2)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(filmstrip(arguments.movie, arguments.columns, arguments.rows)).save(arguments.output, optimize=True)


if __name__ == "__main__":
    main()
