"""What the renderer's image becomes in Blender's Render Result (numpy; no state)."""

from __future__ import annotations

import bpy
import numpy as np

from ..camera import Camera

# name in Blender, channels, their ids, type for Blender
COMBINED = ("Combined", 4, "RGBA", "COLOR")
DEPTH = ("Depth", 1, "Z", "VALUE")
# What Blender's own engines write where there is nothing.
FAR = 1e10
# Less of a head than this in a pixel does not give it a depth.
OPAQUE = 0.5

# From Blender 5.0 a file chooses the space that scene-linear colour is in; we render in Rec. 709.
# The matrices adapt the white point (D65 to D60 for ACEScg, after Bradford).
_FROM_REC709 = {
    "Linear Rec.2020": ((0.627404, 0.329283, 0.043313), (0.069097, 0.919540, 0.011362), (0.016391, 0.088013, 0.895595)),
    "ACEScg": ((0.613097, 0.339523, 0.047379), (0.070194, 0.916354, 0.013452), (0.020616, 0.109570, 0.869815)),
}


def asked_passes(view_layer: bpy.types.ViewLayer) -> list[tuple[str, int, str, str]]:
    """The passes that a view layer asks for and that we have."""
    return [COMBINED, DEPTH] if view_layer.use_pass_z else [COMBINED]


def background_of(scene: bpy.types.Scene) -> np.ndarray | None:
    """(3,) scene-linear colour behind the head; None if the film is transparent."""
    if scene.render.film_transparent:
        return None
    world = scene.world
    if world is None:
        return np.zeros(3, np.float32)
    tree = world.node_tree if world.use_nodes else None
    for node in tree.nodes if tree else ():
        if node.type == "BACKGROUND" and not node.inputs["Color"].is_linked:
            colour = np.array(node.inputs["Color"].default_value[:3], np.float32)
            return colour * np.float32(node.inputs["Strength"].default_value)
    return np.array(world.color, np.float32)


def combined(rgba: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """The image over its background.

    Args:
        rgba: (height, width, 4) scene-linear, premultiplied.
        background: (3,) scene-linear, or None to keep the image transparent.
    """
    if background is None:
        return rgba
    image = np.ones_like(rgba)
    image[..., :3] = rgba[..., :3] + (1 - rgba[..., 3:]) * background
    return image


def in_working_space(rgba: np.ndarray, space: str) -> np.ndarray:
    """(height, width, 4) linear Rec. 709 in the file's working space; spaces that we do not know are left alone."""
    if space not in _FROM_REC709:
        return rgba
    matrix = np.array(_FROM_REC709[space], np.float32)
    return np.concatenate([rgba[..., :3] @ matrix.T, rgba[..., 3:]], -1)


def working_space() -> str:
    """The name of the file's working space; Rec. 709 before Blender 5.0."""
    return getattr(getattr(bpy.data, "colorspace", None), "working_space", "Linear Rec.709")


def planar_depth(depth: np.ndarray, alpha: np.ndarray, camera: Camera, scale: float) -> np.ndarray:
    """Depth as Blender stores it: along the view axis, in scene units.

    Args:
        depth: (height, width) metres along the ray; alpha: (height, width).
        scale: scene units in a metre of the rig.
    """
    x = (np.arange(camera.width) + 0.5 - camera.centre_x) / camera.focal_x
    y = (np.arange(camera.height) + 0.5 - camera.centre_y) / camera.focal_y
    along_axis = 1 / np.sqrt(1 + x[None] ** 2 + y[:, None] ** 2)
    return np.where(alpha > OPAQUE, depth * along_axis * scale, FAR).astype(np.float32)


def write_pass(layer: bpy.types.RenderLayer, name: str, image: np.ndarray) -> None:
    """Put an image (top row first) into a pass of a render result, if the layer has it."""
    render_pass = layer.passes.get(name)
    if render_pass is not None:
        rows = np.ascontiguousarray(image[::-1], np.float32)  # Blender's first row is the bottom one
        render_pass.rect.foreach_set(rows.ravel())
