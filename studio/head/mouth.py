"""Teeth, gums, tongue and eyeballs (cm): closed forms swept along arches and axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .face import EYE_RADIUS

CORNEA = 0.03  # height of the corneal bulge; lids that move in a straight line must pass over it
# Per arch: tooth widths from the midline, crown heights, depths, and the arch's half width and depth.
_UPPER = (
    (0.86, 0.68, 0.78, 0.72, 0.70, 1.02, 0.98), (1.0, 0.88, 0.98, 0.82, 0.78, 0.72, 0.68),
    (0.34, 0.34, 0.42, 0.46, 0.5, 0.58, 0.58), (2.86, 4.6),
)  # fmt: skip
_LOWER = (
    (0.54, 0.60, 0.70, 0.72, 0.74, 1.08, 1.02), (0.86, 0.88, 0.98, 0.82, 0.78, 0.70, 0.66),
    (0.34, 0.34, 0.42, 0.46, 0.5, 0.58, 0.58), (2.68, 4.35),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One closed piece of the mesh: points (N, 3) and triangles (M, 3)."""

    points: np.ndarray
    faces: np.ndarray


def _grid_faces(rows: int, columns: int) -> list[tuple[int, int, int]]:
    faces = []
    for i in range(rows - 1):
        for j in range(columns):
            a, b = i * columns + j, i * columns + (j + 1) % columns
            faces += [(a, b + columns, b), (a, a + columns, b + columns)]
    return faces


def _superellipsoid(size: np.ndarray, taper: float, rows: int = 7, columns: int = 10) -> Part:
    """A rounded box of half extents `size`, wider at the bottom for a negative taper."""

    def power(x: np.ndarray, exponent: float) -> np.ndarray:
        return np.sign(x) * np.abs(x) ** exponent

    a = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)[:, None]
    b = (2 * np.pi * np.arange(columns) / columns)[None]
    y = power(np.sin(a), 0.35) * np.ones_like(b)
    spread = (1 + taper * y) * power(np.cos(a), 0.35)
    points = np.stack([spread * power(np.cos(b), 0.55), y, spread * power(np.sin(b), 0.55)], -1).reshape(-1, 3) * size
    # Power functions leave the poles at 1e-6 instead of 0 wide; harmless.
    return Part(points, np.array(_grid_faces(rows + 1, columns)))


def _arch(width: float, depth: float, t: np.ndarray) -> np.ndarray:
    """(N, 3) the dental arch at angle t; 0 is the front."""
    return np.stack([width * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.9, 0 * t, depth * (np.cos(t) - 1)], 1)


def teeth(front: float, bite: float, upper: bool) -> tuple[Part, Part]:
    """One arch of 14 teeth and its gum.

    Args:
        front: z of the labial face of the incisors; bite: y of the incisal edges.
    """
    widths, heights, depths, (half_width, arch_depth) = _UPPER if upper else _LOWER
    direction = 1 if upper else -1
    t = np.linspace(0, np.pi / 2, 2000)
    curve = _arch(half_width, arch_depth, t)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))]
    points, faces, along = [], [], 0.0
    for width, height, depth in zip(widths, heights, depths, strict=True):
        i = int(np.searchsorted(length, along + width / 2))
        along += width
        tangent = curve[min(i + 5, len(t) - 1)] - curve[i - 5]
        tangent /= np.linalg.norm(tangent)
        outwards = np.cross(tangent, [0, 1.0, 0])
        if outwards @ (curve[i] + [0, 0, arch_depth]) < 0:
            outwards = -outwards
        crown = _superellipsoid(np.array([width * 0.5, height * 0.55, depth * 0.5]), -0.10 * direction)
        placed = crown.points @ np.stack([tangent, [0, 1, 0], outwards]) + curve[i] - outwards * depth / 2
        placed += [0, bite + direction * height * 0.5, front]
        handed = np.cross(tangent, [0, 1.0, 0]) @ outwards > 0
        for side in (1, -1):
            start = sum(len(p) for p in points)
            points.append(placed * [side, 1, 1])
            winding = crown.faces if (side > 0) == handed else crown.faces[:, ::-1]
            faces.append(winding + start)
    return Part(np.concatenate(points), np.concatenate(faces)), _gum(
        front, bite + direction * 1.0, half_width, arch_depth
    )


def incisal_edge(x: np.ndarray, front: float, bite: float) -> np.ndarray:
    """(N, 3) the labial side of the upper teeth's edges at the given x; `front` and `bite` as for `teeth`."""
    _, heights, _, (half_width, depth) = _UPPER
    sine = np.clip(np.abs(x) / half_width, 0, 1) ** (1 / 0.9)
    # Crowns reach a little past the bite.
    return np.stack([x, 0 * x + bite - 0.05 * heights[0], front + depth * (np.sqrt(1 - sine**2) - 1)], 1)


def _gum(front: float, height: float, width: float, depth: float, rows: int = 33, columns: int = 10) -> Part:
    centre = _arch(width, depth, np.linspace(-np.pi / 2, np.pi / 2, rows))
    outwards = centre + [0, 0, depth * 0.9]
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    a = 2 * np.pi * np.arange(columns) / columns
    ring = centre[:, None] + outwards[:, None] * (0.28 * np.cos(a) - 0.27)[None, :, None]
    ring[..., 1] += 0.36 * np.sin(a) + height
    ring[..., 2] += front
    return Part(ring.reshape(-1, 3), np.array(_grid_faces(rows, columns)))


def tongue(front: float, height: float, rows: int = 18, columns: int = 16) -> tuple[Part, np.ndarray]:
    """The tongue, and (N,) how far back each point lies: 0 the tip, 1 the root."""
    t = np.linspace(0, 1, rows)
    half_width = 1.75 * np.sqrt(np.clip(1 - (1 - np.minimum(t / 0.35, 1)) ** 2, 0, 1)) * (1 - 0.15 * t) + 0.05
    half_height = 0.28 + 0.55 * np.sin(np.pi * np.minimum(t * 0.8, 1))
    y = height + 0.25 * np.sin(np.pi * t * 0.8) - 1.4 * np.maximum(t - 0.6, 0)
    a = 2 * np.pi * np.arange(columns) / columns
    x = half_width[:, None] * np.cos(a)
    groove = 0.12 * np.exp(-((x / 0.35) ** 2)) * (np.sin(a) > 0) * np.minimum(1, t * 4)[:, None]
    rings = np.stack(
        [
            x,
            y[:, None] + half_height[:, None] * np.sin(a) - groove,
            np.broadcast_to((front - 5.2 * t)[:, None], x.shape),
        ],
        -1,
    )
    points = np.concatenate([rings.reshape(-1, 3), [[0, height, front + 0.05]]])
    tip = len(points) - 1
    faces = _grid_faces(rows, columns) + [(tip, j, (j + 1) % columns) for j in range(columns)]
    return Part(points, np.array(faces)), np.r_[np.repeat(t, columns), 0.0]


def eyeball(centre: np.ndarray, rows: int = 18, columns: int = 32) -> Part:
    """A ball with a cornea, its rings denser towards the pupil."""
    theta = (np.pi * (np.arange(1, rows) / rows) ** 1.35)[:, None]
    phi = (2 * np.pi * np.arange(columns) / columns)[None]
    radius = EYE_RADIUS + CORNEA * np.exp(-((theta / 0.50) ** 4))
    rings = np.stack(
        [radius * np.sin(theta) * np.cos(phi), radius * np.sin(theta) * np.sin(phi), radius * np.cos(theta) + 0 * phi],
        -1,
    )
    poles = np.array([[0, 0, EYE_RADIUS + CORNEA], [0, 0, -EYE_RADIUS]])
    points = np.concatenate([rings.reshape(-1, 3), poles])
    faces = _grid_faces(rows - 1, columns)
    front, back, last = len(points) - 2, len(points) - 1, (rows - 2) * columns
    for j in range(columns):
        k = (j + 1) % columns
        faces += [(front, k, j), (back, last + j, last + k)]
    return Part(points + centre, np.array(faces))
