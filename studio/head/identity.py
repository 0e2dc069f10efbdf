"""Identity: named warps of the whole head, the eyes and the ears, then modes of the crops' landmarks (cm).

The eyes ride along as they are: within EYE_STIFF of a ball's centre a warp is replaced by its value at the centre, so
that lids keep their distance from the ball.
"""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .face import sides
from .landmarks import LANDMARKS, MeanFace
from .rings import EYE_RIM, LOWER_INNER, LOWER_LIP, UPPER_INNER, UPPER_LIP
from .skull import SKULL_RINGS
from .surface import Membrane, bump, smoothstep
from .warps import WARPS

# The order of the components in the file; "crop mode k" follow.
NAMES = (
    "head_width", "head_length", "face_width", "face_length", "jaw_width", "chin_forward", "chin_height", "nose_length",
    "nose_width", "nose_bridge", "nose_tip_up", "eye_size", "eye_spacing", "eye_tilt", "brow_ridge", "cheekbones",
    "cheek_fullness", "lip_fullness", "mouth_width", "ear_size", "neck_width", "age", "sex",
)  # fmt: skip
MODES = 6  # of the crops' landmarks
DAMPING = 0.4  # landmarks of 25-pixel crops are noisy, most of all in depth
LIPS_TOGETHER = 0.75  # how far all rings of the lips share one motion in the crops' modes
EYE_STIFF, EYE_SOFT = 1.75, 3.2  # cm from a ball's centre: rigid up to here, free from there
EYE_SIZE, EYE_SPACING, EYE_TILT = 0.03, 0.16, np.radians(2.6)
EAR_SIZE, EAR_AGE = 0.06, 0.035


def eye_share(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(N,) 1 where a point belongs to the ball and its lids, 0 far from it."""
    return smoothstep(EYE_SOFT, EYE_STIFF, np.linalg.norm(points - centre, axis=1))


def warped(name: str, points: np.ndarray, at: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(N, 3) offsets of the component `name` at any points of the head but the ears.

    Args:
        at: (468, 3) landmarks; eyes: (2, 3) centres of the left and the right ball.
    """
    side = np.where(points[:, :1] < 0, -1.0, 1.0) * [1, 0, 0] + [0, 1, 1]
    left, at, eye = points * side, np.abs(at) * [1, 0, 0] + at * [0, 1, 1], eyes[0]
    if name in WARPS:
        offsets = WARPS[name](left, at)
        share = eye_share(left, eye)[:, None]
        offsets += share * (WARPS[name](eye[None], at) - offsets)
    else:
        offsets = _of_eyes(name, left, eye)
    # What lies on the midline stays there.
    return offsets * side * np.stack([np.abs(np.tanh(left[:, 0] * 50)), *np.ones((2, len(left)))], 1)


def _of_eyes(name: str, left: np.ndarray, eye: np.ndarray) -> np.ndarray:
    share, arm = eye_share(left, eye)[:, None], left - eye
    if name == "eye_size":
        return EYE_SIZE * share * arm
    if name == "eye_spacing":
        beside = bump(left[:, 1] - eye[1], 2.6) * smoothstep(0.0, 3.0, left[:, 2])
        broad = EYE_SPACING * np.tanh(left[:, 0] / 1.8) / np.tanh(eye[0] / 1.8) * beside * bump(left[:, 0] - 2.5, 3.6)
        share = share[:, 0]
        return np.stack([broad + share * (EYE_SPACING - broad), 0 * broad, 0 * broad], 1)
    if name == "eye_tilt":
        return EYE_TILT * share * np.stack([-arm[:, 1], arm[:, 0], 0 * arm[:, 0]], 1)
    return np.zeros_like(left)


def ear_growth(name: str) -> float:
    """Share by which one standard deviation of the component enlarges an ear about its attachment."""
    return {"ear_size": EAR_SIZE, "age": EAR_AGE, "sex": 0.02}.get(name, 0.0)


def cage_modes(mean: MeanFace, cage: Cage, membrane: Membrane) -> list[np.ndarray]:
    """MODES arrays (V, 3): offsets at one standard deviation of each mode."""
    modes = []
    for mode in mean.variation[:MODES]:
        offsets = DAMPING * mode
        # An open mouth or eye is no identity: lips move together, and each eye moves as a whole.
        together = 0.5 * (offsets[list(UPPER_INNER)] + offsets[list(LOWER_INNER)])
        for ring in (*UPPER_LIP, *LOWER_LIP):
            offsets[list(ring)] += LIPS_TOGETHER * (together - offsets[list(ring)])
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
