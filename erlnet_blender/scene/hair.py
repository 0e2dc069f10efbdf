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

# What carries a style on a head, found once: an identity slider asks at every step.
_found: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}


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
    style = str(hair.get(STYLE, ""))
    strands = strands_of(style, head)
    if strands is None:
        return
    coefficients = np.asarray(coefficients, np.float32).ravel()
    if coefficients.any():
        moved = head.shapedirs[..., : len(coefficients)] @ coefficients
        strands = strands + _carried(strands, _carriers(style, strands, head), moved)
    hair.data.position_data.foreach_set("vector", strands.astype(np.float32).ravel())
    bone = rig.data.bones["neck"]
    hair.matrix_parent_inverse = (bone.matrix_local @ Matrix.Translation((0, bone.length, 0))).inverted()
    hair.data.update_tag()


def _knots(strands: np.ndarray) -> np.ndarray:
    points = strands.shape[1]
    return np.unique(np.linspace(0, points - 1, _KNOTS).round().astype(int))


def _carriers(style: str, strands: np.ndarray, head: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, knots, 4) of the skin nearest to each strand's knots, and their weights: the nearer the more."""
    if (style, head.id) not in _found:
        skin = np.flatnonzero(_skin(head))
        tree = KDTree(len(skin))
        for index, place in enumerate(head.v_template[skin].tolist()):
            tree.insert(place, index)
        tree.balance()
        knots = strands[:, _knots(strands)]
        hits = [tree.find_n(point, _SEATS) for point in knots.reshape(-1, 3).tolist()]
        weights = 1.0 / (np.array([[hit[2] for hit in near] for near in hits], np.float32) + 1e-4)
        vertices = skin[np.array([[hit[1] for hit in near] for near in hits])]
        shape = (*knots.shape[:2], _SEATS)
        weights /= weights.sum(1, keepdims=True)
        _found[style, head.id] = vertices.reshape(shape), weights.reshape(shape)
    return _found[style, head.id]


def _carried(strands: np.ndarray, carriers: tuple[np.ndarray, np.ndarray], moved: np.ndarray) -> np.ndarray:
    """(N, K, 3) displacement of the strands when the skin's is `moved` (V, 3): straight between knots."""
    vertices, weights = carriers
    at_knots = np.einsum("nkb,nkbc->nkc", weights, moved[vertices])
    knots = _knots(strands)
    place = np.interp(np.arange(strands.shape[1]), knots, np.arange(len(knots)))
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
