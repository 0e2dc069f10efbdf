"""The default head: what the file holds, and that lips seal, lids shut and eyes stay in their sockets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from erlnet_blender.formats.head_model import JOINTS, HeadModel, default_head_path
from erlnet_blender.neural.flame.lbs import FlameTensors, forward
from studio.head.assemble import Head, build_head
from studio.head.eyelids import lid_paths
from studio.head.rings import EYE_LOWER, EYE_UPPER, UPPER_INNER

REQUIRED_REGIONS = [
    "skin",
    "lips",
    "eye_region",
    "eyeballs",
    "teeth",
    "gums",
    "tongue",
    "mouth_bag",
    "ears",
    "scalp",
    "neck",
    "torso",
    "brows",
    "lashes",
]
EYE_RADIUS_M = 0.012


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


def part(head: HeadModel, name: str) -> slice:
    return slice(*head.meta["parts"][name])


def posed(
    head: HeadModel, expression: dict[str, float] | None = None, jaw_deg: float = 0.0, lids=(0.0, 0.0)
) -> np.ndarray:
    """(V, 3) after expression, lids and the jaw alone (linear-blend skinning)."""
    points = head.v_template + head.expressiondirs @ head.expression(expression or {})
    points = points + np.einsum("e,evc->vc", np.array(lids), head.eyelids)
    joint = (head.J_regressor @ head.v_template)[JOINTS.index("jaw")]
    c, s = np.cos(np.radians(jaw_deg)), np.sin(np.radians(jaw_deg))
    turned = (points - joint) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T + joint
    return points + head.weights[:, [JOINTS.index("jaw")]] * (turned - points)


def mirror(head: HeadModel) -> np.ndarray:
    return cKDTree(head.v_template).query(head.v_template * [-1, 1, 1])[1]


def test_counts_and_names(head):
    assert len(head.v_template) >= 4000
    assert len(head.v_template) <= 28000
    assert head.shapedirs.shape[-1] >= 10
    assert default_head_path().stat().st_size <= 6e6


def test_every_region_is_there(head):
    for name in REQUIRED_REGIONS:
        assert (head.regions[name] > 0.5).sum() >= 100, name


def test_every_component_moves_something(head):
    for basis in (head.expressiondirs, head.shapedirs):
        assert (np.linalg.norm(basis, axis=1).max(0) > 0.0005).all()


def test_each_side_of_a_pair_moves_its_own_half(head):
    for index, name in enumerate(head.expression_names):
        if name.endswith(("_L", "_R")):
            size = np.linalg.norm(head.expressiondirs[..., index], axis=1)
            left, right = (size[side].sum() for side in (head.v_template[:, 0] > 0, head.v_template[:, 0] < 0))
            assert (left > 5 * right) if name.endswith("_L") else (right > 5 * left), name


def test_skin_is_symmetric(head):
    skin = head.v_template[part(head, "skin")]
    distance, _ = cKDTree(skin).query(skin * [-1, 1, 1])
    assert distance.max() < 1e-5


def test_faces_have_area_and_stand_alone(head):
    used = np.unique(head.faces)
    assert len(used) == len(head.v_template)
    skin = head.faces[(head.faces < part(head, "skin").stop).all(1)]
    edges = skin[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(edges, axis=0)) == len(edges)  # consistently wound, no edge used three times
    corner = head.v_template[skin]
    assert np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).min() > 0


def test_skin_has_no_folds_behind_the_jaw(head):
    skin = head.faces[(head.faces < part(head, "skin").stop).all(1)]
    corner = head.v_template[skin]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    edges: dict[tuple[int, int], int] = {}
    outside = (
        ~head.regions["face"]
        & ~head.regions["mouth_bag"]
        & (head.regions["nostrils"] < 0.1)
        & (head.regions["lips"] < 0.1)
    )
    outside &= (head.regions["lid_rim"] < 0.1) & (head.v_template[:, 1] > -0.12)
    for index, triangle in enumerate(skin.tolist()):
        if not outside[triangle].all():
            continue
        for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
            other = edges.setdefault((min(a, b), max(a, b)), index)
            assert normal[index] @ normal[other] > 0.5


def test_weights_are_a_partition(head):
    assert head.weights.min() >= 0
    np.testing.assert_allclose(head.weights.sum(1), 1, atol=1e-6)
    for name, joint in (("eye_left", 3), ("eye_right", 4), ("teeth_lower", 2), ("teeth_upper", 1), ("ears", 1)):
        assert (head.weights[part(head, name), joint] == 1).all(), name


def test_joints_lie_where_they_should(head):
    joints = head.J_regressor @ head.v_template
    np.testing.assert_allclose(head.J_regressor.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(joints[1], [0, -0.09, -0.065], atol=1e-5)
    for joint, name in ((3, "eye_left"), (4, "eye_right")):
        ball = head.v_template[part(head, name)] - joints[joint]
        assert np.ptp(np.linalg.norm(ball, axis=1)) < 0.0004  # a ball with its cornea
    assert joints[3, 0] > 0 > joints[4, 0]


def test_joints_ignore_expressions(head):
    moved = np.einsum("jv,vce->jce", head.J_regressor, head.expressiondirs)
    assert np.abs(moved).max() == 0
    assert np.abs(np.einsum("jv,evc->jec", head.J_regressor, head.eyelids)).max() == 0


def test_lids_meet_between_the_landmarks(head):
    """Every vertex of the fine mesh on the lines of contact, not only the landmarks."""
    made = Head()
    shut = posed(head, lids=(1, 1))
    for side in (0, 1):
        upper, lower = lid_paths(made.cage, made.subdivision, side)
        assert len(upper) == len(lower) == 33
        assert np.linalg.norm(shut[upper] - shut[lower], axis=1).max() < 0.0003


def test_open_jaw_opens_the_mouth(head):
    points = posed(head, jaw_deg=10)
    assert points[13, 1] - points[14, 1] > 0.008


def test_lids_shut(head):
    points = posed(head, lids=(1, 1))
    other = {a: int(b) for a, b in enumerate(mirror(head)[:468])}
    for upper, lower in zip(EYE_UPPER[1:-1], EYE_LOWER[1:-1], strict=True):
        for a, b in ((upper, lower), (other[upper], other[lower])):
            assert np.linalg.norm(points[a] - points[b]) < 0.0003
    one = posed(head, lids=(1, 0))
    assert np.linalg.norm(one[other[159]] - one[other[145]]) < 0.0003  # left
    assert np.linalg.norm(one[159] - one[145]) > 0.006  # right stays open


@pytest.mark.parametrize("closure", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_eyeballs_stay_behind_the_lids(head, closure):
    points = posed(head, lids=(closure, closure))
    joints = head.J_regressor @ head.v_template
    face = head.regions["face"] & (head.regions["lid_rim"] < 0.6)
    for centre in joints[3:]:
        away = points[face] - centre
        front = away[:, 2] > 0.003
        assert np.linalg.norm(away[front], axis=1).min() > EYE_RADIUS_M + 0.0003
    skull = points[part(head, "skin")]
    assert skull[:, 2].max() > joints[3, 2] + EYE_RADIUS_M  # sunk into the head, not floating before it


def test_landmarks_lie_on_the_mesh(head):
    assert head.landmark_faces.shape == (478,)
    np.testing.assert_allclose(head.landmark_bary.sum(1), 1, atol=1e-6)
    places = np.einsum("lk,lkc->lc", head.landmark_bary, head.v_template[head.faces[head.landmark_faces]])
    np.testing.assert_allclose(places[:468], head.v_template[:468], atol=1e-7)
    joints = head.J_regressor @ head.v_template
    for start, joint, side in ((468, 4, -1), (473, 3, 1)):
        iris = places[start : start + 5] - joints[joint]
        assert side * places[start, 0] > 0.02
        np.testing.assert_allclose(np.linalg.norm(iris, axis=1), EYE_RADIUS_M, atol=0.0005)
        np.testing.assert_allclose(np.linalg.norm(iris[1:, :2], axis=1), 0.006, atol=0.0003)


def test_mouth_parts_lie_behind_the_lips(head):
    lips = head.v_template[list(UPPER_INNER)]
    for name in ("teeth_upper", "teeth_lower", "gum_upper", "gum_lower", "tongue"):
        assert head.v_template[part(head, name), 2].max() < lips[5, 2] - 0.003, name


def test_uv_covers_every_face(head):
    assert head.uv_faces.shape == head.faces.shape
    assert np.isfinite(head.uv).all()
    # The one at the crown, where the cylinder's axis comes out, spans two thirds of a turn.
    assert np.ptp(head.uv[head.uv_faces][..., 0], axis=1).max() < 0.7


def test_rebuilding_gives_the_same_numbers(head):
    built = build_head()
    assert built.meta == head.meta
    np.testing.assert_array_equal(built.faces, head.faces)
    np.testing.assert_allclose(built.v_template, head.v_template, atol=1e-6)
    np.testing.assert_allclose(built.weights, head.weights, atol=1e-5)
    # Bases are stored as float16: steps of 8 micrometres at one centimetre.
    for name in ("expressiondirs", "shapedirs", "eyelids"):
        np.testing.assert_allclose(getattr(built, name), getattr(head, name), atol=1e-5, err_msg=name)


def test_turned_neck_keeps_its_girth(head):
    """Skinning alone narrows the neck as it turns; the correctives give back nearly all of it."""
    flame = FlameTensors.from_head(head, torch.float64)
    neck = head.regions["neck"] > 0
    share = head.weights[neck, 1:].sum(1)
    band = (share > 0.3) & (share < 0.7)
    axis = flame.J_regressor[1] @ flame.v_template
    girth = {}
    for kind, posedirs in (("skinned", 0 * flame.posedirs), ("corrected", flame.posedirs)):
        posed = []
        for yaw in (0.0, np.radians(25)):
            pose = torch.zeros(1, 5, 3, dtype=torch.float64)
            pose[0, 1, 1] = yaw
            turned = forward(replace(flame, posedirs=posedirs), torch.zeros(1, 1, dtype=torch.float64), pose)
            posed.append((turned.vertices[0, neck][band] - axis)[:, [0, 2]].norm(dim=1))
        girth[kind] = float((posed[1] / posed[0]).mean())
    assert girth["skinned"] < 0.985
    assert abs(girth["corrected"] - 1) < 0.002
