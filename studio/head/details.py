"""What is too fine for the cage: lid crease, fold under the eye, philtrum, furrows, muscles of the neck, cloth (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .face import sides
from .rings import EYE_LOWER, EYE_UPPER
from .skull import SKULL_RINGS
from .subdivision import Subdivision
from .surface import averaging, bump, smoothstep, vertex_normals

COLLAR_RING = SKULL_RINGS + 2


def ring_coordinate(cage: Cage, subdivision: Subdivision) -> np.ndarray:
    """(V',) which ring of skull and torso a fine vertex lies on; below 0 in the face."""
    coordinate = np.full(len(cage.points), -1.0)
    for k, ring in enumerate(cage.rings):
        coordinate[ring] = k
    return subdivision.matrix @ coordinate


def with_details(points: np.ndarray, cage: Cage, subdivision: Subdivision) -> np.ndarray:
    """(V', 3) the smooth surface with its creases and muscles, and its torso dressed."""
    ring = ring_coordinate(cage, subdivision)
    normals = vertex_normals(points, subdivision.faces)
    height = _lid_folds(points, cage, subdivision) + _philtrum(points, cage) + _folds(points, cage)
    points = points + (height * (ring < 0))[:, None] * normals
    points = _faired(points, subdivision.faces, _corner_mask(points, cage), 30)
    normals = vertex_normals(points, subdivision.faces)
    points = points + (_neck(points) * (ring > 2))[:, None] * normals
    normals = vertex_normals(points, subdivision.faces)
    thickness = 0.06 + 0.22 * smoothstep(0, 0.6, ring - COLLAR_RING)
    return points + np.where(ring > COLLAR_RING - 0.02, thickness, 0)[:, None] * normals


def _lid_folds(points: np.ndarray, cage: Cage, subdivision: Subdivision) -> np.ndarray:
    rim = cage.indicator([v for rims in cage.eye_rims for ring in rims[1:] for v in ring])
    skin = np.clip(1 - 2 * (subdivision.matrix @ rim), 0, 1) * (points[:, 2] > 2.3)
    height = np.zeros(len(points))
    for upper, lower in zip(sides(EYE_UPPER, cage.mirror), sides(EYE_LOWER, cage.mirror), strict=True):
        margin = cage.points[list(upper)]
        middle = 0.5 * (margin[0, 0] + margin[-1, 0])
        u = (points[:, 0] - middle) / (abs(margin[0, 0] - margin[-1, 0]) / 2)
        above = points[:, 1] - _margin_height(points, margin)
        weight = bump(u, 1.05) ** 2 * np.where(np.abs(u) < 1, 1.0, bump(np.abs(u) - 1, 0.25)) * (above > 0.05) * skin
        height += weight * (np.abs(u) < 1.5) * (-0.11 * bump(above - 0.36, 0.10) + 0.07 * bump(above - 0.60, 0.18))
        below = _margin_height(points, cage.points[list(lower)]) - points[:, 1]
        weight = bump(u, 1.0) * (below > 0.05) * skin
        height += weight * (0.03 * bump(below - 0.22, 0.12) - 0.045 * bump(below - 0.62, 0.16))
    return height


def _margin_height(points: np.ndarray, margin: np.ndarray) -> np.ndarray:
    order = margin[:, 0].argsort()
    return np.interp(points[:, 0], margin[order, 0], margin[order, 1])


def _philtrum(points: np.ndarray, cage: Cage) -> np.ndarray:
    bottom, top = cage.points[0, 1] + 0.05, cage.points[2, 1] - 0.15
    along = np.clip((points[:, 1] - bottom) / (top - bottom), -0.3, 1.3)
    weight = bump(along - 0.45, 0.55) * (points[:, 2] > 3.5) * (np.abs(points[:, 0]) < 1.5)
    return weight * (-0.06 * bump(points[:, 0], 0.22) + 0.02 * bump(np.abs(points[:, 0]) - 0.45, 0.18))


def _along(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (V',) from a polyline (K, 3) on the left half, place 0..1 along it, and side (> 0 is lateral)."""
    left = points * [1, 1, 1]
    left[:, 0] = np.abs(left[:, 0])
    best, place, side = np.full(len(points), np.inf), np.zeros(len(points)), np.zeros(len(points))
    for k, (a, b) in enumerate(zip(line, line[1:], strict=False)):
        t = np.clip((left - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        away = left - a - t[:, None] * (b - a)
        distance = np.linalg.norm(away, axis=1)
        nearer = distance < best
        best[nearer] = distance[nearer]
        place[nearer] = (k + t[nearer]) / (len(line) - 1)
        side[nearer] = (away[:, 0] * np.sign((a - b)[1]) + 0.2 * away[:, 1])[nearer]
    return best, place, np.sign(side)


def _folds(points: np.ndarray, cage: Cage) -> np.ndarray:
    """The furrow from the wing of the nose past the mouth, the crease of the wing, bags under the eyes."""
    at = np.abs(cage.points) * [1, 0, 0] + cage.points * [0, 1, 1]
    nasolabial = at[[129, 203, 206, 216, 212]] + [(0.15, 0.1, -0.15), *2 * [(0, 0, 0)], *2 * [(-0.1, 0, 0)]]
    distance, place, lateral = _along(points, nasolabial)
    fade = smoothstep(-0.02, 0.15, place) * smoothstep(0.98, 0.45, place) * (points[:, 2] > 2)
    height = fade * (-0.055 * bump(distance, 0.20) + 0.05 * bump(distance - 0.45, 0.32) * (lateral > 0))
    wing = np.array([at[49] + [-0.15, 0.25, -0.05], at[129] + [-0.02, 0.05, 0.1], at[64] + [0.12, -0.1, -0.25]])
    distance, place, _ = _along(points, wing)
    height -= 0.07 * bump(distance, 0.16) * smoothstep(-0.1, 0.3, place) * (points[:, 2] > 3)
    return height


def _neck(points: np.ndarray) -> np.ndarray:
    """Sternomastoid, larynx, the pit between the collar bones and the trapezius, as heights over the neck."""
    muscle = np.array([[5.6, -3.2, -6.6], [4.6, -8.0, -4.9], [2.6, -12.5, -2.4], [0.9, -15.3, -1.6]])
    distance, place, _ = _along(points, muscle)
    lower = smoothstep(0.0, 0.25, place) * smoothstep(-4.0, -7.0, points[:, 1])
    height = 0.20 * bump(distance, 0.95) * lower
    left = np.abs(points[:, 0])
    height -= (
        0.12 * np.exp(-(((points - [0, -12.5, -2.0]) * [0, 1 / 3.0, 1 / 3.0]) ** 2).sum(1)) * bump(left - 1.2, 0.7)
    )
    larynx = np.exp(-((left / 0.75) ** 2 + ((points[:, 1] + 10.6) / 1.0) ** 2)) * (points[:, 2] > -4)
    return height + 0.26 * larynx


def _corner_mask(points: np.ndarray, cage: Cage) -> np.ndarray:
    """(V',) 0..1 the skin beside the corners of the mouth, where many rings end in one landmark."""
    mask = np.zeros(len(points))
    for corner in cage.points[[61, 291]]:
        beside = corner + [0.30 * np.sign(corner[0]), 0, -0.1]
        mask += bump(np.linalg.norm(points - beside, axis=1), 0.55) * smoothstep(
            -0.15, 0.05, np.abs(points[:, 0]) - abs(corner[0])
        )
    return mask


def _faired(points: np.ndarray, faces: np.ndarray, mask: np.ndarray, rounds: int) -> np.ndarray:
    """Smooth along the normals only: tangential smoothing would follow the jump in the mesh's density."""
    mean = averaging(faces, len(points))
    normals = vertex_normals(points, faces)
    faired = points.copy()
    for _ in range(rounds):
        faired += (0.5 * mask * ((mean @ faired - faired) * normals).sum(1))[:, None] * normals
    return faired


def collar(points: np.ndarray, cage: Cage, subdivision: Subdivision, columns: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A rolled hem over the edge of the cloth: points (N, 3) and triangles."""
    ring = cage.rings[COLLAR_RING]
    line = points[subdivision.along([*ring, ring[0]])[:-1]]
    for _ in range(6):
        line = 0.5 * line + 0.25 * (np.roll(line, 1, 0) + np.roll(line, -1, 0))
    outwards = (line - line.mean(0)) * [1, 0, 1]
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    a = 2 * np.pi * np.arange(columns) / columns
    tube = line[:, None] + outwards[:, None] * (0.16 + 0.24 * np.cos(a) - 0.11 * np.sin(a))[None, :, None]
    tube[..., 1] += 0.50 * np.sin(a) - 0.12
    faces, rows = [], len(line)
    for i in range(rows):
        for j in range(columns):
            p, q = i * columns + j, i * columns + (j + 1) % columns
            r, s = (i + 1) % rows * columns + (j + 1) % columns, (i + 1) % rows * columns + j
            faces += [(p, q, r), (p, r, s)]
    return tube.reshape(-1, 3), np.array(faces)
