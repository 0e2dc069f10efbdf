"""What is too fine for the cage: lid crease, fold under the eye, philtrum, a smooth jaw line, cloth (cm)."""

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
    """(V', 3) the smooth surface with its creases, its jaw line faired and its torso dressed."""
    ring = ring_coordinate(cage, subdivision)
    normals = vertex_normals(points, subdivision.faces)
    height = _lid_folds(points, cage, subdivision) + _philtrum(points, cage)
    points = points + (height * (ring < 0))[:, None] * normals
    points = _faired(points, subdivision.faces, _jaw_line_mask(points, subdivision.faces, ring), 24)
    points = _faired(points, subdivision.faces, _corner_mask(points, cage), 30)
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


def _jaw_line_mask(points: np.ndarray, faces: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """(V',) 0..1 the seam of face and skull below the temples."""
    mean = averaging(faces, len(points))
    mask = ((ring > -0.95) & (ring < 4.5) & (points[:, 1] < 6.5)).astype(float)
    for _ in range(6):
        mask = 0.5 * mask + 0.5 * (mean @ mask)
    return mask * smoothstep(7.0, 6.0, points[:, 1])


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
