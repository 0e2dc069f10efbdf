"""Cranium, neck and shoulders as rings from the outline of the face down to the chest.

A sphere without the face and the neck is an annulus: 36 spokes by SKULL_RINGS rings, circles on the unit sphere whose
axis turns from the front to the top while they grow; their radius comes from a distance function.
"""

from __future__ import annotations

import numpy as np

from .surface import smoothstep

SPOKES = 36
SKULL_RINGS = 17
CENTRE = np.array([0.0, 2.0, -4.2])
_NECK_RADIUS = np.radians(154)
_AXIS = np.radians(-4), np.radians(80)
# Torso rings: height at the front, the sides and the back, half width, depth at the front and the back.
_TORSO = (
    (-13.6, -12.8, -12.6, 6.3, -2.4, -12.9), (-16.0, -14.2, -14.0, 7.6, -2.1, -14.6),
    (-17.6, -15.8, -15.8, 9.6, -1.0, -16.0), (-19.3, -17.3, -17.8, 13.3, 0.4, -17.0),
    (-21.3, -19.0, -20.3, 17.2, 1.8, -17.8), (-23.8, -22.0, -23.3, 20.2, 3.0, -18.4),
    (-27.3, -26.8, -27.3, 21.6, 4.0, -18.8), (-32.0, -32.0, -32.0, 22.0, 4.6, -19.0),
)  # fmt: skip


def _smooth_union(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    h = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b * (1 - h) + a * h - width * h * (1 - h)


def distance(points: np.ndarray) -> np.ndarray:
    """Roughly the signed distance (cm) to cranium, jaw and neck: superellipsoids and a tapered capsule, blended."""
    cranium = ((np.abs((points - [0, 4.2, -4.5]) / [7.55, 9.5, 9.7]) ** 2.15).sum(-1) ** (1 / 2.15) - 1) * 8.0
    # The jaw is narrower than the outline of the face, or a second chin appears behind it.
    jaw = ((np.abs((points - [0, -1.6, -0.9]) / [5.0, 6.4, 5.0]) ** 2.3).sum(-1) ** (1 / 2.3) - 1) * 5.0
    top, bottom = np.array([0, -2.0, -5.1]), np.array([0, -20.0, -8.0])
    along = bottom - top
    t = np.clip((points - top) @ along / (along @ along), 0, 1)
    neck = np.linalg.norm((points - top - t[..., None] * along) * [0.93, 1, 1.0], axis=-1) - (4.5 + 1.1 * t**1.5)
    return _smooth_union(_smooth_union(cranium, jaw, 2.0), neck, 1.3)


def _radius(directions: np.ndarray) -> np.ndarray:
    """(N,) where rays from CENTRE leave the head for the first time."""
    steps = np.linspace(2, 30, 400)
    values = np.stack([distance(CENTRE + directions * step) for step in steps])
    first = (values > 0).argmax(0)
    rows = np.arange(len(directions))
    before, after = values[first - 1, rows], values[first, rows]
    return steps[first - 1] + (steps[1] - steps[0]) * -before / (after - before)


def skull_rings(outline: np.ndarray) -> list[np.ndarray]:
    """SKULL_RINGS rings (36, 3) from the face's outline (36, 3) to the base of the neck."""
    start = outline - CENTRE
    length = np.linalg.norm(start, axis=1)
    start = start / length[:, None]
    front = np.array([0, np.sin(_AXIS[0]), np.cos(_AXIS[0])])
    angle = np.arccos(start @ front)
    turn = np.arctan2(start[:, 0], start @ np.array([0, np.cos(_AXIS[0]), -np.sin(_AXIS[0])]))
    turn = np.where(turn < -1e-6, turn + 2 * np.pi, turn)
    even_turn = np.arange(SPOKES) * 2 * np.pi / SPOKES
    correction = length / _radius(start)
    # How far the outline's own radius is followed: a short way below the chin and over the
    # forehead, further at the sides.
    reach = np.interp(np.abs(np.arange(SPOKES) - SPOKES // 2), [5, 12, 18], [2.6, 5.0, 3.4])
    rings = []
    for k in range(1, SKULL_RINGS + 1):
        t = k / SKULL_RINGS
        tilt = _AXIS[0] + (_AXIS[1] - _AXIS[0]) * t
        r = angle * (1 - t) + _NECK_RADIUS * t
        # The spokes turn late: under the jaw they run straight back, or the surface shears and folds there.
        phi = turn * (1 - t**3) + even_turn * t**3
        axis = np.array([0, np.sin(tilt), np.cos(tilt)])
        up = np.array([0, np.cos(tilt), -np.sin(tilt)])
        around = np.cos(phi)[:, None] * up + np.sin(phi)[:, None] * np.array([1.0, 0, 0])
        direction = np.cos(r)[:, None] * axis + np.sin(r)[:, None] * around
        radius = _radius(direction)
        away = np.linalg.norm(CENTRE + direction * radius[:, None] - outline, axis=1)
        radius = radius * (1 + (correction - 1) * np.exp(-((away / reach) ** 2)))
        rings.append(CENTRE + direction * radius[:, None])
    return rings


def torso_rings() -> list[np.ndarray]:
    """Rings (36, 3) over the shoulders to the chest; spoke 0 is at the back."""
    phi = np.arange(SPOKES) * 2 * np.pi / SPOKES
    back, side = np.cos(phi), np.sin(phi)
    rings = []
    for y_front, y_side, y_back, half_width, z_front, z_back in _TORSO:
        x = half_width * np.sign(side) * np.abs(side) ** 0.85
        y = y_front * np.clip(-back, 0, 1) ** 2 + y_back * np.clip(back, 0, 1) ** 2 + y_side * side**2
        z = (z_front + z_back) / 2 - np.sign(back) * np.abs(back) ** 0.9 * (z_front - z_back) / 2
        rings.append(np.stack([x, y, z], 1))
    return rings


HAIRLINE_AZIMUTH = (0, 18, 30, 42, 52, 62, 72, 80, 88, 96, 106, 116, 128, 150, 180)
HAIRLINE_HEIGHT = (8.5, 8.4, 8.7, 7.9, 6.2, 4.6, 3.4, 1.2, 1.0, 3.6, 3.4, 1.0, -2.0, -3.9, -4.2)


def height_over_hairline(points: np.ndarray) -> np.ndarray:
    """(V,) cm above the hairline, which is a height for each azimuth."""
    azimuth = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] + 4.5))
    return points[:, 1] - np.interp(azimuth, HAIRLINE_AZIMUTH, HAIRLINE_HEIGHT)


def scalp_mask(points: np.ndarray) -> np.ndarray:
    """(V,) 0..1 where hair grows."""
    near = (points[:, 1] > -8) & (np.linalg.norm(points - [0, 4, -4.5], axis=1) < 13)
    return smoothstep(-0.35, 0.35, height_over_hairline(points)) * near
