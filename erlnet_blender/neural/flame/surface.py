"""Points on a head's surface: where they are, which ones are nearest, and how they follow the head's mathematics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from ...formats.head_model import JOINTS, HeadModel
from .lbs import FlameTensors

SPACING_M = 0.0012
"""Distance between the samples by which a surface is searched; the answer is exact within the triangles they find."""


@dataclass(frozen=True)
class SurfacePoints:
    """P points glued to a head's triangles.

    Args:
        faces: (P,) triangle of each point, -1 for a point that the head does not have.
        bary: (P, 3) its place in the triangle, weights of the corners.
    """

    faces: np.ndarray
    bary: np.ndarray

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, chosen: np.ndarray) -> SurfacePoints:
        return SurfacePoints(self.faces[chosen], self.bary[chosen])

    @property
    def exist(self) -> np.ndarray:
        """(P,) bool: which of the points the head has."""
        return self.faces >= 0

    def on(self, values: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        """(P, ...) values at the points from (V, ...) at the vertices, e.g. positions."""
        corners = values[triangles[self.faces]]
        return np.einsum("pk,pk...->p...", self.bary.astype(corners.dtype), corners)


def restricted(head: HeadModel, points: SurfacePoints, dtype: torch.dtype = torch.float64) -> FlameTensors:
    """The head's mathematics for the points alone: `lbs.forward` of it gives P points and, last, the 5 joints.

    Exact but for skinning, whose weights are mixed within the triangle as the positions are.
    """

    def follow(values: np.ndarray, joints: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.concatenate([points.on(values, head.faces), joints]), dtype=dtype)

    regressor = head.J_regressor.astype(np.float64)
    at_joints = {
        name: np.einsum("jv,v...->j...", regressor, getattr(head, name))
        for name in ("v_template", "shapedirs", "expressiondirs")
    }
    count, joints = len(points), len(JOINTS)
    posedirs = head.posedirs.reshape(36, -1, 3).transpose(1, 2, 0)  # (V, 3, 36)
    posedirs = follow(posedirs, np.zeros((joints, 3, 36)))
    eyelids = np.zeros((len(head.v_template), 3, 2)) if head.eyelids is None else head.eyelids.transpose(1, 2, 0)
    selection = torch.zeros(joints, count + joints, dtype=dtype)
    selection[:, count:] = torch.eye(joints, dtype=dtype)
    return FlameTensors(
        follow(head.v_template, at_joints["v_template"]),
        follow(head.shapedirs, at_joints["shapedirs"]),
        follow(head.expressiondirs, at_joints["expressiondirs"]),
        posedirs.permute(2, 0, 1).reshape(36, -1).contiguous(),
        selection,
        follow(head.weights, np.eye(joints)),
        follow(eyelids, np.zeros((joints, 3, 2))).permute(2, 0, 1).contiguous(),
    )


class Surface:
    """A triangle mesh that is asked for its nearest points.

    Args:
        vertices: (V, 3) metres; triangles: (F, 3); label: (F,) whole numbers, see `nearest`; None is all 0.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray, label: np.ndarray | None = None) -> None:
        self.corners = vertices[triangles].astype(np.float64)
        cross = np.cross(self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0])
        area = np.linalg.norm(cross, axis=1)
        self.normals = cross / np.maximum(area, 1e-15)[:, None]
        self.label = np.zeros(len(triangles), int) if label is None else label
        # Squares of a triangular grid in each triangle, finer in the large ones.
        steps = np.clip(np.ceil(np.sqrt(area) / SPACING_M), 1, 12).astype(int)
        places, self.sample_faces = [], np.concatenate([np.repeat(np.flatnonzero(steps == n), n * n) for n in _GRIDS])
        for n, grid in _GRIDS.items():
            chosen = self.corners[steps == n]
            places.append(np.einsum("gk,fkc->fgc", grid, chosen).reshape(-1, 3))
        self._tree = cKDTree(np.concatenate(places))

    def nearest(
        self,
        points: np.ndarray,
        normals: np.ndarray | None = None,
        label: np.ndarray | None = None,
        candidates: int = 6,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The nearest place on the surface of each point, on a triangle that faces the same way.

        Args:
            points: (P, 3); normals: (P, 3) unit, None to accept every side.
            label: (P,) 0 to accept every triangle, else only those of label 0 or the same.

        Returns:
            faces (P,), -1 where nothing near is acceptable; bary (P, 3); distance (P,) metres.
        """
        _, index = self._tree.query(points, candidates)
        faces = self.sample_faces[index]  # (P, K)
        acceptable = np.ones(faces.shape, bool)
        if normals is not None:
            acceptable &= np.einsum("pkc,pc->pk", self.normals[faces], normals) > 0.5
        if label is not None:
            own = self.label[faces]
            acceptable &= (label[:, None] == 0) | (own == 0) | (own == label[:, None])
        bary = closest_bary(points[:, None], self.corners[faces])
        distance = np.linalg.norm(np.einsum("pkc,pkcd->pkd", bary, self.corners[faces]) - points[:, None], axis=-1)
        distance = np.where(acceptable, distance, np.inf)
        best = distance.argmin(1)
        rows = np.arange(len(points))
        found = np.isfinite(distance[rows, best])
        return np.where(found, faces[rows, best], -1), bary[rows, best], distance[rows, best]


def _grid(n: int) -> np.ndarray:
    """(n², 3) barycentric centres of the n² small triangles of a triangle."""
    upright = [(i + 1 / 3, j + 1 / 3) for i in range(n) for j in range(n - i)]
    turned = [(i + 2 / 3, j + 2 / 3) for i in range(n - 1) for j in range(n - 1 - i)]
    two = np.array(upright + turned) / n
    return np.concatenate([two, 1 - two.sum(1, keepdims=True)], 1)


_GRIDS = {n: _grid(n) for n in range(1, 13)}


def closest_bary(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(..., 3) barycentric place of the point of each triangle (..., 3, 3) that is nearest to `points` (..., 3).

    Inside the triangle it is the foot of the perpendicular, else the nearest of the feet on the three edges.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap = b - a, c - a, points - a

    def dot(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (u * v).sum(-1)

    d00, d01, d11, d20, d21 = dot(ab, ab), dot(ab, ac), dot(ac, ac), dot(ap, ab), dot(ap, ac)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-24)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = np.stack([1 - v - w, v, w], -1)
    best, least = inside, np.where((inside >= 0).all(-1), -1.0, np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, edge = corners[..., first, :], corners[..., second, :] - corners[..., first, :]
        share = np.clip(dot(points - start, edge) / np.maximum(dot(edge, edge), 1e-24), 0, 1)
        gap = points - start - share[..., None] * edge
        bary = np.zeros_like(inside)
        bary[..., first], bary[..., second] = 1 - share, share
        nearer = dot(gap, gap) < least
        best, least = np.where(nearer[..., None], bary, best), np.where(nearer, dot(gap, gap), least)
    return best


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, weighted by the area of the triangles."""
    corners = vertices[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], cross)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-15)
