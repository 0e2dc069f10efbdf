"""Where joints and landmarks lie on the mesh: the joint regressor and MediaPipe's 478 places (cm)."""

from __future__ import annotations

import numpy as np

from .landmarks import LANDMARKS
from .skinning import JAW_JOINT, NECK_JOINT, ROOT_JOINT

IRIS_RADIUS = 0.60


def joint_regressor(points: np.ndarray, pieces: dict[str, slice], still: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(5, V) weights: each joint from vertices that no expression and no eyelid moves.

    Args:
        still: (V,) those vertices; eyes: (2, 3) centres of the left and the right ball.
    """
    skin = np.zeros(len(points), bool)
    skin[pieces["skin"]] = True
    x, y, z = points.T
    beside_jaw = skin & still & (np.abs(y - JAW_JOINT[1]) < 4) & (z > -9) & (z < 2) & (np.abs(x) > 5)
    around_neck = skin & still & (np.abs(y - NECK_JOINT[1]) < 1.5) & (np.hypot(x, z - NECK_JOINT[2]) < 9)
    around_root = skin & still & (np.abs(y - ROOT_JOINT[1]) < 2.0)
    regressor = np.zeros((5, len(points)))
    regressor[0] = _weights(points, around_root, ROOT_JOINT)
    regressor[1] = _weights(points, around_neck, NECK_JOINT)
    regressor[2] = _weights(points, beside_jaw, JAW_JOINT)
    for joint, (piece, centre) in enumerate(zip(("eye_left", "eye_right"), eyes, strict=True), 3):
        ball = np.zeros(len(points), bool)
        ball[pieces[piece]] = True
        regressor[joint] = _weights(points, ball, centre)
    return regressor


def _weights(points: np.ndarray, candidates: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """(V,) the most even weights that sum to one and whose mean is the joint (least norm)."""
    index = np.nonzero(candidates)[0]
    if len(index) < 8:
        raise ValueError(f"only {len(index)} vertices to hold the joint at {joint}")
    constraints = np.concatenate([points[index], np.ones((len(index), 1))], 1).T
    weights = np.zeros(len(points))
    weights[index] = np.linalg.lstsq(constraints, np.r_[joint, 1.0], rcond=None)[0]
    return weights


def landmark_places(points: np.ndarray, faces: np.ndarray, pieces: dict[str, slice], eyes: np.ndarray):
    """(478,) triangles and (478, 3) barycentric weights: 468 face landmarks, then the right and the left iris.

    An iris is its centre and four points of its edge: towards the head's left, up, right, down.
    """
    triangles, weights = np.full(478, -1), np.zeros((478, 3))
    first = np.full(len(points), -1)
    for k in range(3):
        first[faces[::-1, k]] = np.arange(len(faces))[::-1]
    triangles[:LANDMARKS] = first[:LANDMARKS]
    for v in range(LANDMARKS):
        weights[v, list(faces[first[v]]).index(v)] = 1
    depth = np.sqrt(1.2**2 - IRIS_RADIUS**2)
    directions = [
        (0, 0, 1.2),
        (IRIS_RADIUS, 0, depth),
        (0, IRIS_RADIUS, depth),
        (-IRIS_RADIUS, 0, depth),
        (0, -IRIS_RADIUS, depth),
    ]
    for start, piece, centre in ((468, "eye_right", eyes[1]), (473, "eye_left", eyes[0])):
        where = pieces[piece]
        own = np.nonzero((faces[:, 0] >= where.start) & (faces[:, 0] < where.stop))[0]
        for k, direction in enumerate(directions):
            own_triangle, bary = _pierced(points[faces[own]] - centre, np.array(direction, float))
            triangles[start + k], weights[start + k] = own[own_triangle], bary
    return triangles, weights


def _pierced(corners: np.ndarray, direction: np.ndarray) -> tuple[int, np.ndarray]:
    """Which triangle (T, 3, 3) a ray from the origin leaves through, and where."""
    matrix = corners.transpose(0, 2, 1)
    usable = np.abs(np.linalg.det(matrix)) > 1e-12
    solution = np.full((len(corners), 3), -1.0)
    solution[usable] = np.linalg.solve(matrix[usable], np.broadcast_to(direction, (usable.sum(), 3))[..., None])[..., 0]
    best = int(solution.min(1).argmax())
    bary = np.clip(solution[best], 0, None)
    return best, bary / bary.sum()
