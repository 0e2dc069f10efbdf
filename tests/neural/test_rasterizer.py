"""The rasteriser against a slow float64 z-buffer."""

import numpy as np
import pytest
import torch

from erlnet_blender.camera import Camera
from erlnet_blender.neural.dbf_nerf.rasterizer import View, rasterize, ray_plane

WIDTH, HEIGHT = 24, 18


def look_from(z: float = 1.0) -> Camera:
    pose = np.eye(4)
    pose[:3, 3] = [0.02, -0.01, z]
    return Camera(pose, 40.0, 44.0, 11.5, 9.25, WIDTH, HEIGHT)


def reference(vertices: np.ndarray, faces: np.ndarray, camera: Camera, facing: int = 0) -> np.ndarray:
    """Every pixel against every triangle by solving for the ray's meeting point; also how near an edge it is."""
    origin, directions = camera.rays()
    found, best = np.full(HEIGHT * WIDTH, -1), np.full(HEIGHT * WIDTH, np.inf)
    margin = np.full(HEIGHT * WIDTH, np.inf)
    for number, face in enumerate(faces):
        a, b, c = vertices[face].astype(np.float64)
        normal = np.cross(b - a, c - a)
        for pixel, direction in enumerate(directions.reshape(-1, 3)):
            if facing and np.sign(-direction @ normal) != facing:
                continue
            u, v, t = np.linalg.solve(np.stack([b - a, c - a, -direction], 1), origin - a)
            inside = min(u, v, 1 - u - v)
            if t > 0:
                margin[pixel] = min(margin[pixel], abs(inside))
            if inside >= 0 and 0 < t < best[pixel]:
                best[pixel], found[pixel] = t, number
    return np.where(margin < 1e-4, -2, found)


@pytest.fixture
def triangles():
    random = np.random.default_rng(5)
    vertices = random.uniform([-0.3, -0.25, -0.4], [0.3, 0.25, 0.3], (60, 3)).astype(np.float32)
    return vertices, random.permutation(60).reshape(20, 3)


@pytest.mark.parametrize("facing", [0, 1, -1])
def test_nearest_triangle(triangles, facing):
    vertices, faces = triangles
    camera = look_from()
    view = View.from_camera(camera)
    ours = rasterize(torch.as_tensor(vertices), torch.as_tensor(faces), view, split_facing=facing != 0)
    ours = (ours if facing == 0 else ours[0 if facing > 0 else 1]).numpy()
    truth = reference(vertices, faces, camera, facing)
    sure = truth != -2
    assert sure.mean() > 0.9
    assert (truth[sure] >= 0).sum() > 50
    np.testing.assert_array_equal(ours[sure], truth[sure])


def test_wanted_pixels_see_the_same(triangles):
    vertices, faces = (torch.as_tensor(part) for part in triangles)
    view = View.from_camera(look_from())
    wanted = torch.rand(WIDTH * HEIGHT, generator=torch.Generator().manual_seed(1)) < 0.05
    whole, part = rasterize(vertices, faces, view), rasterize(vertices, faces, view, only=wanted)
    assert torch.equal(whole[wanted], part[wanted])
    assert (whole[wanted] >= 0).any()
    assert (rasterize(vertices, faces, view, only=torch.zeros_like(wanted)) == -1).all()


def test_view_agrees_with_camera():
    camera = look_from()
    view = View.from_camera(camera)
    origin, directions = camera.rays()
    np.testing.assert_allclose(view.origin.numpy(), origin, atol=1e-6)
    np.testing.assert_allclose(
        view.directions(torch.arange(WIDTH * HEIGHT)).numpy(), directions.reshape(-1, 3), atol=1e-6
    )


def test_meeting_point(triangles):
    vertices, faces = (torch.as_tensor(part) for part in triangles)
    view = View.from_camera(look_from())
    ids = rasterize(vertices, faces, view)
    pixels = torch.nonzero(ids >= 0)[:, 0]
    directions = view.directions(pixels)
    distance, barycentric = ray_plane(vertices[faces[ids[pixels]]], view.origin, directions)
    by_ray = view.origin + distance[:, None] * directions
    by_triangle = (vertices[faces[ids[pixels]]] * barycentric[..., None]).sum(1)
    torch.testing.assert_close(by_ray, by_triangle, atol=2e-4, rtol=0)
    assert (barycentric >= 0).all()


def test_head_behind_the_camera_or_round_it_is_not_drawn(triangles):
    vertices, faces = (torch.as_tensor(part) for part in triangles)
    assert (rasterize(vertices, faces, View.from_camera(look_from(-3.0))) == -1).all()
    inside = rasterize(vertices, faces, View.from_camera(look_from(0.0)))
    assert inside.max() < len(faces)


def test_triangle_larger_than_the_picture():
    vertices = torch.tensor([[-50.0, -50.0, 0.0], [50.0, -50.0, 0.0], [0.0, 90.0, 0.0]])
    ids = rasterize(vertices, torch.tensor([[0, 1, 2]]), View.from_camera(look_from()))
    assert (ids == 0).all()
