"""Landmark embeddings on FLAME's surface, of every layout that is handed out, in MediaPipe's order of 478.

The 105 points of the MediaPipe embedding carry their own indices. The points of the iBUG 68 scheme (and its 51 inner
ones) are matched to MediaPipe's by what they are on a face: brow arches, bridge and wings of the nose, lid and lip
contours, where iBUG's even spacing along a contour decides which of MediaPipe's closer points it is. The 17
points of the jaw line have no counterpart: they slide over the surface with the view.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .budget import Budget
from .records import as_array

LANDMARKS = 478
JAW_LINE = 17
# iBUG points 17 to 67. Right means the head's own right, which is at negative x and comes first in iBUG's order.
IBUG_INNER = (
    70, 63, 105, 66, 107,  # right brow, outside to inside
    336, 296, 334, 293, 300,  # left brow, inside to outside
    168, 197, 195, 4,  # bridge to tip of the nose
    98, 97, 2, 326, 327,  # under the nose
    33, 160, 158, 133, 153, 144,  # right eye from its outer corner over the upper lid
    362, 385, 387, 263, 373, 380,  # left eye from its inner corner over the upper lid
    61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91,  # outer lips from the right corner over the upper lip
    78, 81, 13, 311, 308, 402, 14, 178,  # inner lips likewise
)  # fmt: skip
IRIS_CENTRES = (468, 473)  # right, left


class Landmarks:
    """Where landmarks lie: `faces` (478,) and `bary` (478, 3); -1 and 0 where there is none."""

    def __init__(self) -> None:
        self.faces = np.full(LANDMARKS, -1, np.int32)
        self.bary = np.zeros((LANDMARKS, 3), np.float32)

    def add(self, embedding: Any, vertices: np.ndarray, faces: np.ndarray, budget: Budget) -> None:
        """Take the points of an embedding's dictionary; points that are known already stay.

        Raises:
            ErlnetError: not an embedding, or not one for these triangles.
        """
        index, triangle, bary = _points_of(embedding, vertices, faces, budget)
        new = self.faces[index] < 0
        self.faces[index[new]], self.bary[index[new]] = triangle[new], bary[new]

    @property
    def count(self) -> int:
        """How many landmarks are known."""
        return int((self.faces >= 0).sum())


def is_embedding(value: Any) -> bool:
    """Whether a file's contents look like a landmark embedding."""
    return isinstance(value, dict) and any(key in value for key in ("lmk_face_idx", "static_lmk_faces_idx"))


def _points_of(
    embedding: Any, vertices: np.ndarray, faces: np.ndarray, budget: Budget
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MediaPipe's index (N,), triangle (N,) and barycentric place (N, 3) of each point."""
    if not is_embedding(embedding):
        budget.refuse("it is no landmark embedding", "choose one of FLAME's landmark embeddings")
    full = "full_lmk_faces_idx" in embedding
    names = ("lmk_face_idx", "lmk_b_coords") if "lmk_face_idx" in embedding else (
        ("full_lmk_faces_idx", "full_lmk_bary_coords") if full else ("static_lmk_faces_idx", "static_lmk_bary_coords")
    )  # fmt: skip
    triangle = as_array(embedding[names[0]], budget, names[0])
    bary = as_array(embedding.get(names[1]), budget, names[1])
    if triangle.ndim == 2 and len(triangle) == 1:
        triangle, bary = triangle[0], bary.reshape(bary.shape[1:]) if bary.ndim == 3 else bary
    if triangle.ndim != 1 or triangle.dtype.kind not in "iuf" or bary.shape != (len(triangle), 3):
        budget.refuse("it is a contour that depends on the view and no fixed landmark embedding")
    triangle, bary = triangle.astype(np.int64), bary.astype(np.float64)
    outside = len(triangle) == 0 or triangle.min() < 0 or triangle.max() >= len(faces)
    if outside or not np.isfinite(bary).all() or np.abs(bary.sum(1) - 1).max() > 1e-2 or bary.min() < -0.1:
        budget.refuse("its landmarks do not lie on this head's triangles")
    if "landmark_indices" in embedding:
        index = as_array(embedding["landmark_indices"], budget, "landmark_indices").astype(np.int64)
        if index.shape != triangle.shape or index.min() < 0 or index.max() >= LANDMARKS:
            budget.refuse("its landmark_indices are not MediaPipe's")
        return index, triangle, bary
    return _from_ibug(triangle, bary, vertices, faces, budget)


def _from_ibug(
    triangle: np.ndarray, bary: np.ndarray, vertices: np.ndarray, faces: np.ndarray, budget: Budget
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """51 inner points, with the 17 of the jaw line before them and the two eyes after them, or without."""
    inner = len(IBUG_INNER)
    if len(triangle) not in (inner, inner + 2, inner + JAW_LINE, inner + JAW_LINE + 2):
        budget.refuse(f"it has {len(triangle)} landmarks, known are 51, 53, 68, 70 and MediaPipe's 105")
    first = JAW_LINE if len(triangle) >= inner + JAW_LINE else 0
    index = np.array(IBUG_INNER, np.int64)
    triangle, bary = triangle[first:], bary[first:]
    if len(triangle) > inner:  # which eye comes first differs: the place tells
        x = (vertices[faces[triangle[inner:]], 0] * bary[inner:]).sum(1)
        index = np.append(index, IRIS_CENTRES if x[0] < x[1] else IRIS_CENTRES[::-1])
    return index, triangle, bary
