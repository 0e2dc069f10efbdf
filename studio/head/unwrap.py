"""Texture coordinates: the skin unrolled from a cylinder, the small parts in a strip below it."""

from __future__ import annotations

import numpy as np

STRIP = 0.18  # height of the strip of small parts


def unwrap(points: np.ndarray, faces: np.ndarray, pieces: dict[str, slice]) -> tuple[np.ndarray, np.ndarray]:
    """(U, 2) coordinates and (F, 3) indices; vertices on the seam at the back are doubled.

    Args:
        pieces: vertex ranges of the parts in their order; the one called "skin" gets the large area.
    """
    uv = np.zeros((len(points), 2))
    period = np.ones(len(points))
    small = [name for name in pieces if name != "skin"]
    for name, where in pieces.items():
        part = points[where]
        # The skin's axis meets the crown at a vertex: inside a triangle it would stretch that one around.
        centre = part.mean(0) if name != "skin" else part[part[:, 1].argmax()] * [0, 0, 1] - [0, 0, 1e-3]
        around = np.arctan2(part[:, 0] - centre[0], part[:, 2] - centre[2]) / (2 * np.pi) + 0.5
        height = (part[:, 1] - part[:, 1].min()) / max(np.ptp(part[:, 1]), 1e-6)
        if name == "skin":
            uv[where] = np.stack([around, STRIP + 0.01 + (0.99 - STRIP) * height], 1)
        else:
            width = 1 / len(small)
            uv[where] = np.stack([(small.index(name) + 0.98 * around) * width, STRIP * height], 1)
            period[where] = 0.98 * width
    corners = uv[faces][..., 0]
    spread = np.ptp(corners, axis=1) > 0.5 * period[faces[:, 0]]
    moved = spread[:, None] & (corners < corners.max(1, keepdims=True) - 0.5 * period[faces[:, :1]])
    doubled = np.unique(faces[moved])
    index = np.full(len(points), -1)
    index[doubled] = len(points) + np.arange(len(doubled))
    extra = uv[doubled] + np.stack([period[doubled], np.zeros(len(doubled))], 1)
    return np.concatenate([uv, extra]), np.where(moved, index[faces], faces)
