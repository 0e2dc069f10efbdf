"""Forms under the skin that neither the crops' mean nor the skull's ellipsoids have, as warps of the cage (cm)."""

from __future__ import annotations

import numpy as np

from .surface import bump

# Centre on the head's left, reach along x, y and z, offset: bone that stands out, hollows between.
_FORMS = (
    ((5.3, -5.3, -1.6), (1.8, 1.6, 2.2), (0.16, -0.30, -0.10)),  # angle of the jaw
    ((4.0, -6.8, 1.5), (1.9, 1.3, 2.0), (-0.16, -0.04, 0.0)),  # body of the jaw
    ((2.4, -8.6, -0.6), (2.2, 1.2, 1.7), (-0.10, 0.34, 0.0)),  # hollow under it
    ((5.7, 0.3, 1.7), (1.7, 1.1, 2.0), (0.24, 0.0, 0.14)),  # cheekbone
    ((4.3, -0.1, 3.6), (1.4, 1.0, 1.4), (0.04, 0.0, 0.12)),
    ((5.0, -3.4, 2.3), (1.5, 1.6, 1.7), (-0.20, 0.0, -0.12)),  # hollow of the cheek
    ((6.2, 3.9, 0.4), (1.5, 1.7, 1.9), (-0.16, 0.0, 0.0)),  # temple
    ((2.6, 0.9, 4.3), (0.9, 0.8, 1.0), (0.0, 0.0, -0.08)),  # beside the nose, under the eye
    ((0.7, -7.2, 4.8), (1.0, 0.75, 1.2), (0.0, 0.0, 0.12)),  # bosses of the chin
)


def formed(points: np.ndarray) -> np.ndarray:
    """(V, 3) the cage's points with the forms pressed into them; symmetric."""
    side = np.where(points[:, :1] < 0, -1.0, 1.0) * [1, 0, 0] + [0, 1, 1]
    left = points * side
    offsets = np.zeros_like(left)
    for centre, size, offset in _FORMS:
        near = np.exp(-(((left - centre) / np.array(size)) ** 2).sum(1))
        offsets += near[:, None] * offset
    front = left[:, 2] > 2.0
    # Brow ridges, and the furrow between lower lip and chin.
    ridge = bump(left[:, 1] - 4.15, 0.75) * bump(left[:, 0] - 2.2, 2.2) * front
    furrow = bump(left[:, 1] + 5.75, 0.42) * bump(left[:, 0], 1.7) * (left[:, 2] > 3.9)
    offsets[:, 2] += 0.13 * ridge - 0.16 * furrow
    offsets[:, 0] *= np.tanh(left[:, 0] / 0.3)
    return points + offsets * side
