"""What bones look like: line drawings that are easy to click. They are in no scene and are never rendered."""

from __future__ import annotations

import bpy
import numpy as np

RING, FLAT_RING, DIAMOND, CROSS = "ring", "flat ring", "diamond", "cross"
# Sides as everywhere in rigging: red is right, blue is left; yellow is the middle, green the eyes.
RIGHT, LEFT, MIDDLE, GAZE = (1.0, 0.25, 0.2), (0.2, 0.6, 1.0), (1.0, 0.75, 0.1), (0.3, 0.9, 0.4)
_TURN = np.linspace(0, 2 * np.pi, 32, endpoint=False)
# Corners in FLAME's axes, unit size, each joined to the next and the last to the first.
_OUTLINES = {
    RING: np.stack([np.cos(_TURN), np.sin(_TURN), 0 * _TURN], 1),
    FLAT_RING: np.stack([np.cos(_TURN), 0 * _TURN, np.sin(_TURN)], 1),
    DIAMOND: np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], float),
    CROSS: np.array(
        [[1, 0], [0.2, 0.2], [0, 1], [-0.2, 0.2], [-1, 0], [-0.2, -0.2], [0, -1], [0.2, -0.2]], float
    ) @ np.eye(2, 3),
}  # fmt: skip


def wear(
    bone: bpy.types.PoseBone,
    outline: str,
    size_m: float,
    colour: tuple[float, float, float],
    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> None:
    """Draw a bone as an outline of a size in metres, `offset_m` from its head in FLAME's axes."""
    bone.custom_shape = _widget(outline)
    bone.use_custom_shape_bone_size = False
    bone.custom_shape_scale_xyz = (size_m,) * 3
    bone.custom_shape_translation = offset_m
    bone.color.palette = "CUSTOM"
    custom = bone.color.custom
    custom.normal, custom.select, custom.active = colour, _lighter(colour, 0.5), _lighter(colour, 0.8)


def _lighter(colour: tuple[float, float, float], share: float) -> list[float]:
    return [value + share * (1 - value) for value in colour]


def _widget(outline: str) -> bpy.types.Object:
    """The object of an outline, the same for every head of the file."""
    name = f"WGT-ERLNet {outline}"
    known = bpy.data.objects.get((name, None))
    if known is not None:
        return known
    points = _OUTLINES[outline]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [(i, (i + 1) % len(points)) for i in range(len(points))], [])
    return bpy.data.objects.new(name, mesh)
