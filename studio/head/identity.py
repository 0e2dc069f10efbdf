"""Identity: the variation of the crops' landmarks, damped, spread to the skull, expressions taken out (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .face import sides
from .landmarks import LANDMARKS, MeanFace
from .rings import EYE_RIM, LOWER_INNER, UPPER_INNER
from .skull import SKULL_RINGS
from .surface import Membrane

COUNT = 10
DAMPING = 0.5  # landmarks of 25-pixel crops are noisy, most of all in depth


def cage_identity(mean: MeanFace, cage: Cage, membrane: Membrane) -> list[np.ndarray]:
    """COUNT arrays (V, 3): offsets at one standard deviation of each mode."""
    modes = []
    for mode in mean.variation[:COUNT]:
        offsets = DAMPING * mode
        # An open mouth or eye is no identity: lips move together, and each eye moves as a whole.
        together = 0.5 * (offsets[list(UPPER_INNER)] + offsets[list(LOWER_INNER)])
        offsets[list(UPPER_INNER)] = offsets[list(LOWER_INNER)] = together
        handles = {v: offsets[v] for v in range(LANDMARKS)}
        for ring, rims in zip(sides(EYE_RIM, mean.mirror), cage.eye_rims, strict=True):
            shift = offsets[list(ring)].mean(0)
            handles |= {v: shift for r in rims for v in r}
        for vertex in cage.nostrils:
            handles[vertex] = offsets[2]
        for depth, ring in enumerate(cage.bag[1:], 1):
            for k, vertex in enumerate(ring):
                lip = offsets[cage.bag[0][k]]
                handles[vertex] = lip + (together.mean(0) - lip) * min(1.0, depth / 4)
        for ring in cage.rings[SKULL_RINGS - 3 :]:
            handles |= {v: np.zeros(3) for v in ring}
        spread = membrane.spread(handles)
        modes.append(0.5 * (spread + spread[cage.mirror] * [-1, 1, 1]))
    return modes
