"""The same points on every head: the canonical points of the default head's face, found on any other.

The default head is the reference. Its face carries 1,500 canonical points, denser and weightier at mouth, eyes and
brows, and MediaPipe's 478 landmarks. On another head they are found by `registration`, anchored at the landmarks
that both heads have; a head without any, such as FLAME 2023 Open, is laid over by joints and shape alone. What is
found is kept in the user's cache, under a digest of both heads' surfaces.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from ...formats import cache
from ...formats.head_model import JOINTS, HeadModel, default_head_path
from .registration import JAW, Registration, Similarity, is_skin, lip_of, register
from .surface import Surface, SurfacePoints

VERSION = 2
POINTS = 1500
LANDMARKS = 478
# The regions of the default head that matter, by how many times as many points as the plain face they get.
_DENSITY = {"lips": 8.0, "eye_region": 3.0, "brow_shadow": 3.0, "redness": 1.5}
_INNER = ("mouth_bag", "nostrils", "lid_rim")
_FEWEST_ANCHORS = 20


@dataclass(frozen=True)
class Correspondence:
    """The canonical points and the landmarks on one head.

    Args:
        points: `POINTS` canonical points, -1 where the head has none.
        weights: (POINTS,) how much each counts: its share of the face's area, more at mouth, eyes and brows; sum 1.
        landmarks: MediaPipe's 478, the head's own where it has them, else those found by registration.
        similarity: carries the default head's template onto this one.
    """

    points: SurfacePoints
    weights: np.ndarray
    landmarks: SurfacePoints
    similarity: Similarity


@dataclass(frozen=True)
class Pair:
    """The same P points on two heads, their weights (P,), and the similarity target from source."""

    source: SurfacePoints
    target: SurfacePoints
    weights: np.ndarray
    similarity: Similarity


def correspondence(head: HeadModel) -> Correspondence:
    """The canonical points and the landmarks on `head`; a few seconds for a new head, else from the cache.

    Raises:
        ErlnetError: the head does not look like one.
    """
    key = digest_of(head)
    if key not in _recent:
        _recent[key] = _find(head, key)
        while len(_recent) > 8:
            _recent.popitem(last=False)
    return _recent[key]


def correspond(source: HeadModel, target: HeadModel) -> Pair:
    """The canonical points that both heads have.

    Raises:
        ErlnetError: one of them does not look like a head.
    """
    one, other = correspondence(source), correspondence(target)
    both = one.points.exist & other.points.exist
    weights = one.weights[both] / one.weights[both].sum()
    places = one.points[both], other.points[both]
    similarity = Similarity.between(
        places[0].on(source.v_template, source.faces).astype(np.float64),
        places[1].on(target.v_template, target.faces).astype(np.float64),
        weights,
    )
    return Pair(*places, weights, similarity)


def same_mathematics(one: HeadModel, other: HeadModel) -> bool:
    """Whether coefficients mean the same to both heads."""
    names = ("v_template", "faces", "shapedirs", "expressiondirs", "posedirs", "J_regressor", "weights")
    return one is other or all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


_recent: OrderedDict[str, Correspondence] = OrderedDict()


@lru_cache(maxsize=1)
def default_head() -> HeadModel:
    """The head that ships with the add-on, the reference of every correspondence."""
    return HeadModel.load(default_head_path())


def digest_of(head: HeadModel, *also: str) -> str:
    """Changes with all that a correspondence depends on, and with the arrays `also` of both heads."""
    digest = hashlib.sha256(f"{VERSION} {POINTS}".encode())
    for one in (default_head(), head):
        for name in ("v_template", "faces", "weights", "J_regressor", "landmark_faces", "landmark_bary", *also):
            value = getattr(one, name)
            digest.update(b"" if value is None else np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:32]


def _find(head: HeadModel, key: str) -> Correspondence:
    reference = default_head()
    chosen, weights = _canonical()
    if np.array_equal(head.faces, reference.faces):
        points = _at_vertices(chosen, reference.faces)
        return Correspondence(points, weights, _landmarks(reference), Similarity(1.0, np.eye(3), np.zeros(3)))
    stored = cache.recall(f"correspondence-{key}")
    if stored is not None and stored["faces"].max(initial=-1) < len(head.faces):
        points = SurfacePoints(stored["faces"], stored["bary"])
        similarity = Similarity(float(stored["scale"]), stored["rotation"], stored["offset"])
        return Correspondence(points[:POINTS], weights, points[POINTS:], similarity)
    laid = register(reference, head, _patch(reference), reference.regions["lips"] > 0.5, _anchors(reference, head))
    points = laid.points[np.searchsorted(laid.vertices, chosen)]
    found = Correspondence(points, weights, _landmarks_from(laid, reference, head), laid.similarity)
    both = (found.points, found.landmarks)
    cache.keep(
        f"correspondence-{key}",
        faces=np.concatenate([part.faces for part in both]),
        bary=np.concatenate([part.bary for part in both]),
        scale=np.float64(laid.similarity.scale),
        rotation=laid.similarity.rotation,
        offset=laid.similarity.offset,
    )
    return found


def _patch(reference: HeadModel) -> np.ndarray:
    """(V,) the visible skin of the face: what can be told on any head."""
    patch = (reference.regions["face"] > 0.5) & (reference.regions["skin"] > 0.5)
    for name in _INNER:
        patch &= ~(reference.regions[name] > 0.5)
    return patch


@lru_cache(maxsize=1)
def _canonical() -> tuple[np.ndarray, np.ndarray]:
    """(POINTS,) vertices of the default head, and their weights."""
    reference = default_head()
    vertices = np.flatnonzero(_patch(reference))
    triangles = reference.faces[np.isin(reference.faces, vertices).all(1)]
    corners = reference.v_template[triangles].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    share = np.zeros(len(reference.v_template))
    np.add.at(share, triangles.ravel(), np.repeat(area / 3, 3))
    importance = np.ones(len(share))
    for name, factor in _DENSITY.items():
        if name in reference.regions:
            importance = np.maximum(importance, factor * (reference.regions[name] > 0.5))
    # Low-discrepancy in the order of the vertices, so that both sides of the face get alike.
    chance = (share * importance)[vertices]
    steps = np.cumsum(chance) / chance.sum()
    chosen = vertices[np.unique(np.searchsorted(steps, (np.arange(POINTS) + 0.5) / POINTS))]
    spare = np.setdiff1d(vertices, chosen)[:: max(1, (len(vertices) - len(chosen)) // max(1, POINTS - len(chosen)))]
    chosen = np.sort(np.concatenate([chosen, spare[: POINTS - len(chosen)]]))
    weights = (share * importance)[chosen]
    return chosen, weights / weights.sum()


def _at_vertices(vertices: np.ndarray, triangles: np.ndarray) -> SurfacePoints:
    first = np.full(triangles.max() + 1, -1)
    flat = triangles.ravel()
    first[flat[::-1]] = np.arange(len(flat))[::-1]
    return SurfacePoints(first[vertices] // 3, np.eye(3)[first[vertices] % 3])


def _landmarks(head: HeadModel) -> SurfacePoints:
    """The head's own landmarks; all -1 where it has none."""
    if head.landmark_faces is None or head.landmark_bary is None:
        return SurfacePoints(np.full(LANDMARKS, -1), np.zeros((LANDMARKS, 3)))
    return SurfacePoints(head.landmark_faces.astype(int), head.landmark_bary.astype(np.float64))


def _anchors(reference: HeadModel, head: HeadModel) -> tuple[np.ndarray, np.ndarray] | None:
    """(A, 3) places of the landmarks that both templates have, without the irises; None for too few."""
    own = _landmarks(head)
    both = own.exist & (np.arange(LANDMARKS) < 468)
    if both.sum() < _FEWEST_ANCHORS:
        return None
    places = _landmarks(reference)[both].on(reference.v_template, reference.faces)
    return places.astype(np.float64), own[both].on(head.v_template, head.faces).astype(np.float64)


def _landmarks_from(laid: Registration, reference: HeadModel, head: HeadModel) -> SurfacePoints:
    """The head's own landmarks, completed by the reference's as they were laid over it; irises by the eyeballs."""
    own, theirs = _landmarks(head), _landmarks(reference)
    places = theirs.on(reference.v_template, reference.faces)
    # Each landmark goes where the laid vertices round it went.
    rest = reference.v_template[laid.vertices].astype(np.float64)[laid.points.exist]
    moved = laid.points[laid.points.exist].on(head.v_template, head.faces).astype(np.float64)
    carried = _carried(places.astype(np.float64), rest, moved, laid.similarity)
    eyes = head.weights[:, JOINTS.index("left_eye") :].max(1) > 0.5
    is_eye = eyes[head.faces].all(1)
    iris = np.arange(LANDMARKS) >= 468
    is_lip = theirs.on(reference.regions["lips"].astype(float), reference.faces) > 0.5
    lip = np.where(is_lip, lip_of(theirs.on(reference.weights[:, JAW], reference.faces)), 0)
    sides = lip_of(head.weights[head.faces, JAW].mean(1))
    faces, bary = np.full(LANDMARKS, -1), np.zeros((LANDMARKS, 3))
    for mask, triangles in ((~iris, is_skin(head)), (iris, is_eye)):
        if triangles.any():
            surface = Surface(head.v_template, head.faces[triangles], sides[triangles])
            found, bary[mask], distance = surface.nearest(carried[mask], label=lip[mask], candidates=24)
            faces[mask] = np.where(distance < 0.01, np.flatnonzero(triangles)[found], -1)
    return SurfacePoints(np.where(own.exist, own.faces, faces), np.where(own.exist[:, None], own.bary, bary))


def _carried(points: np.ndarray, rest: np.ndarray, moved: np.ndarray, similarity: Similarity) -> np.ndarray:
    """Points near a laid surface, moved by the similarity and by what the four nearest vertices moved beyond it."""
    distance, index = cKDTree(rest).query(points, 4)
    share = 1 / (distance + 1e-4)
    beyond = (moved - similarity(rest))[index]
    return similarity(points) + np.einsum("pk,pkc->pc", share / share.sum(1, keepdims=True), beyond)
