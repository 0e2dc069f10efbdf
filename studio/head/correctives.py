"""Pose correctives: what linear blend skinning loses where a joint turns, given back (FLAME's `posedirs`).

A vertex that follows a joint by the share w is moved by M = (1 - w) I + w R, which shortens its arm p about the joint:
MᵀM = I + w (1 - w) (R + Rᵀ - 2 I). Stretching the arm before skinning by (MᵀM)^(-1/2) - I keeps its length, and to
first order in R - I that is -w (1 - w) / 2 ((R - I) + (R - I)ᵀ) p, linear in the features that FLAME's correctives
take.
"""

from __future__ import annotations

import numpy as np


def length_preserving(points: np.ndarray, joint: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(9, 3V) correctives of one joint, rows as the entries of R - I, columns vertex-major.

    Args:
        points: (V, 3) at rest; joint: (3,); share: (V,) how much each vertex follows the joint, 0 to 1.
    """
    arms = (share * (1 - share) / 2)[:, None] * (points - joint)
    rows = np.zeros((3, 3, len(points), 3))
    for i in range(3):
        for k in range(3):
            rows[i, k, :, i] -= arms[:, k]
            rows[i, k, :, k] -= arms[:, i]
    return rows.reshape(9, -1)


def along_one_minus_cos(offsets: np.ndarray) -> np.ndarray:
    """(9, 3V) correctives of a joint that move the vertices by `offsets` (V, 3) times 1 - cos of its turn about x."""
    rows = np.zeros((3, 3, *offsets.shape))
    rows[1, 1] = rows[2, 2] = -0.5 * offsets
    return rows.reshape(9, -1)
