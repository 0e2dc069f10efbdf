"""Blender's cameras and views as the renderer's pinhole camera, in the space of a rig."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix

from ..camera import Camera
from ..errors import ErlnetError

# A rig may be scaled evenly; more skew than this is not a rigid view of the head any more.
SKEW_TOLERANCE = 1e-3


def camera_of(
    scene: bpy.types.Scene,
    camera_object: bpy.types.Object | None,
    rig: bpy.types.Object,
    width: int,
    height: int,
    depsgraph: bpy.types.Depsgraph | None = None,
) -> Camera:
    """A Blender camera as seen from the rig, with its shift, sensor fit and the scene's pixel aspect.

    Args:
        width, height: size of the image in pixels, percentage included, border not.
        depsgraph: whose evaluation to use; None is the context's.

    Raises:
        ErlnetError: there is no camera, it is not a perspective one, or the rig is scaled unevenly.
    """
    if camera_object is None or camera_object.type != "CAMERA":
        raise ErlnetError("The scene has no camera", scene.name, "add one with Add > Camera and make it active")
    if camera_object.data.type != "PERSP":
        kind = camera_object.data.type.lower()
        remedy = "set its type to Perspective"
        raise ErlnetError(f"A camera of type {kind} is not supported", camera_object.name, remedy)
    depsgraph = depsgraph or bpy.context.evaluated_depsgraph_get()
    evaluated = camera_object.evaluated_get(depsgraph)
    projection = evaluated.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=scene.render.pixel_aspect_x, scale_y=scene.render.pixel_aspect_y
    )
    # A camera object's scale does not matter to Blender either.
    world_from_camera = evaluated.matrix_world.normalized()
    return _pinhole(projection, world_from_camera, rig.evaluated_get(depsgraph), width, height)


def camera_of_view(
    view: bpy.types.RegionView3D, rig: bpy.types.Object, width: int, height: int, depsgraph: bpy.types.Depsgraph
) -> Camera:
    """A 3D viewport's view as seen from the rig.

    Raises:
        ErlnetError: the view is orthographic, or the rig is scaled unevenly.
    """
    if not view.is_perspective or view.window_matrix[3][2] == 0:
        raise ErlnetError("An orthographic view is not supported", "", "press numpad 5 for perspective")
    return _pinhole(view.window_matrix, view.view_matrix.inverted(), rig.evaluated_get(depsgraph), width, height)


def cropped(camera: Camera, left: int, top: int, width: int, height: int) -> Camera:
    """The part of a camera's image that starts at column `left` and row `top`."""
    return replace(camera, centre_x=camera.centre_x - left, centre_y=camera.centre_y - top, width=width, height=height)


def scale_of(rig: bpy.types.Object) -> float:
    """How many of the scene's units one metre of the rig is.

    Raises:
        ErlnetError: the rig is scaled unevenly, mirrored, or to nothing.
    """
    axes = np.array(rig.matrix_world.to_3x3())
    lengths = np.linalg.norm(axes, axis=0)
    scale = float(lengths.mean())
    if not np.isfinite(axes).all() or scale < 1e-9:
        raise ErlnetError("The head is scaled to nothing", rig.name, "set its scale to 1")
    if np.abs(axes.T @ axes / scale**2 - np.eye(3)).max() > SKEW_TOLERANCE or np.linalg.det(axes) < 0:
        remedy = "use the same positive scale on all axes"
        raise ErlnetError("The head is scaled unevenly or mirrored", rig.name, remedy)
    return scale


def _pinhole(projection: Matrix, world_from_camera: Matrix, rig: bpy.types.Object, width: int, height: int) -> Camera:
    """`projection` is OpenGL's: clip = projection · camera, x and y in -1..1 with y up."""
    scale = scale_of(rig)
    rig_from_camera = np.array(rig.matrix_world.inverted() @ world_from_camera)
    rig_from_camera[:3, :3] *= scale  # the inverse of an even scale; what is left is a rotation
    return Camera(
        rig_from_camera=rig_from_camera,
        focal_x=projection[0][0] * width / 2,
        focal_y=projection[1][1] * height / 2,
        centre_x=(1 - projection[0][2]) * width / 2,
        centre_y=(1 + projection[1][2]) * height / 2,
        width=width,
        height=height,
    )
