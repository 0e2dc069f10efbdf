"""Points of the default head on heads of other triangles, of which the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats import cache
from erlnet_blender.neural.flame import correspondence
from erlnet_blender.neural.flame.correspondence import correspond
from erlnet_blender.neural.flame.registration import Similarity
from erlnet_blender.neural.flame.surface import Surface, SurfacePoints, closest_bary

from ..blender.synthetic_head import synthetic_head
from ..flame_files import flame_sized_head, landmark_embedding
from .remeshed_head import other_person


def places(head, points):
    return points.on(head.v_template, head.faces).astype(float)


def millimetres(found, truth):
    return 1000 * np.linalg.norm(found - truth, axis=-1)


def test_another_persons_head_without_landmarks_is_found_within_2_mm(head, other_head):
    own, found = correspondence.correspondence(head), correspondence.correspondence(other_head)
    assert found.points.exist.mean() > 0.99
    for ours, theirs in ((own.points, found.points), (own.landmarks[:468], found.landmarks[:468])):
        there = theirs.exist
        off = millimetres(places(other_head, theirs[there]), other_person(places(head, ours[there])))
        assert np.sqrt((off**2).mean()) < 1.5
        assert off.max() < 4
    lips = head.regions["lips"][head.faces[own.points.faces]].min(1) > 0.5
    off = millimetres(places(other_head, found.points), other_person(places(head, own.points)))
    assert off[lips & found.points.exist].max() < 2
    assert found.similarity.scale == pytest.approx(1.05, abs=0.03)


def test_lips_stay_on_their_own_side_of_the_mouth(head, other_head):
    own, found = correspondence.correspondence(head), correspondence.correspondence(other_head)
    lips = (head.regions["lips"][head.faces[own.points.faces]].min(1) > 0.5) & found.points.exist
    jaw = own.points.on(head.weights[:, 2], head.faces)[lips]
    theirs = found.points.on(other_head.weights[:, 2], other_head.faces)[lips]
    assert np.corrcoef(jaw, theirs)[0, 1] > 0.98
    assert (theirs[jaw > 0.9] > 0.5).all()
    assert (theirs[jaw < 0.1] < 0.5).all()


def test_a_head_of_flames_size_and_its_own_landmarks(head):
    bare = flame_sized_head()
    faces, bary = landmark_embedding()
    truth = places(bare, SurfacePoints(faces, bary))[:468]
    registered = places(bare, correspondence.correspondence(bare).landmarks)[:468]
    assert np.sqrt((millimetres(registered, truth) ** 2).mean()) < 1.0
    # MICA's embedding holds 105 of MediaPipe's landmarks: these stay, the others are completed.
    some = np.random.default_rng(0).permutation(468)[:105]
    faces, bary = np.where(np.isin(np.arange(478), some), faces, -1), bary
    marked = replace(bare, landmark_faces=faces, landmark_bary=bary)
    completed = correspondence.correspondence(marked).landmarks
    assert (completed.faces[some] == faces[some]).all()
    assert completed.exist[:468].all()
    assert np.sqrt((millimetres(places(bare, completed)[:468], truth) ** 2).mean()) < 0.8


def test_pairs_are_of_the_same_points(head, other_head):
    there, back = correspond(head, other_head), correspond(other_head, head)
    assert (there.source.faces == back.target.faces).all()
    assert there.weights.sum() == pytest.approx(1)
    assert there.similarity.scale * back.similarity.scale == pytest.approx(1, abs=0.01)


def test_what_was_found_is_kept_and_a_damaged_cache_is_no_error(other_head, monkeypatch):
    first = correspondence.correspondence(other_head)
    correspondence._recent.clear()
    with monkeypatch.context() as patch:
        patch.setattr(correspondence, "register", lambda *_: pytest.fail("the cache was not asked"))
        again = correspondence.correspondence(other_head)
    assert (again.points.faces == first.points.faces).all()
    assert np.allclose(again.landmarks.bary, first.landmarks.bary)
    for file in cache.cache_folder().glob("*.npz"):
        file.write_bytes(file.read_bytes()[:1000])
    correspondence._recent.clear()
    assert (correspondence.correspondence(other_head).points.faces == first.points.faces).all()


def test_what_is_no_head_is_refused():
    ball = synthetic_head()
    with pytest.raises(ErlnetError, match=r"laid over|apart|skin"):
        correspondence.correspondence(ball)


def test_nearest_places_against_brute_force():
    random = np.random.default_rng(0)
    corners, points = random.normal(size=(300, 3, 3)), random.normal(size=(300, 3)) * 2
    grid = random.dirichlet([0.5] * 3, 4000)
    everywhere = np.einsum("gk,fkc->fgc", grid, corners)
    best = np.linalg.norm(everywhere - points[:, None], axis=-1).min(1)
    bary = closest_bary(points, corners)
    assert (bary >= 0).all()
    assert np.allclose(bary.sum(1), 1)
    distance = np.linalg.norm(np.einsum("fk,fkc->fc", bary, corners) - points, axis=1)
    assert (distance < best + 1e-9).all()
    assert (best - distance < 0.2).all()


def test_a_surface_hides_what_faces_away_or_is_on_the_other_lip():
    plate = np.array([[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0], [0, 0, -0.001], [0.01, 0, -0.001], [0, 0.01, -0.001]])
    surface = Surface(plate, np.array([[0, 1, 2], [3, 5, 4]]), np.array([1, 2]))
    point = np.array([[0.003, 0.003, -0.0002]])
    up, down = np.array([[0, 0, 1.0]]), np.array([[0, 0, -1.0]])
    assert surface.nearest(point)[0] == 0
    assert surface.nearest(point, up)[0] == 0
    assert surface.nearest(point, down)[0] == 1
    assert surface.nearest(point, None, np.array([2]))[0] == 1
    assert surface.nearest(point, up, np.array([2]))[0] == -1


def test_a_similarity_is_recovered():
    random = np.random.default_rng(1)
    points = random.normal(size=(50, 3))
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = 1.7 * points @ turn.T + [1, 2, 3]
    assert np.allclose(Similarity.between(points, moved)(points), moved)
