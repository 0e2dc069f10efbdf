"""Joints and linear-blend weights: the jaw spread over the cage, the neck as a smooth band (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .rings import LOWER_LIP, UPPER_LIP
from .skull import SKULL_RINGS
from .surface import Membrane, smoothstep

NECK_JOINT = np.array([0.0, -9.0, -6.5])
JAW_JOINT = np.array([0.0, 0.6, -2.6])
ROOT_JOINT = np.array([0.0, -22.0, -8.0])
_CORNER = 0.42  # the corners of the mouth follow the jaw by this much
_STILL = (2, 164, 97, 326, 98, 327, 167, 393, 165, 391)
_CHIN = (
    152, 148, 377, 176, 400, 149, 378, 175, 199, 200, 18, 83, 313, 171, 396, 208, 428, 140, 369, 32, 262, 201, 421,
    194, 418, 182, 406, 150, 379,
)  # fmt: skip
_JAW_LINE = {136: 0.93, 172: 0.78, 58: 0.5, 132: 0.24, 93: 0.08, 234: 0.0}


def neck_weight(points: np.ndarray) -> np.ndarray:
    """(V,) how much a place follows the neck joint: 0 on the collar, 1 on chin and skull."""
    return smoothstep(-13.5, -5.5, points[:, 1] + 0.25 * (points[:, 2] + 4))


def jaw_weight(cage: Cage, membrane: Membrane) -> np.ndarray:
    """(V,) how much the cage's vertices follow the jaw: biharmonic between the fixed upper face and the chin."""
    points = cage.points
    fixed = _lip_weights()
    for v in np.nonzero(points[:468, 1] > -0.8)[0]:
        fixed.setdefault(int(v), 0.0)
    fixed |= dict.fromkeys(_STILL, 0.0) | dict.fromkeys(_CHIN, 1.0)
    for v, weight in _JAW_LINE.items():
        fixed[v] = fixed[int(cage.mirror[v])] = weight
    outline = [fixed.get(v, 0.0) for v in cage.rings[0]]
    for k, ring in enumerate(cage.rings[1:], 1):
        for spoke, v in enumerate(ring):
            x, y, z = points[v]
            still = k >= SKULL_RINGS * 0.82 or y > -0.5 or z < -8
            # A short fall-off at the throat creases under the jaw.
            fall = smoothstep(0.80, -0.10, k / SKULL_RINGS) * smoothstep(-8, -2.5, z)
            fixed[v] = 0.0 if still else float(outline[spoke] * fall)
    rim = cage.bag[0]
    for depth, ring in enumerate(cage.bag[1:], 1):
        for k, v in enumerate(ring):
            weight = fixed[rim[k]] if depth <= 2 else 0.0 if 1 <= k <= 9 else 1.0 if k > 10 else 0.45
            fixed[v] = weight * (1 if depth < 7 else 0.6)
    weights = np.clip(membrane.spread(fixed), 0, 1)
    weights[list(fixed)] = list(fixed.values())
    weights = 0.5 * (weights + weights[cage.mirror])
    lips = [v for ring in (*UPPER_LIP, *LOWER_LIP) for v in ring] + [v for ring in cage.bag for v in ring]
    loose = np.full(len(points), 0.4)
    loose[lips] = 0
    for _ in range(14):
        weights += loose * (membrane.laplacian @ weights)
    return np.clip(weights, 0, 1)


def _lip_weights() -> dict[int, float]:
    fixed: dict[int, float] = {}
    for k in range(11):
        s = (k - 5) / 5
        for ring in UPPER_LIP:
            fixed[ring[k]] = _CORNER if k in (0, 10) else 0.12 if k in (1, 9) else 0.0
        for ring in LOWER_LIP:
            fixed[ring[k]] = _CORNER if k in (0, 10) else 1 - 0.5 * s**4
    return fixed


def rotation_x(radians: float) -> np.ndarray:
    """(3, 3) rotation about x; positive opens the jaw."""
    c, s = np.cos(radians), np.sin(radians)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def jaw_posed(points: np.ndarray, weights: np.ndarray, degrees: float) -> np.ndarray:
    """(N, 3) after the jaw alone has turned (linear-blend skinning)."""
    turned = (points - JAW_JOINT) @ rotation_x(np.radians(degrees)).T + JAW_JOINT
    return points + weights[:, None] * (turned - points)


def jaw_blends(weights: np.ndarray, degrees: float) -> np.ndarray:
    """(N, 3, 3) linear parts of `jaw_posed`."""
    return np.eye(3) + weights[:, None, None] * (rotation_x(np.radians(degrees)) - np.eye(3))


def before_jaw(posed: np.ndarray, weights: np.ndarray, degrees: float) -> np.ndarray:
    """(N, 3) the points that `jaw_posed` carries to `posed`."""
    shift = weights[:, None] * (JAW_JOINT - rotation_x(np.radians(degrees)) @ JAW_JOINT)
    return np.linalg.solve(jaw_blends(weights, degrees), (posed - shift)[..., None])[..., 0]
