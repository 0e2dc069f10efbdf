"""The renderer's camera against Blender's own projection."""

from math import radians

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from erlnet_blender.errors import ErlnetError
from erlnet_blender.scene.camera import camera_of, cropped

POINTS_IN_RIG = np.random.default_rng(0).uniform(-0.15, 0.15, (50, 3))


@pytest.fixture
def scene():
    scene = bpy.context.scene
    rig = bpy.data.objects.new("Rig", None)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    for item in (rig, camera):
        scene.collection.objects.link(item)
    scene.camera = camera
    camera.location, camera.rotation_euler = (0.2, -1.1, 0.3), (radians(80), radians(7), radians(12))
    rig.location, rig.rotation_euler = (0.05, 0.02, 0.1), (radians(90), 0, radians(20))
    return scene


def projected(camera, points):
    """(N, 2) pixels and (N,) distance along the view axis of points in the rig's frame."""
    camera_from_rig = np.linalg.inv(camera.rig_from_camera)
    x, y, z = (points @ camera_from_rig[:3, :3].T + camera_from_rig[:3, 3]).T
    columns = camera.centre_x + camera.focal_x * x / -z
    rows = camera.centre_y - camera.focal_y * y / -z
    return np.stack([columns, rows], 1), -z


def assert_same_as_blender(scene, width, height, percentage=100, scale=1.0):
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = percentage
    width, height = int(width * percentage / 100), int(height * percentage / 100)
    bpy.context.view_layer.update()
    rig = bpy.data.objects["Rig"]
    camera = camera_of(scene, scene.camera, rig, width, height)
    np.testing.assert_allclose(camera.rig_from_camera[:3, :3] @ camera.rig_from_camera[:3, :3].T, np.eye(3), atol=1e-5)
    pixels, distances = projected(camera, POINTS_IN_RIG)
    for point, pixel, distance in zip(POINTS_IN_RIG, pixels, distances, strict=True):
        expected = world_to_camera_view(scene, scene.camera, rig.matrix_world @ Vector(point))
        np.testing.assert_allclose(pixel, [expected.x * width, (1 - expected.y) * height], atol=2e-3)
        assert distance * scale == pytest.approx(expected.z, rel=1e-4)
    return camera


def test_plain_square(scene):
    assert_same_as_blender(scene, 256, 256)


@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
def test_sensor_fit_and_shift(scene, size, fit):
    data = scene.camera.data
    data.sensor_fit, data.sensor_width, data.sensor_height, data.lens = fit, 36, 20, 85
    data.shift_x, data.shift_y = 0.13, -0.21
    assert_same_as_blender(scene, *size)


def test_pixel_aspect(scene):
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = 1.5, 1.0
    camera = assert_same_as_blender(scene, 400, 300)
    assert camera.focal_y == pytest.approx(1.5 * camera.focal_x)


def test_percentage(scene):
    assert_same_as_blender(scene, 512, 512, percentage=25)


def test_camera_scale_is_ignored_and_even_rig_scale_is_undone(scene):
    scene.camera.scale = (2, 2, 2)
    bpy.data.objects["Rig"].scale = (3, 3, 3)
    assert_same_as_blender(scene, 256, 256, scale=3.0)


def test_rays_meet_the_projected_points(scene):
    bpy.context.view_layer.update()
    camera = camera_of(scene, scene.camera, bpy.data.objects["Rig"], 64, 48)
    origin, directions = camera.rays()
    pixels, _ = projected(camera, origin + 0.7 * directions[10, 20:21])
    np.testing.assert_allclose(pixels, [[20.5, 10.5]], atol=1e-4)
    part = cropped(camera, 16, 8, 32, 24)
    np.testing.assert_allclose(part.rays()[1], directions[8:32, 16:48], atol=1e-9)


@pytest.mark.parametrize("kind", ["ORTHO", "PANO"])
def test_other_cameras_are_refused_by_name(scene, kind):
    scene.camera.data.type = kind
    with pytest.raises(ErlnetError, match="Camera, set its type"):
        camera_of(scene, scene.camera, bpy.data.objects["Rig"], 64, 64)


def test_no_camera_is_refused(scene):
    with pytest.raises(ErlnetError, match="no camera"):
        camera_of(scene, None, bpy.data.objects["Rig"], 64, 64)


@pytest.mark.parametrize("scale", [(1, 2, 1), (-1, 1, 1), (0, 0, 0)])
def test_impossible_scales_are_refused(scene, scale):
    bpy.data.objects["Rig"].scale = scale
    bpy.context.view_layer.update()
    with pytest.raises(ErlnetError, match="scaled"):
        camera_of(scene, scene.camera, bpy.data.objects["Rig"], 64, 64)
