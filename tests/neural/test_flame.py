"""FLAME's mathematics against a slow float64 reference written as plain loops."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from erlnet_blender.formats.head_model import PARENTS, HeadModel
from erlnet_blender.neural.flame.lbs import FlameTensors, forward, pose_track, rotation_matrices


def random_head(seed=0, vertices=40, shapes=4, expressions=6):
    rng = np.random.default_rng(seed)
    weights = rng.random((vertices, 5))
    regressor = rng.random((5, vertices))
    return HeadModel(
        v_template=rng.normal(size=(vertices, 3)),
        faces=rng.integers(0, vertices, (30, 3)),
        shapedirs=rng.normal(size=(vertices, 3, shapes)),
        expressiondirs=rng.normal(size=(vertices, 3, expressions)),
        posedirs=rng.normal(size=(36, 3 * vertices)),
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True),
        parents=PARENTS,
        eyelids=rng.normal(size=(2, vertices, 3)),
        meta={"id": "random"},
    )


def reference(head, expr, pose, translation, shape, eyelids):
    """One frame, vertex by vertex, in float64."""
    f8 = {name: getattr(head, name).astype(np.float64) for name in ("v_template", "posedirs", "J_regressor", "weights")}
    shaped = (
        f8["v_template"] + head.shapedirs.astype(np.float64) @ shape + head.expressiondirs.astype(np.float64) @ expr
    )
    joints = f8["J_regressor"] @ shaped
    rotations = Rotation.from_rotvec(pose).as_matrix()
    feature = np.concatenate([(rotations[j] - np.eye(3)).ravel() for j in range(1, 5)])
    shaped = shaped + (feature @ f8["posedirs"]).reshape(-1, 3)
    for side in range(2):
        shaped = shaped + eyelids[side] * head.eyelids[side].astype(np.float64)
    world = []
    for j in range(5):
        local = np.eye(4)
        local[:3, :3] = rotations[j]
        local[:3, 3] = joints[j] - rotations[j] @ joints[j]
        world.append(local if PARENTS[j] < 0 else world[PARENTS[j]] @ local)
    posed = np.zeros_like(shaped)
    for v, point in enumerate(shaped):
        for j in range(5):
            posed[v] += f8["weights"][v, j] * (world[j] @ np.append(point, 1))[:3]
    return posed + translation


def test_batch_equals_the_float64_reference():
    head = random_head()
    rng = np.random.default_rng(1)
    expr, shape = rng.normal(size=(5, 6)), rng.normal(size=4)
    pose, translation, eyelids = rng.normal(size=(5, 5, 3)), rng.normal(size=(5, 3)), rng.random((5, 2))
    expected = np.stack([reference(head, expr[i], pose[i], translation[i], shape, eyelids[i]) for i in range(5)])
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 2e-4)):
        flame = FlameTensors.from_head(head, dtype)
        args = [torch.as_tensor(a, dtype=dtype) for a in (expr, pose, translation, shape, eyelids)]
        result = forward(flame, *args)
        np.testing.assert_allclose(result.vertices.numpy(), expected, atol=tolerance)


def test_gradients_are_those_of_finite_differences():
    flame = FlameTensors.from_head(random_head(vertices=6), torch.float64)
    generator = torch.Generator().manual_seed(2)
    expr = torch.randn(2, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    pose = torch.randn(2, 5, 3, dtype=torch.float64, generator=generator)
    pose[0, 1] = 0  # the axis-angle map must be smooth at rest
    pose.requires_grad_()
    assert torch.autograd.gradcheck(lambda e, p: forward(flame, e, p).vertices, (expr, pose), atol=1e-6)


def test_rotations_agree_with_scipy_from_tiny_to_a_full_turn():
    axis = np.array([[0.6, -0.3, 0.742]]) / np.linalg.norm([0.6, -0.3, 0.742])
    vectors = axis * np.array([0, 1e-9, 1e-5, 1e-3, 0.1, 1, 3, 6])[:, None]
    found = rotation_matrices(torch.as_tensor(vectors)).numpy()
    np.testing.assert_allclose(found, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-8)


def test_fewer_coefficients_than_the_model_has_leave_the_rest_at_zero():
    flame = FlameTensors.from_head(random_head(), torch.float64)
    pose = torch.zeros(1, 5, 3, dtype=torch.float64)
    short = forward(flame, torch.ones(1, 2, dtype=torch.float64), pose).vertices
    full = forward(flame, torch.tensor([[1.0, 1, 0, 0, 0, 0]], dtype=torch.float64), pose).vertices
    torch.testing.assert_close(short, full)


def test_a_track_is_posed_frame_by_frame():
    from tests.unit.test_face_track import make_track

    flame = FlameTensors.from_head(random_head())
    track = make_track(expressions=6)
    whole = pose_track(flame, track).vertices
    torch.testing.assert_close(whole[3:4], pose_track(flame, track[3]).vertices)
    with pytest.raises(IndexError):
        pose_track(flame, track[len(track)])
