"""Identity of the default head: named, symmetric, human, and everything rides along."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.head_presets import PRESETS
from studio.head.rings import LOWER_INNER, UPPER_INNER

NAMES = (
    "head_width", "head_length", "face_width", "face_length", "jaw_width", "chin_forward", "chin_height", "nose_length",
    "nose_width", "nose_bridge", "nose_tip_up", "eye_size", "eye_spacing", "eye_tilt", "brow_ridge", "cheekbones",
    "cheek_fullness", "lip_fullness", "mouth_width", "ear_size", "neck_width", "age", "sex",
)  # fmt: skip
EYE_RADIUS_M = 0.012
RANDOM_HEADS = 100


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


def part(head: HeadModel, name: str) -> slice:
    return slice(*head.meta["parts"][name])


def single(head: HeadModel, name: str, value: float) -> np.ndarray:
    return value * (np.array(head.meta["shape_names"]) == name)


@pytest.fixture(scope="module")
def people(head) -> list[tuple[str, np.ndarray]]:
    """Each component at its ends, random people, and the presets: names and coefficients."""
    count = head.shapedirs.shape[-1]
    found = [(f"{n} {v:+.0f}", single(head, n, v)) for n in head.meta["shape_names"] for v in (-2.0, 2.0)]
    rng = np.random.default_rng(0)
    found += [(f"random {k}", np.clip(rng.normal(size=count), -2, 2)) for k in range(RANDOM_HEADS)]
    for preset in PRESETS.values():
        found.append((preset.name, np.sum([single(head, n, v) for n, v in preset.shape.items()] or [0], axis=0)))
    return found


def shaped(head: HeadModel, coefficients: np.ndarray) -> np.ndarray:
    return head.v_template + head.shapedirs @ np.broadcast_to(coefficients, head.shapedirs.shape[-1:])


def test_names(head):
    assert tuple(head.meta["shape_names"][: len(NAMES)]) == NAMES
    assert head.shapedirs.shape[-1] == len(head.meta["shape_names"])


def test_components_are_symmetric(head):
    """A mirrored vertex moves by the mirrored offset, up to the storage's half precision."""
    skin = part(head, "skin")
    points = head.v_template[skin]
    other = cKDTree(points).query(points * [-1, 1, 1])[1]
    # Closed lips nearly coincide, so that the nearest mirrored vertex may be the other lip's.
    clear = cKDTree(points).query(points, k=2)[0][:, 1] > 2e-4
    for index, name in enumerate(head.meta["shape_names"]):
        offsets = head.shapedirs[skin, :, index]
        difference = offsets[clear] - offsets[other][clear] * [-1, 1, 1]
        assert np.abs(difference).max() < 5e-5, name


def test_one_sigma_is_of_human_size(head):
    """Published spreads of adult heads: breadth 6 mm, length 7 mm, face 5 to 7 mm, pupils 3 to 4 mm apart."""

    def change(name: str, axis: int, vertices: slice | list[int]) -> float:
        delta = shaped(head, single(head, name, 1)) - head.v_template
        return float(np.ptp(delta[vertices, axis]))

    skin = part(head, "skin")
    assert 0.004 < change("head_width", 0, skin) < 0.008
    assert 0.005 < change("head_length", 2, skin) < 0.009
    assert 0.004 < change("face_width", 0, skin) < 0.008
    assert 0.004 < change("face_length", 1, list(range(468))) < 0.008
    assert 0.005 < change("jaw_width", 0, skin) < 0.009
    assert 0.002 < change("eye_spacing", 0, [*range(*head.meta["parts"]["eye_left"]),
                                             *range(*head.meta["parts"]["eye_right"])]) < 0.005  # fmt: skip


def test_lips_stay_closed(head, people):
    for name, coefficients in people:
        points = shaped(head, coefficients)
        gap = np.linalg.norm(points[list(UPPER_INNER)] - points[list(LOWER_INNER)], axis=1).max()
        assert gap < 0.00015, name


def test_eyeballs_stay_in_their_sockets(head, people):
    lids = np.flatnonzero(head.regions["face"] & (head.regions["lid_rim"] < 0.6))
    for name, coefficients in people:
        points = shaped(head, coefficients)
        for joint, piece in ((3, "eye_left"), (4, "eye_right")):
            centre = (head.J_regressor @ points)[joint]
            radius = np.linalg.norm(points[part(head, piece)] - centre, axis=1)
            assert np.ptp(radius) < 0.0005, name  # still a ball with its cornea about its joint
            away = points[lids] - centre
            front = away[:, 2] > 0.003
            assert np.linalg.norm(away[front], axis=1).min() > radius.min() + 0.0002, name


def test_joints_follow(head):
    wide = head.J_regressor @ (shaped(head, single(head, "eye_spacing", 2)) - head.v_template)
    assert wide[3, 0] > 0.002
    assert wide[4, 0] < -0.002
    np.testing.assert_allclose(wide[3], wide[4] * [-1, 1, 1], atol=1e-5)


def test_mouth_parts_stay_behind_the_lips(head, people):
    for name, coefficients in people:
        points = shaped(head, coefficients)
        for piece in ("teeth_upper", "teeth_lower", "gum_upper", "gum_lower", "tongue"):
            assert points[part(head, piece), 2].max() < points[13, 2] - 0.002, (name, piece)


def covered(points: np.ndarray, triangles: np.ndarray, axis: int, sign: np.ndarray) -> np.ndarray:
    """(N,) whether a ray from each point along the axis, to its own sign, meets a triangle (T, 3, 3)."""
    plane = [k for k in range(3) if k != axis]
    corner, flat = triangles[..., axis], triangles[..., plane]
    a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    usable = np.abs(area) > 1e-12
    corner, flat, a, b, area = corner[usable], flat[usable], a[usable], b[usable], area[usable]
    found = np.zeros(len(points), bool)
    for k, point in enumerate(points):
        to = point[plane] - flat[:, 0]
        v = (to[:, 0] * b[:, 1] - to[:, 1] * b[:, 0]) / area
        w = (a[:, 0] * to[:, 1] - a[:, 1] * to[:, 0]) / area
        hit = (v >= 0) & (w >= 0) & (v + w <= 1)
        at = corner[hit, 0] * (1 - v[hit] - w[hit]) + corner[hit, 1] * v[hit] + corner[hit, 2] * w[hit]
        found[k] = (sign[k] * (at - point[axis]) > 0).any()
    return found


def test_mouth_parts_stay_inside_the_skin(head, people):
    """From every fourth vertex of teeth, gums, tongue and bag, the way out to the side and to the front is barred."""
    outer = np.flatnonzero(
        (head.regions["mouth_bag"] < 0.01) & (np.arange(len(head.v_template)) < part(head, "skin").stop)
    )
    near = np.isin(head.faces, outer).all(1) & (np.abs(head.v_template[head.faces, 1].mean(1) + 0.045) < 0.05)
    inner = [np.arange(len(head.v_template))[part(head, n)] for n in
             ("teeth_upper", "teeth_lower", "gum_upper", "gum_lower", "tongue")]  # fmt: skip
    inner = np.concatenate([*inner, np.flatnonzero(head.regions["mouth_bag"] > 0.9)])[::4]
    for name, coefficients in people[::12]:
        points = shaped(head, coefficients)
        triangles, own = points[head.faces[near]], points[inner]
        side = np.where(own[:, 0] < 0, -1.0, 1.0)
        assert covered(own, triangles, 0, side).all(), name
        assert covered(own, triangles, 2, np.ones(len(own))).all(), name


def test_faces_do_not_turn_over(head, people):
    """No triangle of the outer face is inverted or crushed, in any of the people."""
    inner = (head.regions["mouth_bag"] > 0.5) | (head.regions["lid_rim"] > 0.2) | (head.regions["nostrils"] > 0.02)
    outside = (head.regions["face"] > 0.5) & ~inner
    faces = head.faces[outside[head.faces].all(1)]

    def normals(points: np.ndarray) -> np.ndarray:
        corner = points[faces]
        return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])

    neutral = normals(head.v_template)
    unit = neutral / np.linalg.norm(neutral, axis=1, keepdims=True)
    for name, coefficients in people:
        assert ((normals(shaped(head, coefficients)) * unit).sum(1) > 0.05 * np.linalg.norm(neutral, axis=1)).all(), (
            name
        )


def test_hair_and_ears_ride_along(head, people):
    """Brow roots stay on the skin, and where an ear lies on the head it goes with it."""
    skin = head.v_template[part(head, "skin")]
    ears = head.v_template[part(head, "ears")]
    distance, near = cKDTree(skin).query(ears)
    touching = distance < 0.002
    assert touching.sum() > 50
    for name, coefficients in people:
        moved = head.shapedirs @ np.broadcast_to(coefficients, head.shapedirs.shape[-1:])
        apart = moved[part(head, "ears")][touching] - moved[part(head, "skin")][near[touching]]
        assert np.linalg.norm(apart, axis=1).max() < 0.004, name


def test_second_preset_is_another_person(head):
    shape = PRESETS["second"].shape
    assert set(shape) <= set(NAMES)
    assert max(np.abs(list(shape.values()))) <= 2
    points = shaped(head, np.sum([single(head, n, v) for n, v in shape.items()], axis=0))
    face = np.linalg.norm(points[:468] - head.v_template[:468], axis=1)
    assert np.sqrt((face**2).mean()) > 0.003
