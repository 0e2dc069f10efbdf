"""Signed distance from points to a triangle mesh, exact in its sign at edges and vertices too, and winding numbers.

Source of the sign: Baerentzen and Aanaes, "Signed distance computation using the angle weighted pseudonormal", 2005.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


class Surface:
    """A mesh (F, 3) whose points change from call to call; its topology is worked out once."""

    def __init__(self, faces: np.ndarray) -> None:
        self.faces = faces
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
        _, edge = np.unique(edges, axis=0, return_inverse=True)
        self.edge = edge.reshape(-1, 3)  # numbers of the edges 01, 12, 20 of each triangle

    def distance(self, points: np.ndarray, queries: np.ndarray, near: int = 10) -> np.ndarray:
        """(Q,) metres, positive on the side that the triangles face.

        Tried are the `near` triangles with the nearest centres, of the large ones and of the small ones.
        """
        corner = points[self.faces]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        area = np.linalg.norm(normal, axis=1)
        normal /= np.maximum(area, 1e-15)[:, None]
        by_size = np.array_split(area.argsort(), 3)
        centre = corner.mean(1)
        found = [(part, cKDTree(centre[part]).query(queries, k=min(near, len(part)))[1]) for part in by_size]
        candidates = np.concatenate([part[nearest] for part, nearest in found], 1)
        offset, feature = _closest(queries[:, None], corner[candidates], normal[candidates])
        best = np.linalg.norm(offset, axis=-1).argmin(1)
        rows = np.arange(len(queries))
        triangle, offset, feature = candidates[rows, best], offset[rows, best], feature[rows, best]
        towards = normal[triangle]
        on_edge = (feature >= 1) & (feature <= 3)
        edge_normal = np.zeros((self.edge.max() + 1, 3))
        np.add.at(edge_normal, self.edge.ravel(), np.repeat(normal, 3, 0))
        towards[on_edge] = edge_normal[self.edge[triangle[on_edge], feature[on_edge] - 1]]
        on_vertex = feature >= 4
        vertex = self.faces[triangle[on_vertex], feature[on_vertex] - 4]
        towards[on_vertex] = self._vertex_normals(points, corner, normal)[vertex]
        return np.sign((offset * towards).sum(-1)) * np.linalg.norm(offset, axis=-1)

    def _vertex_normals(self, points: np.ndarray, corner: np.ndarray, normal: np.ndarray) -> np.ndarray:
        result = np.zeros_like(points)
        for k in range(3):
            a, b = corner[:, (k + 1) % 3] - corner[:, k], corner[:, (k + 2) % 3] - corner[:, k]
            cosine = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-15)
            np.add.at(result, self.faces[:, k], np.arccos(np.clip(cosine, -1, 1))[:, None] * normal)
        return result


def _closest(query: np.ndarray, corner: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (Q, K, 3) from the nearest place of each triangle, and where it is: 0 inside, 1..3 edge, 4..6 vertex."""
    height = ((query - corner[..., 0, :]) * normal).sum(-1, keepdims=True)
    best = height * normal
    feature = np.zeros(best.shape[:2], int)
    inside = np.ones(best.shape[:2], bool)
    for k in range(3):
        start, along = corner[..., k, :], corner[..., (k + 1) % 3, :] - corner[..., k, :]
        inside &= (np.cross(along, query - start) * normal).sum(-1) >= 0
    nearest = np.where(inside, np.abs(height[..., 0]), np.inf)
    for k in range(3):
        start, along = corner[..., k, :], corner[..., (k + 1) % 3, :] - corner[..., k, :]
        t = ((query - start) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-20)
        place = np.where(t <= 0, 4 + k, np.where(t >= 1, 4 + (k + 1) % 3, 1 + k))
        offset = query - start - np.clip(t, 0, 1)[..., None] * along
        distance = np.linalg.norm(offset, axis=-1)
        better = distance < nearest
        nearest = np.where(better, distance, nearest)
        feature = np.where(better, place, feature)
        best = np.where(better[..., None], offset, best)
    return best, feature


def winding(points: np.ndarray, faces: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """(Q,) how often the mesh goes round each query: 1 in the flesh, 0 outside (Jacobson et al., 2013)."""
    a, b, c = (points[faces[:, k]] - queries[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    volume = (a * np.cross(b, c)).sum(-1)
    scale = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(volume, scale).sum(-1) / (2 * np.pi)
