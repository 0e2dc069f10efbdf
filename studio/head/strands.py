"""Brows and lashes as thin three-sided needles that ride on the skin (cm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.interpolate import interp1d

from .cage import Cage
from .rings import BROW_LOWER, BROW_UPPER
from .subdivision import Subdivision
from .surface import closest_on_triangles, vertex_normals

BROW_HAIRS = 330
UPPER_LASHES, LOWER_LASHES = 80, 34
PER_NEEDLE = 7  # two rings of three and a tip


@dataclass(frozen=True)
class Strands:
    """Needles: points (H * 7, 3), triangles; root (H, V') weights of skin vertices; pivot (H, 3) the ball's centre
    about which a lash turns with its lid, NaN for brows."""

    points: np.ndarray
    faces: np.ndarray
    root: sp.csr_matrix
    pivot: np.ndarray

    def follow(self, rest: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """(H * 7, 3) offsets of the needles when the skin (V', 3) moves by `offsets`."""
        start = self.root @ rest
        moved = self.root @ offsets
        needles = self.points.reshape(-1, PER_NEEDLE, 3)
        result = np.repeat(moved[:, None], PER_NEEDLE, 1)
        lash = np.isfinite(self.pivot[:, 0]) & (np.abs(moved).max(1) > 1e-4)
        if lash.any():
            before = start[lash] - self.pivot[lash]
            after = before + moved[lash]
            local = needles[lash] - start[lash][:, None]
            result[lash] += np.einsum("hij,hpj->hpi", _rotation_between(before, after), local) - local
        return result.reshape(-1, 3)


def _rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(H, 3, 3) smallest rotations that turn the directions a into b."""
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    v, c = np.cross(a, b), (a * b).sum(1)
    k = np.zeros((len(a), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    k -= k.transpose(0, 2, 1)
    return np.eye(3) + k + k @ k / (1 + c)[:, None, None]


def needles(curves: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Thicken centre lines (H, 3, 3): points (H * 7, 3) and triangles."""
    along = curves[:, 2] - curves[:, 0]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, [0.0, 0.0, 1.0])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6)
    up = np.cross(side, along)
    a = 2 * np.pi * np.arange(3) / 3
    ring = side[:, None] * np.cos(a)[None, :, None] + up[:, None] * np.sin(a)[None, :, None]
    points = np.concatenate(
        [curves[:, None, 0] + radius * ring, curves[:, None, 1] + 0.75 * radius * ring, curves[:, None, 2]], 1
    )
    one = [(j, k, k + 3) for j, k in ((0, 1), (1, 2), (2, 0))] + [
        (j, k + 3, j + 3) for j, k in ((0, 1), (1, 2), (2, 0))
    ]
    one += [(3, 4, 6), (4, 5, 6), (5, 3, 6)]
    faces = np.array(one)[None] + PER_NEEDLE * np.arange(len(curves))[:, None, None]
    return points.reshape(-1, 3), faces.reshape(-1, 3)


def brows(skin: np.ndarray, cage: Cage, subdivision: Subdivision) -> Strands:
    """Brow hairs of both sides; the second side mirrors the first."""
    rng = np.random.default_rng(2)
    upper, lower = cage.points[list(BROW_UPPER)], cage.points[list(BROW_LOWER)]
    ends = np.array([0, 0.25, 0.5, 0.75, 1])
    top, bottom = (interp1d(ends, row, axis=0, kind="quadratic") for row in (upper, lower))
    # t runs from the tail to the nose; the head of the brow is sparse, its edges are hairs and no line.
    t = np.clip(rng.beta(1.35, 1.25, BROW_HAIRS) * 0.98 + 0.02, 0, 1)
    s = rng.normal(0.5, 0.29, BROW_HAIRS).clip(-0.15, 1.15)
    thickness = np.interp(t, [0, 0.25, 0.7, 1], [0.30, 0.72, 1.05, 1.0])
    root = 0.5 * top(t) + 0.5 * bottom(t) + (top(t) - bottom(t)) * ((s - 0.5) * thickness)[:, None]
    # Mean crops arch the brows; relaxed ones lie lower and flatter.
    root[:, 1] -= 0.22 + 0.24 * np.sin(np.pi * t)
    outer_face = _face_triangles(cage, subdivision)
    triangle, weights = closest_on_triangles(root, skin, outer_face)
    corners = outer_face[triangle]
    root = (skin[corners] * weights[..., None]).sum(1)
    normal = (vertex_normals(skin, subdivision.faces)[corners] * weights[..., None]).sum(1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    outwards = top(np.clip(t - 0.05, 0, 1)) - top(np.clip(t + 0.02, 0, 1))
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    angle = np.interp(t, [0, 0.5, 0.85, 1], [-0.35, 0.10, 0.6, 1.1]) + rng.normal(0, 0.22, BROW_HAIRS) + (0.5 - s) * 0.8
    lie = outwards * np.cos(angle)[:, None] + np.array([0, 1.0, 0]) * np.sin(angle)[:, None]
    lie -= normal * (lie * normal).sum(1, keepdims=True)
    lie /= np.linalg.norm(lie, axis=1, keepdims=True)
    length = (np.interp(t, [0, 0.3, 0.8, 1], [0.44, 0.70, 0.66, 0.48]) * rng.uniform(0.55, 1.15, BROW_HAIRS))[:, None]
    lines = [root - 0.02 * normal, root + length * (0.5 * lie + 0.085 * normal), root + length * (lie + 0.06 * normal)]
    half_points, half_faces = needles(np.stack(lines, 1), 0.0088)
    binding = _binding(corners, weights, len(skin))
    mirrored_triangle, mirrored_weights = closest_on_triangles(root * [-1, 1, 1], skin, outer_face)
    other = _binding(outer_face[mirrored_triangle], mirrored_weights, len(skin))
    return Strands(
        np.concatenate([half_points * [-1, 1, 1], half_points]),
        np.concatenate([half_faces[:, ::-1], half_faces + len(half_points)]),
        sp.vstack([other, binding]).tocsr(),
        np.full((2 * BROW_HAIRS, 3), np.nan),
    )


def lashes(skin: np.ndarray, cage: Cage, subdivision: Subdivision) -> Strands:
    """Lashes of both eyes, upper and lower, rooted between the lid's margin and its inner edge."""
    curves, roots, pivots = [], [], []
    for side in (0, 1):
        rng = np.random.default_rng(4)
        centre, rims = cage.neutral.eye_centres[side], cage.eye_rims[side]
        for columns, upper, count in (
            (list(range(9)), True, UPPER_LASHES),
            ([0, *range(15, 7, -1)], False, LOWER_LASHES),
        ):
            margin, inner = (np.array(subdivision.along([ring[k] for k in columns])) for ring in rims[:2])
            t = np.sort(rng.uniform(0.05, 0.74 if upper else 0.80, count))
            place = t * (len(margin) - 1)
            k, f = place.astype(int), place - place.astype(int)
            corners = np.stack([margin[k], margin[k + 1], inner[k], inner[k + 1]], 1)
            weights = np.stack([0.6 * (1 - f), 0.6 * f, 0.4 * (1 - f), 0.4 * f], 1)
            root = (skin[corners] * weights[..., None]).sum(1)
            curves.append(_lash_curves(root, centre, skin[margin][:, 0].mean(), t, upper, rng))
            roots.append(_binding(corners, weights, len(skin)))
            pivots.append(np.broadcast_to(centre, (count, 3)))
    points, faces = needles(np.concatenate(curves), 0.0066)
    return Strands(points, faces, sp.vstack(roots).tocsr(), np.concatenate(pivots))


def _lash_curves(root: np.ndarray, centre: np.ndarray, middle_x: float, t: np.ndarray, upper: bool, rng) -> np.ndarray:
    count = len(root)
    outwards = root - centre
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    fan = np.stack([(root[:, 0] - middle_x) / 1.4 * 0.55, np.full(count, 0.42 if upper else -1.2), np.zeros(count)], 1)
    direction = outwards * [0.36, 0.36, 0.9] + 0.5 * fan
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    curl = np.array([0, 0.55 if upper else -0.27, 0])
    sag = np.array([0, 0.25 if upper else 0, 0])
    length = (0.56 if upper else 0.27) * rng.uniform(0.75, 1.1, count)
    length *= np.interp(t, [0, 0.3, 0.6, 1], [1.05, 1, 0.85, 0.55])
    points = [(direction * x * (1 - 0.25 * x) + curl * x * x - sag * x) * length[:, None] for x in (0.0, 0.55, 1.0)]
    return root[:, None] + np.stack(points, 1)


def _face_triangles(cage: Cage, subdivision: Subdivision) -> np.ndarray:
    outer = subdivision.matrix @ cage.indicator(list(range(468)))
    return subdivision.faces[(outer[subdivision.faces] > 0.6).all(1)]


def _binding(corners: np.ndarray, weights: np.ndarray, count: int) -> sp.csr_matrix:
    rows = np.repeat(np.arange(len(corners)), corners.shape[1])
    return sp.csr_matrix((weights.ravel(), (rows, corners.ravel())), (len(corners), count))
