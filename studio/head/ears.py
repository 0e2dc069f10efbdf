"""An ear as a polar height field (cm): helix, antihelix, concha, tragus and lobe are ridges and bowls."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from .surface import bump

AROUND = 44
_OUTLINE = (
    (0, 30, 60, 90, 120, 150, 180, 205, 230, 270, 310, 340),
    (3.05, 3.2, 2.95, 2.5, 2.2, 2.35, 2.95, 2.75, 1.75, 1.15, 1.55, 2.5),
)
# The back of the ear: how far it draws together, and how deep it lies.
_BACK = ((1.0, -0.38), (0.95, -0.52), (0.8, -0.62), (0.6, -0.95), (0.5, -1.6))


def _window(degrees: np.ndarray, start: float, end: float, softness: float) -> np.ndarray:
    """About 1 from `start` to `end` (degrees, may pass 360), 0 elsewhere."""
    middle = (start + end) / 2 if end > start else (start + end + 360) / 2
    half = ((end - start) % 360) / 2
    away = np.abs((degrees - middle + 180) % 360 - 180)
    return 1 / (1 + np.exp((away - half) / softness))


def _relief(u: float, degrees: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Height of the ear's face at radius `u` (0..1 of the outline)."""
    helix, antihelix = _window(degrees, 295, 140, 9), _window(degrees, 15, 190, 10)
    height = (0.46 * bump(u - 0.91, 0.075) - 0.10 * bump(u - 0.77, 0.06)) * helix
    height += 0.34 * bump(u - 0.60, 0.10) * antihelix
    height -= 0.14 * bump(np.hypot(back - 0.55, up - 1.75), 0.38)  # triangular fossa
    height -= 0.75 * np.exp(-(np.hypot((back - 0.12) / 0.78, (up + 0.05) / 0.85) ** 3.2))  # concha
    height -= 0.30 * np.exp(-(np.hypot((back - 0.35) / 0.8, (up - 0.75) / 0.45) ** 2.5))
    crus = 0.26 * bump(up - 0.42 - 0.25 * (back + 0.6), 0.16)
    height += crus / (1 + np.exp((back - 0.25) / 0.12)) * (back > -1.2)
    height += 0.55 * bump(np.hypot((back + 0.78) / 0.36, (up + 0.28) / 0.5), 1.0)  # tragus
    height += 0.30 * bump(np.hypot((back - 0.35) / 0.42, (up + 1.05) / 0.3), 1.0)  # antitragus
    height += 0.16 * bump(np.hypot((back + 0.05) / 0.7, (up + 2.0) / 0.6), 1.0)  # lobe
    return height - 0.28 * np.clip((u - 0.93) / 0.07, 0, 1) ** 2


def ear() -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) as back, up, outwards, and triangles; closed on the face side, open where it enters the head."""
    degrees = np.arange(AROUND) * 360 / AROUND
    angle = np.radians(degrees)
    keys, values = (np.array(a, float) for a in _OUTLINE)
    outline = CubicSpline(np.r_[keys, 360], np.r_[values, values[0]], bc_type="periodic")(degrees)
    rings = []
    for u in np.concatenate([np.linspace(0.06, 0.66, 8), np.linspace(0.73, 1.0, 8)]):
        back, up = np.sin(angle) * outline * u, np.cos(angle) * outline * u
        rings.append(np.stack([back, up, _relief(u, degrees, back, up)], 1))
    for scale, depth in _BACK:
        rings.append(
            np.stack([np.sin(angle) * outline * scale, np.cos(angle) * outline * scale, np.full(AROUND, depth)], 1)
        )
    faces = []
    for i in range(len(rings) - 1):
        for j in range(AROUND):
            a, b = i * AROUND + j, i * AROUND + (j + 1) % AROUND
            c, d = b + AROUND, a + AROUND
            faces += [(a, b, c), (a, c, d)]
    centre = len(rings) * AROUND
    faces += [(centre, (j + 1) % AROUND, j) for j in range(AROUND)]
    points = np.concatenate([*rings, [[0, 0, rings[0][:, 2].mean()]]])
    points[:, 2] += 0.03 * points[:, 0] ** 2
    return points, np.array(faces)


def placed_ears(origin: np.ndarray, flare_deg: float = 14, tilt_deg: float = -13, scale: float = 0.93):
    """The left ear at `origin` (3,) and its mirror image: points (2N, 3) and triangles (2M, 3)."""
    points, faces = ear()
    f, t = np.radians(flare_deg), np.radians(tilt_deg)
    back, outwards, up = (
        np.array([np.sin(f), 0, -np.cos(f)]),
        np.array([np.cos(f), 0, np.sin(f)]),
        np.array([0, 1.0, 0]),
    )
    leaning_back, leaning_up = np.cos(t) * back + np.sin(t) * up, -np.sin(t) * back + np.cos(t) * up
    left = origin + scale * points @ np.stack([leaning_back, leaning_up, outwards])
    right = left * [-1, 1, 1]
    return np.concatenate([left, right]), np.concatenate([faces, faces[:, ::-1] + len(left)])
