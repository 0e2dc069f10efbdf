"""The mean face that the head grows from: 468 landmarks, their triangles, mirror map and variation.

`python -m studio.head.landmarks` derives it again (needs mediapipe and scikit-image) and writes
`mean_face.npz`; building the head only reads that file.

Provenance: MediaPipe FaceMesh (Apache-2.0) is run on the 100 face crops of 25 x 25 pixels of
`skimage.data.lfw_subset()`; the detected landmark sets are Procrustes-aligned, averaged and symmetrised, so that
the table is the mean of many people and nobody's face. The triangles are the 3-cliques of MediaPipe's published
tessellation edges. Scale and axes come from a similarity fit to 15 anthropometric spots (centimetres).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LANDMARKS = 468
TABLE = Path(__file__).with_name("mean_face.npz")
# Two 3-cliques of the tessellation enclose other triangles and are no triangles themselves.
_SPURIOUS = ({49, 64, 129}, {279, 294, 358})
# The tessellation is mirror-symmetric but for three diagonals.
_FLIPPED_DIAGONALS = ((250, 459), (260, 466), (289, 290))
# Where 15 spots of an average adult face lie (cm; right half, x < 0): only scale, tilt and origin follow them.
_METRIC_SPOTS = {
    10: (0.0, 8.3, 4.5), 152: (0.0, -9.4, 4.3), 1: (0.0, -1.1, 7.5), 33: (-4.4, 2.7, 3.2), 133: (-1.9, 2.6, 3.8),
    61: (-2.5, -4.3, 4.3), 13: (0.0, -4.0, 5.2), 234: (-7.7, 0.7, -2.4), 6: (0.0, 2.5, 5.8), 172: (-5.9, -6.2, -0.6),
    50: (-4.8, -0.7, 3.5), 168: (0.0, 3.3, 5.2), 54: (-6.3, 6.6, 1.4), 105: (-4.0, 5.1, 4.5), 17: (0.0, -5.4, 5.5),
}  # fmt: skip


@dataclass(frozen=True)
class MeanFace:
    """points (468, 3) cm, Y up, face towards +Z; triangles (852, 3); mirror (468,) the landmark across the midline;
    oval (36,) the outline from the forehead over the head's left; variation (K, 468, 3) symmetric modes, one sigma."""

    points: np.ndarray
    triangles: np.ndarray
    mirror: np.ndarray
    oval: np.ndarray
    variation: np.ndarray


def load() -> MeanFace:
    """The committed table."""
    with np.load(TABLE, allow_pickle=False) as data:
        return MeanFace(
            data["points"].astype(float), data["triangles"].astype(int), data["mirror"].astype(int),
            data["oval"].astype(int), data["variation"].astype(float),
        )  # fmt: skip


def detect_crops() -> np.ndarray:
    """(N, 468, 3) FaceMesh landmarks of the scikit-image face crops, Y up, Z towards the viewer, pixels."""
    import cv2
    import skimage.data
    from mediapipe.python.solutions import face_mesh

    detector = face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.5)
    found = []
    for crop in skimage.data.lfw_subset()[:100]:
        image = (np.clip(crop, 0, 1) * 255).astype(np.uint8)
        image = cv2.resize(image, (250, 250), interpolation=cv2.INTER_CUBIC)
        image = cv2.copyMakeBorder(image, 130, 130, 130, 130, cv2.BORDER_REPLICATE)
        result = detector.process(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
        if result.multi_face_landmarks:
            points = result.multi_face_landmarks[0].landmark[:LANDMARKS]
            found.append([(p.x * image.shape[1], -p.y * image.shape[0], -p.z * image.shape[1]) for p in points])
    return np.array(found)


def _normalised(points: np.ndarray) -> np.ndarray:
    points = points - points.mean(0)
    return points / np.linalg.norm(points)


def _rotation_onto(points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Row-vector rotation R and scale s so that s * points @ R fits target (Umeyama 1991)."""
    u, s, vt = np.linalg.svd(points.T @ target)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return u @ np.diag(sign) @ vt, float((s * sign).sum() / (points**2).sum())


def procrustes_mean(faces: np.ndarray, rounds: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Mean shape (468, 3) and the aligned faces (N, 468, 3), both of unit norm."""
    aligned = np.array([_normalised(face) for face in faces])
    mean = aligned[0]
    for _ in range(rounds):
        aligned = np.array([_normalised(face @ _rotation_onto(face, mean)[0]) for face in aligned])
        mean = _normalised(aligned.mean(0))
    return mean, aligned


def mirror_map(mean: np.ndarray) -> np.ndarray:
    """(468,) the landmark on the other side: Hungarian matching of the reflected mean, iterated like ICP."""
    from scipy.optimize import linear_sum_assignment

    reflected, mirror = mean * [-1, 1, 1], np.arange(LANDMARKS)
    for _ in range(20):
        distance = ((reflected[:, None] - mean[None]) ** 2).sum(-1)
        previous, mirror = mirror, linear_sum_assignment(distance)[1]
        if (mirror == previous).all():
            break
        reflected = _normalised(reflected) @ _rotation_onto(_normalised(reflected), _normalised(mean[mirror]))[0]
        reflected = _normalised(reflected)
    if (mirror[mirror] != np.arange(LANDMARKS)).any():
        raise ValueError("the mirror map is no involution")
    return mirror


def symmetric_metric(mean: np.ndarray, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Symmetrise the mean about its best plane and bring it to centimetres.

    Returns:
        points (468, 3), and the rotation (3, 3) and scale that carried the input directions there.
    """
    points = _normalised(mean)
    for _ in range(20):
        reflected = _normalised(points)[mirror] * [-1, 1, 1]
        points = _normalised(0.5 * (points + reflected @ _rotation_onto(reflected, points)[0]))
    normal = np.linalg.svd(points - points[mirror])[2][0]
    normal *= np.sign(normal[0])
    up = np.array([0.0, 1.0, 0.0])
    up -= normal * (normal @ up)
    up /= np.linalg.norm(up)
    to_plane = np.stack([normal, up, np.cross(normal, up)]).T
    points = points @ to_plane
    points -= 0.5 * (points[10] + points[152])
    points = 0.5 * (points + points[mirror] * [-1, 1, 1])
    spots = dict(_METRIC_SPOTS)
    spots |= {int(mirror[i]): (-x, y, z) for i, (x, y, z) in _METRIC_SPOTS.items()}
    source, target = points[list(spots)], np.array(list(spots.values()))
    rotation, scale = _rotation_onto(source - source.mean(0), target - target.mean(0))
    points = scale * (points - source.mean(0)) @ rotation + target.mean(0)
    points = 0.5 * (points + points[mirror] * [-1, 1, 1])
    return points, to_plane @ rotation, scale


def triangulate(edges: set[tuple[int, int]], points: np.ndarray) -> np.ndarray:
    """(852, 3) triangles, counter-clockwise from the front: the 3-cliques of the tessellation's edges."""
    neighbours: dict[int, set[int]] = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    cliques = [(a, b, c) for a, b in edges for c in neighbours[a] & neighbours[b] if c > b]
    triangles = [list(t) for t in sorted(cliques) if set(t) not in _SPURIOUS]
    for a, b in _FLIPPED_DIAGONALS:
        pair = [t for t in triangles if a in t and b in t]
        opposite = [next(v for v in t if v not in (a, b)) for t in pair]
        triangles = [t for t in triangles if t not in pair]
        triangles += [[opposite[0], opposite[1], a], [opposite[0], opposite[1], b]]
    return orient(triangles, points)


def orient(triangles: list[list[int]], points: np.ndarray) -> np.ndarray:
    """Wind all triangles alike by flood fill, and so that most face +Z."""
    triangles = [list(t) for t in triangles]
    by_edge: dict[tuple[int, ...], list[int]] = {}
    for index, t in enumerate(triangles):
        for a, b in itertools.combinations(sorted(t), 2):
            by_edge.setdefault((a, b), []).append(index)
    seen, stack = {0}, [0]
    while stack:
        t = triangles[stack.pop()]
        for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0])):
            for other in by_edge[tuple(sorted((a, b)))]:
                if other in seen:
                    continue
                u = triangles[other]
                if (a, b) in ((u[0], u[1]), (u[1], u[2]), (u[2], u[0])):
                    u.reverse()
                seen.add(other)
                stack.append(other)
    result = np.array(triangles)
    p = points[result]
    front = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])[:, 2].sum() > 0
    return result if front else result[:, ::-1].copy()


def oval_order(edges: set[tuple[int, int]], points: np.ndarray) -> np.ndarray:
    """The outline as a ring of 36 landmarks from 10 (forehead) towards the head's left."""
    neighbours: dict[int, list[int]] = {}
    for a, b in edges:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    ring = [10, next(v for v in neighbours[10] if points[v, 0] > 0)]
    while True:
        following = next(v for v in neighbours[ring[-1]] if v != ring[-2])
        if following == 10:
            return np.array(ring)
        ring.append(following)


def variation_modes(
    aligned: np.ndarray, mirror: np.ndarray, rotation: np.ndarray, scale: float, count: int
) -> np.ndarray:
    """(count, 468, 3) principal components of the symmetric part of the aligned faces, cm at one sigma."""
    offsets = (aligned - aligned.mean(0)) @ rotation * scale
    offsets = 0.5 * (offsets + offsets[:, mirror] * [-1, 1, 1])
    _, s, vt = np.linalg.svd(offsets.reshape(len(offsets), -1), full_matrices=False)
    modes = vt[:count] * (s[:count] / np.sqrt(len(offsets) - 1))[:, None]
    # A sign convention that survives other LAPACKs: the largest entry of a mode is positive.
    largest = np.abs(modes).argmax(1)
    modes *= np.sign(modes[np.arange(count), largest])[:, None]
    return modes.reshape(count, LANDMARKS, 3)


def derive(modes: int = 12) -> MeanFace:
    """Everything from the crops and MediaPipe's edge lists."""
    from mediapipe.python.solutions import face_mesh_connections as connections

    def edges(pairs: frozenset) -> set[tuple[int, int]]:
        return {(min(a, b), max(a, b)) for a, b in pairs}

    faces = detect_crops()
    print(f"{len(faces)} of 100 crops detected")
    mean, aligned = procrustes_mean(faces)
    mirror = mirror_map(mean)
    points, rotation, scale = symmetric_metric(mean, mirror)
    triangles = triangulate(edges(connections.FACEMESH_TESSELATION), points)
    oval = oval_order(edges(connections.FACEMESH_FACE_OVAL), points)
    return MeanFace(points, triangles, mirror, oval, variation_modes(aligned, mirror, rotation, scale, modes))


def main() -> None:
    face = derive()
    np.savez_compressed(
        TABLE, points=face.points.astype(np.float32), triangles=face.triangles.astype(np.int16),
        mirror=face.mirror.astype(np.int16), oval=face.oval.astype(np.int16),
        variation=face.variation.astype(np.float16),
    )  # fmt: skip
    print(f"{TABLE.name}: {len(face.triangles)} triangles, modes {np.abs(face.variation).max((1, 2)).round(2)}")


if __name__ == "__main__":
    main()
