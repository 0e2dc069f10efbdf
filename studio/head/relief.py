"""Creases and bulges that come with an expression, too fine for the cage: heights along the normals (cm).

Skin that is pushed together folds: a furrow where it is held, a bulge beside it where it goes. Furrows are lines
between landmarks of the right half; both halves get them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cage import Cage
from .surface import bump, smoothstep

Spot = int | tuple[int, ...]  # a landmark, or the middle of several


@dataclass(frozen=True)
class Furrow:
    """A groove along `path` and a bulge of height `bulge` at `away` cm on one side of it or, with side 0, on both.

    side: +1 is the left of the path's direction seen from the front, -1 its right.
    """

    path: tuple[Spot, ...]
    depth: float
    width: float
    bulge: float = 0.0
    away: float = 0.4
    spread: float = 0.3
    side: int = 0


_NASOLABIAL = (129, 203, 206, 216, (212, 216), 212)
_FOREHEAD = (((9, 151, 151), (108, 108, 107), (69, 69, 66), (104, 104, 105), (68, 68, 63)),
             ((151, 151, 10), (108, 109), (69, 67), (104, 103)))  # fmt: skip
_CROWS_FEET = (((226, 35), (35, 143), 143), ((130, 226), (226, 124), 156), ((130, 226), (35, 111), 116))
_MARIONETTE = ((43, 57), (43, 57, 202), 202, (202, 210))


def _lines(paths: tuple, depth: float, width: float, bulge: float, away: float = 0.35) -> tuple[Furrow, ...]:
    return tuple(Furrow(path, depth, width, bulge, away, 0.3) for path in paths)


FURROWS: dict[str, tuple[Furrow, ...]] = {
    "smile": (Furrow(_NASOLABIAL, 0.12, 0.22, 0.14, 0.55, 0.42, -1),),
    "sharp_lip_pull": (Furrow(_NASOLABIAL[:5], 0.10, 0.20, 0.12, 0.45, 0.35, -1),),
    "upper_lip_raise": (Furrow(_NASOLABIAL[:5], 0.06, 0.22, 0.08, 0.5, 0.4, -1),),
    "nose_wrinkle": (
        Furrow(_NASOLABIAL[:4], 0.08, 0.20, 0.10, 0.45, 0.35, -1),
        *_lines((((6, 168), (122, 193), (245, 122)), ((6, 197), (122, 196), (188, 174))), 0.05, 0.16, 0.04, 0.3),
        Furrow(((55, 9), (55, 8), (193, 55)), 0.05, 0.2, 0.03),
    ),
    "cheek_raise": (
        *_lines(_CROWS_FEET, 0.05, 0.16, 0.03, 0.25),
        Furrow((22, 23, 24, 110), 0.06, 0.16, 0.08, 0.4, 0.25, -1),
    ),
    "squint": _lines(_CROWS_FEET[:2], 0.04, 0.16, 0.02, 0.25),
    "frown": (Furrow(_MARIONETTE, 0.05, 0.22, 0.03, 0.45, 0.35, -1),),
    "stretch": (Furrow(((216, 212), 212, (212, 202)), 0.07, 0.22, 0.08, 0.45, 0.35, -1),),
    "dimple": (Furrow(((186, 216, 57), (57, 57, 212), (43, 57, 202)), 0.06, 0.22, 0.05, 0.5, 0.4, -1),),
    "chin_raise": (Furrow(((106, 182, 194), (182, 18), (83, 18), 18), 0.07, 0.2, 0.05, 0.45, 0.3),),
    "brow_inner_up": _lines(tuple(path[:3] for path in _FOREHEAD), 0.06, 0.26, 0.06, 0.45),
    "brow_outer_up": _lines(tuple(path[2:] for path in _FOREHEAD), 0.06, 0.26, 0.06, 0.45),
    "brow_down": (
        Furrow(((9, 107), (8, 9, 55), (8, 55, 193)), 0.07, 0.22, 0.08, 0.38, 0.3, -1),
        Furrow(((168, 6), (122, 193)), 0.05, 0.18, 0.05, 0.35, 0.25),
    ),
    "brow_together": (Furrow(((9, 107, 151), (9, 107), (8, 9, 55), (8, 55)), 0.13, 0.22, 0.10, 0.40, 0.30, -1),),
}


def relief(name: str, points: np.ndarray, cage: Cage) -> np.ndarray:
    """(V',) heights of an expression's creases over the neutral fine skin."""
    # Everything is laid out on the right half; the other one mirrors it.
    flat = np.stack([-np.abs(points[:, 0]), points[:, 1]], 1)
    height = np.zeros(len(points))
    for furrow in FURROWS.get(name, ()):
        line = np.array([cage.points[list(s) if isinstance(s, tuple) else [s]].mean(0)[:2] for s in furrow.path])
        away, side, end = _from_line(flat, line)
        beside = np.abs(away - furrow.away) / furrow.spread
        bulge = furrow.bulge * np.exp(-(beside**2)) * ((side * furrow.side >= 0) if furrow.side else 1)
        height += (bulge - furrow.depth * bump(away, furrow.width)) * end
    height *= smoothstep(0.5, 2.0, points[:, 2])
    return height + _throat(name, points)


def _from_line(flat: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (N,) of points from a polyline, the side (+1 left of it), and 1 fading to 0 at its two ends."""
    best = np.full(len(flat), np.inf)
    side, along = np.zeros(len(flat)), np.zeros(len(flat))
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    start = np.r_[0, np.cumsum(lengths)]
    for k, (a, b) in enumerate(zip(line, line[1:], strict=False)):
        t = np.clip((flat - a) @ (b - a) / lengths[k] ** 2, 0, 1)
        from_line = flat - a - t[:, None] * (b - a)
        distance = np.linalg.norm(from_line, axis=1)
        nearer = distance < best
        best[nearer] = distance[nearer]
        cross = (b - a)[0] * (flat - a)[:, 1] - (b - a)[1] * (flat - a)[:, 0]
        side[nearer] = np.sign(cross)[nearer]
        along[nearer] = (start[k] + t * lengths[k])[nearer]
    total = start[-1]
    # A line that ends on the midline goes on in the other half.
    fade = np.ones(len(flat))
    if abs(line[0, 0]) > 0.1:
        fade *= smoothstep(0, 0.25 * total, along)
    if abs(line[-1, 0]) > 0.1:
        fade *= smoothstep(total, 0.75 * total, along)
    return best, side, fade


def _throat(name: str, points: np.ndarray) -> np.ndarray:
    """Platysma's bands, or the larynx on its way up."""
    x, y, z = points.T
    front = smoothstep(-9.0, -5.0, z)
    if name == "neck_tighten":
        along = smoothstep(-8.3, -9.6, y) * smoothstep(-14.5, -12.5, y)
        bands = bump(np.abs(x) - 1.3 - 0.10 * (y + 9), 0.45) + 0.8 * bump(np.abs(x) - 3.4 - 0.12 * (y + 9), 0.55)
        return 0.28 * (bands - 0.5 * bump(x, 0.5)) * along * front
    if name == "swallow":
        return (0.28 * bump(y + 10.0, 0.9) - 0.16 * bump(y + 12.2, 0.9)) * bump(x, 1.1) * front
    return np.zeros(len(points))
