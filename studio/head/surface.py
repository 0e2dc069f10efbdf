"""Operators on triangle meshes: adjacency, normals, biharmonic spreading, sampling, closest points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla


def smoothstep(low: float, high: float, x: np.ndarray | float) -> np.ndarray:
    """0 at `low`, 1 at `high` (which may be the smaller one), smooth between."""
    t = np.clip((np.asarray(x, float) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: np.ndarray, width: float) -> np.ndarray:
    """exp(-(x / width)^2)."""
    return np.exp(-((x / width) ** 2))


def adjacency(faces: np.ndarray, count: int) -> sp.csr_matrix:
    """(V, V) ones where two vertices share an edge."""
    i, j = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    matrix = sp.coo_matrix((np.ones(len(i)), (i, j)), (count, count)).tocsr()
    return ((matrix + matrix.T) > 0).astype(float)


def averaging(faces: np.ndarray, count: int) -> sp.csr_matrix:
    """(V, V) matrix that replaces each vertex by the mean of its neighbours."""
    matrix = adjacency(faces, count)
    degree = np.maximum(np.asarray(matrix.sum(1)).ravel(), 1)
    return (sp.diags(1 / degree) @ matrix).tocsr()


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, weighted by area."""
    corner = points[faces]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normals = np.zeros_like(points)
    for k in range(3):
        np.add.at(normals, faces[:, k], area)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


class Membrane:
    """Spreads values given at some vertices over a mesh, as a thin plate would bend (biharmonic)."""

    def __init__(self, faces: np.ndarray, count: int, tension: float = 0.004) -> None:
        laplacian = averaging(faces, count) - sp.eye(count)
        self.count = count
        self.laplacian = laplacian.tocsr()
        self._energy = (laplacian.T @ laplacian - 0.5 * tension * (laplacian + laplacian.T)).tocsc()

    def spread(self, handles: Mapping[int, np.ndarray | float]) -> np.ndarray:
        """(V,) or (V, 3) values that pass through the handles."""
        index = np.fromiter(handles.keys(), int)
        values = np.array([np.asarray(value, float) for value in handles.values()])
        weight = np.zeros(self.count)
        weight[index] = 1e5
        right = np.zeros((self.count, *values.shape[1:]))
        right[index] = 1e5 * values
        return sla.splu((self._energy + sp.diags(weight + 1e-7)).tocsc()).solve(right)


def closest_on_triangles(queries: np.ndarray, points: np.ndarray, faces: np.ndarray, near: int = 12):
    """The nearest place on a mesh for each query, among the triangles whose centres are nearest.

    Returns:
        (Q,) triangle indices and (Q, 3) barycentric weights (clamped to the triangle).
    """
    from scipy.spatial import cKDTree

    corners = points[faces]
    _, candidates = cKDTree(corners.mean(1)).query(queries, k=min(near, len(faces)))
    a, b, c = (corners[candidates][:, :, k] for k in range(3))
    ab, ac, aq = b - a, c - a, queries[:, None] - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (aq * ab).sum(-1), (aq * ac).sum(-1)
    denominator = np.maximum(d00 * d11 - d01 * d01, 1e-14)
    v, w = (d11 * d20 - d01 * d21) / denominator, (d00 * d21 - d01 * d20) / denominator
    weights = np.clip(np.stack([1 - v - w, v, w], -1), 0, 1)
    weights /= weights.sum(-1, keepdims=True)
    distance = np.linalg.norm((weights[..., None] * corners[candidates]).sum(2) - queries[:, None], axis=-1)
    best = distance.argmin(1)
    rows = np.arange(len(queries))
    return candidates[rows, best], weights[rows, best]
