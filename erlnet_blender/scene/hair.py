"""Hair of a look: strands on the rig's neck, seated on the scalp of the shape that the head has."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from mathutils.kdtree import KDTree

from ..formats.head_model import HeadModel
from ..formats.npz import read_npz
from ..head_presets import Look
from .materials import material

_ASSETS = Path(__file__).resolve().parent.parent / "assets"
_RADIUS = 0.00014  # metres at the root; few strands have to cover the scalp
_TAPER = 0.42
STYLE = "erlnet_hair"  # on the hair object: which file it came from
# Grid on which roots are counted: spacing in metres, and rounds of blurring.
_CELL, _BLURS = 0.004, 2
_SEATS, _KNOTS = 4, 5  # so many nearest points of the skin carry so many points of a strand along


def strands_of(look: Look | str, head: HeadModel) -> np.ndarray | None:
    """(N, K, 3) the look's hair in the rest frame, metres; None if it was not grown for this head.

    Raises:
        ErlnetError: the file is damaged.
    """
    style = look if isinstance(look, str) else look.hair
    path = _ASSETS / f"{style}.npz"
    if not style or not path.is_file():
        return None
    data = read_npz(path, "hair file")
    return data["strands"].astype(np.float32) if str(data["head_id"]) == head.id else None


def cover(strands: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(V,) 0..1 how densely hair stands at each vertex (V, 3): the scalp's paint, thin where the hair is."""
    roots = strands[:, 0].astype(float)
    low = roots.min(0) - (_BLURS + 3) * _CELL
    size = np.ceil((roots.max(0) - low) / _CELL).astype(int) + _BLURS + 4
    grid = np.zeros(size)
    np.add.at(grid, tuple(((roots - low) / _CELL).astype(int).T), 1.0)
    for axis in range(3):
        for _ in range(_BLURS):
            grid = 0.5 * grid + 0.25 * (np.roll(grid, 1, axis) + np.roll(grid, -1, axis))

    def sampled(points: np.ndarray) -> np.ndarray:
        place = (points - low) / _CELL - 0.5
        base = np.floor(place).astype(int)
        value = np.zeros(len(points))
        for corner in np.ndindex(2, 2, 2):
            weight = np.where(corner, place - base, 1 - (place - base)).prod(1)
            index = base + corner
            inside = ((index >= 0) & (index < size)).all(1)
            value[inside] += (weight[inside]) * grid[tuple(index[inside].T)]
        return value

    return np.clip(sampled(vertices) / np.percentile(sampled(roots), 40), 0, 1).astype(np.float32)


def hair_of(rig: bpy.types.Object) -> bpy.types.Object | None:
    """The hair object of a rig, if it has one."""
    return next((child for child in rig.children if child.type == "CURVES"), None)


def grow(strands: np.ndarray, mesh_object: bpy.types.Object, rig: bpy.types.Object, look: Look) -> bpy.types.Object:
    """A hair object whose points (N, K, 3) are in the rig's frame and follow its neck bone."""
    count, points, _ = strands.shape
    curves = bpy.data.hair_curves.new(f"{rig.name} Hair")
    curves.add_curves([points] * count)
    curves.position_data.foreach_set("vector", strands.ravel())
    radius = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
    taper = np.linspace(1.0, _TAPER, points, dtype=np.float32) * _RADIUS
    radius.data.foreach_set("value", np.tile(taper, count))
    curves.materials.append(material("hair", look))
    hair = bpy.data.objects.new(curves.name, curves)
    hair[STYLE] = look.hair
    for collection in mesh_object.users_collection:
        collection.objects.link(hair)
    bone = rig.data.bones["neck"]
    hair.parent, hair.parent_type, hair.parent_bone = rig, "BONE", bone.name
    # Blender hangs children on the tail of a bone.
    hair.matrix_parent_inverse = (bone.matrix_local @ Matrix.Translation((0, bone.length, 0))).inverted()
    hair.hide_select = True
    return hair


def seat(hair: bpy.types.Object, rig: bpy.types.Object, head: HeadModel, coefficients: np.ndarray) -> None:
    """Move a rig's hair to where the scalp of this shape is, and hang it on the neck where that now rests.

    Args:
        coefficients: (S',) of identity; S' at most the head's.
    """
    strands = strands_of(str(hair.get(STYLE, "")), head)
    if strands is None:
        return
    seated = strands + _carried(strands, head, coefficients)
    hair.data.position_data.foreach_set("vector", seated.astype(np.float32).ravel())
    bone = rig.data.bones["neck"]
    hair.matrix_parent_inverse = (bone.matrix_local @ Matrix.Translation((0, bone.length, 0))).inverted()
    hair.data.update_tag()


def _carried(strands: np.ndarray, head: HeadModel, coefficients: np.ndarray) -> np.ndarray:
    """(N, K, 3) displacement of the skin nearest to each strand's knots, straight between them."""
    coefficients = np.asarray(coefficients, np.float32).ravel()
    if not coefficients.any():
        return np.zeros_like(strands)
    moved = head.shapedirs[..., : len(coefficients)] @ coefficients
    carriers = np.flatnonzero(_skin(head))
    tree = KDTree(len(carriers))
    for index, vertex in enumerate(carriers.tolist()):
        tree.insert(head.v_template[vertex], index)
    tree.balance()
    points = strands.shape[1]
    knots = np.unique(np.linspace(0, points - 1, _KNOTS).round().astype(int))
    at_knots = np.stack([_blended(strands[:, knot], tree, moved[carriers]) for knot in knots], 1)
    place = np.interp(np.arange(points), knots, np.arange(len(knots)))
    before = np.minimum(place.astype(int), len(knots) - 2)
    share = (place - before)[:, None].astype(np.float32)
    return at_knots[:, before] * (1 - share) + at_knots[:, before + 1] * share


def _skin(head: HeadModel) -> np.ndarray:
    """(V,) bool: what hair lies on; mouth, eyes and the head's own strands are not."""
    skin = np.ones(len(head.v_template), bool)
    for region in ("mouth_bag", "eyeballs", "teeth", "gums", "tongue", "brows", "lashes"):
        if region in head.regions:
            skin &= ~(head.regions[region] > 0.5)
    return skin


def _blended(points: np.ndarray, tree: KDTree, moved: np.ndarray) -> np.ndarray:
    """(N, 3) the displacement of the nearest vertices, the nearer the more."""
    found = [tree.find_n(point, _SEATS) for point in points.tolist()]
    index = np.array([[hit[1] for hit in hits] for hits in found])
    weight = 1.0 / (np.array([[hit[2] for hit in hits] for hits in found]) + 1e-4)
    weight /= weight.sum(1, keepdims=True)
    return (moved[index] * weight[..., None]).sum(1).astype(np.float32)
