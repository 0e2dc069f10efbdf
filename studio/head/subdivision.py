"""Loop subdivision as one sparse matrix, finer where it is asked for.

Source: Loop, "Smooth subdivision surfaces based on triangles", 1987 (Warren's weights for odd valences). The second
level may be applied to a part of the mesh; triangles at its border are cut so that no T-vertex stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .surface import adjacency


def loop_step(
    faces: np.ndarray, count: int, refine: np.ndarray | None = None
) -> tuple[sp.csr_matrix, np.ndarray, dict[tuple[int, int], int]]:
    """One level.

    Args:
        faces: (F, 3); count: vertices; refine: (F,) which triangles are to be split in four, all by default.

    Returns:
        (V', V) weights whose first V rows are the old vertices, (F', 3) triangles, and the new vertex on each edge.
    """
    refine = np.ones(len(faces), bool) if refine is None else refine
    opposite: dict[tuple[int, int], list[int]] = {}
    split: dict[tuple[int, int], int] = {}
    for triangle, fine in zip(faces.tolist(), refine.tolist(), strict=True):
        for k in range(3):
            a, b = triangle[k], triangle[(k + 1) % 3]
            edge = (a, b) if a < b else (b, a)
            opposite.setdefault(edge, []).append(triangle[(k + 2) % 3])
            if fine and edge not in split:
                split[edge] = count + len(split)
    rows, columns, weights = _old_vertices(faces, count, opposite)
    for edge, row in split.items():
        ends = opposite[edge]
        stencil = [(edge[0], 0.375), (edge[1], 0.375)] + [(v, 0.125) for v in ends]
        if len(ends) != 2:
            stencil = [(edge[0], 0.5), (edge[1], 0.5)]
        for vertex, weight in stencil:
            rows.append(row)
            columns.append(vertex)
            weights.append(weight)
    matrix = sp.csr_matrix((weights, (rows, columns)), (count + len(split), count))
    return matrix, _split_faces(faces, split), split


def _old_vertices(faces: np.ndarray, count: int, opposite: dict) -> tuple[list, list, list]:
    """Loop's rule for the vertices that exist already, borders as cubic B-splines."""
    neighbours = adjacency(faces, count)
    border: dict[int, list[int]] = {}
    for (a, b), ends in opposite.items():
        if len(ends) == 1:
            border.setdefault(a, []).append(b)
            border.setdefault(b, []).append(a)
    rows, columns, weights = [], [], []
    for vertex in range(count):
        ring = border.get(vertex)
        if ring is not None:
            beta = 0.125
        else:
            ring = neighbours.indices[neighbours.indptr[vertex] : neighbours.indptr[vertex + 1]].tolist()
            beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / len(ring)) / 4) ** 2) / len(ring)
        rows += [vertex] * (len(ring) + 1)
        columns += [*ring, vertex]
        weights += [beta] * len(ring) + [1 - beta * len(ring)]
    return rows, columns, weights


def _split_faces(faces: np.ndarray, split: dict[tuple[int, int], int]) -> np.ndarray:
    result = []
    for a, b, c in faces.tolist():
        ab, bc, ca = (split.get((min(p, q), max(p, q))) for p, q in ((a, b), (b, c), (c, a)))
        count = sum(m is not None for m in (ab, bc, ca))
        if count == 3:
            result += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        elif count == 0:
            result.append((a, b, c))
        else:
            # Turn the triangle until its first edge is split and, of two, the second one too.
            while ab is None or (count == 2 and bc is None):
                a, b, c, ab, bc, ca = b, c, a, bc, ca, ab
            if count == 1:
                result += [(a, ab, c), (ab, b, c)]
            else:
                result += [(ab, b, bc), (a, ab, bc), (a, bc, c)]
    return np.array(result)


@dataclass(frozen=True)
class Subdivision:
    """matrix (V', V) lifts anything given on the cage; faces (F', 3); splits: the new vertex on each edge, by level."""

    matrix: sp.csr_matrix
    faces: np.ndarray
    splits: tuple[dict[tuple[int, int], int], ...]

    def along(self, ring: Sequence[int]) -> list[int]:
        """The fine vertices on the cage's polyline `ring`, in its order."""
        path = list(ring)
        for split in self.splits:
            finer = [path[0]]
            for a, b in zip(path, path[1:], strict=False):
                middle = split.get((min(a, b), max(a, b)))
                finer += [b] if middle is None else [middle, b]
            path = finer
        return path


def subdivide(faces: np.ndarray, count: int, fine: np.ndarray) -> Subdivision:
    """Two levels on the triangles that `fine` (F,) names, one elsewhere."""
    first, faces_1, split_1 = loop_step(faces, count)
    second, faces_2, split_2 = loop_step(faces_1, first.shape[0], np.repeat(fine, 4))
    return Subdivision((second @ first).tocsr(), faces_2, (split_1, split_2))


def fitted_control(matrix: sp.csr_matrix, target: np.ndarray, gain: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Control points whose subdivided surface passes (nearly) through `target` at the cage's own vertices.

    Subdivision shrinks; a few rounds of adding the error back (quasi-interpolation) undo it.

    Args:
        target: (V, k) wanted values; gain: (V,) how firmly, 0..1.
    """
    own = matrix[: len(target)]
    control = target.copy()
    for _ in range(rounds):
        control += 0.8 * gain[:, None] * (target - own @ control)
    return control
