"""Laying one head's face onto another's: where each of its vertices would lie on a head of other triangles.

A similarity from the joints (they mean the same in every head of FLAME's format), refined by iterated closest points
(Besl and McKay 1992), then a smooth non-rigid warp that stiffens less and less (after Amberg et al. 2007, with a
second-order smoothness of the displacements in place of per-vertex affine maps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ...errors import ErlnetError
from ...formats.head_model import JOINTS, HeadModel
from .surface import Surface, SurfacePoints, vertex_normals

REACH_M = 0.012
"""How far after the similarity a vertex may look for its place."""
WORST_FIT_M = 0.006
UNLIKE_M = 0.006
"""Faces of two people differ by 1 to 3 mm RMS after a similarity, a face and a ball by 10."""
_STIFFNESS = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
_ROUNDS = 2
_ANCHOR_WEIGHT = 20.0
_JOINTS = [JOINTS.index(name) for name in ("neck", "jaw", "left_eye", "right_eye")]
JAW, UPPER, LOWER = JOINTS.index("jaw"), 1, 2


@dataclass(frozen=True)
class Similarity:
    """x to scale · rotation · x + offset."""

    scale: float
    rotation: np.ndarray
    offset: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The points (..., 3) carried over."""
        return self.scale * points @ self.rotation.T + self.offset

    @classmethod
    def between(cls, source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> Similarity:
        """The best one, in the sense of (weighted) least squares, from (P, 3) to (P, 3) points (Umeyama 1991)."""
        weights = np.ones(len(source)) if weights is None else weights
        weights = weights / weights.sum()
        middle, goal = weights @ source, weights @ target
        centred = source - middle
        u, s, vt = np.linalg.svd((target - goal).T @ (weights[:, None] * centred))
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = u * sign @ vt
        scale = float((s * sign).sum() / (weights @ (centred**2).sum(1)))
        return cls(scale, rotation, goal - scale * rotation @ middle)


@dataclass(frozen=True)
class Registration:
    """Where the source's face lies on the target.

    Args:
        vertices: (W,) which vertices of the source were laid.
        points: their W places on the target, -1 where there is none.
        similarity: target from source.
    """

    vertices: np.ndarray
    points: SurfacePoints
    similarity: Similarity


def register(
    source: HeadModel,
    target: HeadModel,
    patch: np.ndarray,
    lips: np.ndarray,
    anchors: tuple[np.ndarray, np.ndarray] | None = None,
) -> Registration:
    """Lay a patch of the source's skin onto the target's.

    Args:
        patch: (V,) bool, the vertices of the source to lay; lips: (V,) bool, those that must stay on their own side
            of the mouth's slit, which the jaw's skinning weight shows in every head.
        anchors: places (A, 3) on the source's template and on the target's that are known to correspond.

    Raises:
        ErlnetError: the target does not look like a head.
    """
    vertices = np.flatnonzero(patch)
    number = np.full(len(patch), -1)
    number[vertices] = np.arange(len(vertices))
    triangles = number[source.faces[patch[source.faces].all(1)]]
    rest = source.v_template[vertices].astype(np.float64)
    label = np.where(lips[vertices], lip_of(source.weights[vertices, JAW]), 0)
    surface = _skin_of(target)
    similarity = _similarity(source, target, rest, triangles, surface, anchors)
    moved, edges = similarity(rest), _stiffness_matrix(similarity(rest), triangles)
    stuck = None
    if anchors is not None:
        places = Surface(rest, triangles)
        faces, bary, _ = places.nearest(anchors[0], candidates=4)
        stuck = _glue(SurfacePoints(faces, bary), triangles, len(rest)), anchors[1]
    start = moved
    for stiffness in _STIFFNESS:
        for _ in range(_ROUNDS):
            found, bary, distance = surface.nearest(moved, vertex_normals(moved, triangles), label)
            near = (found >= 0) & (distance < REACH_M)
            goal = np.einsum("pk,pkc->pc", bary, surface.corners[found])
            moved = start + _settle(goal - start, near * _trust(distance), stiffness * edges, stuck, start)
    faces, bary, distance = surface.nearest(moved, vertex_normals(moved, triangles), label)
    good = (faces >= 0) & (distance < WORST_FIT_M)
    laid = np.einsum("pk,pkc->pc", bary, surface.corners[faces])[good]
    if good.mean() < 0.7 or _unlike(rest[good], laid) > UNLIKE_M:
        remedy = "use a head in FLAME's format: metres, Y up, the face towards +Z"
        raise ErlnetError("The head cannot be laid over the default head, its face was not found", target.id, remedy)
    kept = np.flatnonzero(is_skin(target))
    return Registration(vertices, SurfacePoints(np.where(good, kept[faces], -1), bary), similarity)


def is_skin(head: HeadModel) -> np.ndarray:
    """(F,) the triangles that are not eyeballs, nor what the head itself says lies inside or upon the skin."""
    inner = head.weights[:, JOINTS.index("left_eye") :].max(1) > 0.5
    for name in ("eyeballs", "teeth", "gums", "tongue", "mouth_bag", "brows", "lashes"):
        if name in head.regions:
            inner = inner | (head.regions[name] > 0.5)
    return ~inner[head.faces].any(1)


def _skin_of(head: HeadModel) -> Surface:
    triangles = head.faces[is_skin(head)]
    if not len(triangles):
        raise ErlnetError("The head has no skin", head.id, "use a head in FLAME's format")
    return Surface(head.v_template, triangles, lip_of(head.weights[triangles, JAW].mean(1)))


def lip_of(jaw_weight: np.ndarray) -> np.ndarray:
    """On which side of the mouth's slit skin of these jaw weights lies: `UPPER`, `LOWER`, or 0 at its corners."""
    return np.where(jaw_weight > 0.7, LOWER, np.where(jaw_weight < 0.3, UPPER, 0))


def _similarity(
    source: HeadModel,
    target: HeadModel,
    rest: np.ndarray,
    triangles: np.ndarray,
    surface: Surface,
    anchors: tuple[np.ndarray, np.ndarray] | None,
) -> Similarity:
    """From the joints, or the anchors where there are enough, then iterated closest points with ever fewer outliers."""
    if anchors is not None and len(anchors[0]) >= 20:
        return Similarity.between(*anchors)
    ends = [(head.J_regressor.astype(np.float64) @ head.v_template)[_JOINTS] for head in (source, target)]
    eyes = np.linalg.norm(ends[0][2] - ends[0][3]), np.linalg.norm(ends[1][2] - ends[1][3])
    if not 0.5 < eyes[1] / eyes[0] < 2:
        what = f"The head's eyes are {1000 * eyes[1]:.3g} mm apart"
        raise ErlnetError(what, target.id, "use a head in FLAME's format, in metres")
    fit = Similarity.between(*ends, weights=np.array([0.2, 0.5, 1.0, 1.0]))
    some = slice(None, None, 1 + len(rest) // 1000)
    normals, some_rest = vertex_normals(rest, triangles)[some], rest[some]
    for step in range(30):
        found, bary, distance = surface.nearest(fit(some_rest), normals @ fit.rotation.T, candidates=4)
        near = (found >= 0) & (distance < max(0.05 * 0.85**step, REACH_M))
        if near.sum() < 50:
            break
        goal = np.einsum("pk,pkc->pc", bary, surface.corners[found])
        # The eyes are known; they keep the face from sliding along itself.
        share = 0.1 * near.sum()
        pairs = np.concatenate([some_rest[near], ends[0][2:]]), np.concatenate([goal[near], ends[1][2:]])
        fit = Similarity.between(*pairs, weights=np.concatenate([_trust(distance[near]), [share, share]]))
    return fit


def _unlike(source: np.ndarray, target: np.ndarray) -> float:
    """RMS distance that no similarity can take away, metres."""
    return float(np.sqrt(((Similarity.between(source, target)(source) - target) ** 2).sum(1).mean()))


def _trust(distance: np.ndarray) -> np.ndarray:
    """Less for what is far (Geman and McClure)."""
    return 1 / (1 + (np.where(np.isfinite(distance), distance, 1.0) / 0.004) ** 2) ** 2


def _stiffness_matrix(vertices: np.ndarray, triangles: np.ndarray) -> sparse.csc_matrix:
    """(W, W) of the squared second differences of a displacement over the mesh, per vertex of average spacing."""
    edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    stiff = length.mean() / np.maximum(length, 1e-5)
    count = len(vertices)
    graph = sparse.coo_matrix((stiff, edges.T), (count, count))
    graph = graph + graph.T
    degree = np.asarray(graph.sum(1)).ravel()
    laplacian = sparse.diags(degree) - graph
    smooth = laplacian.T @ sparse.diags(1 / np.maximum(degree, 1e-9)) @ laplacian
    # A little of the first differences holds on to what no second difference ties down.
    return (smooth + 0.01 * laplacian).tocsc()


def _glue(points: SurfacePoints, triangles: np.ndarray, count: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(points)), 3)
    return sparse.csr_matrix((points.bary.ravel(), (rows, triangles[points.faces].ravel())), (len(points), count))


def _settle(
    goal: np.ndarray,
    weights: np.ndarray,
    stiffness: sparse.csc_matrix,
    stuck: tuple[sparse.csr_matrix, np.ndarray] | None,
    start: np.ndarray,
) -> np.ndarray:
    """(W, 3) displacements that follow the goals by their weights, the anchors firmly, and each other smoothly."""
    system = sparse.diags(weights + 1e-6) + stiffness
    right = weights[:, None] * goal
    if stuck is not None:
        glue, places = stuck
        system = system + _ANCHOR_WEIGHT * glue.T @ glue
        right = right + _ANCHOR_WEIGHT * glue.T @ (places - glue @ start)
    return splu(system.tocsc()).solve(right)
