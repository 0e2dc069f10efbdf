"""How a head looks in Blender: materials by region, hair that follows the neck bone, studio lights."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ..formats.head_model import HeadModel
from ..head_presets import LOOKS, Look
from .complexion import PACKS, masks
from .graph import REST
from .hair import STYLE, cover, grow, hair_of, seat, strands_of
from .materials import EYE, IRIS, material

LIGHTS_NAME = "ERLNet Lights"
# Which material a region's triangles get; later lines win.
_REGION_MATERIALS = (
    ("torso", "cloth"), ("eyeballs", "eye"), ("teeth", "teeth"), ("gums", "gums"), ("tongue", "tongue"),
    ("brows", "brow"), ("lashes", "lash"),
)  # fmt: skip
# Area lights round a head at the origin: place (metres, Z up, face towards -Y), power (W), size (m), colour.
_LIGHTS = (
    ("Key", (-0.45, -0.65, 0.45), 7.0, 0.32, (1.0, 0.96, 0.90)),
    ("Fill", (0.65, -0.50, 0.08), 2.8, 0.50, (0.90, 0.95, 1.0)),
    ("Rim", (0.35, 0.55, 0.50), 3.4, 0.25, (1.0, 1.0, 1.0)),
    ("Kicker", (-0.50, 0.45, 0.35), 1.5, 0.25, (1.0, 1.0, 1.0)),
)
_LIGHTS_AIM = (0.0, 0.0, 0.02)
_WORLD_COLOUR = (0.30, 0.33, 0.37)
_WORLD_STRENGTH = 0.25


def dress(mesh_object: bpy.types.Object, rig: bpy.types.Object, head: HeadModel, look: str = "default") -> None:
    """Give the head its materials, and its hair if it is the head that the shipped hair was grown for.

    Dressing again changes the look.

    Args:
        mesh_object: the head's mesh, its vertices in the order of `head`.
        rig: the armature, with a bone called neck; hair is parented to it.
        head: regions that it lacks stay plain skin.
        look: key in `head_presets.LOOKS`.
    """
    chosen = LOOKS[look]
    strands = strands_of(chosen, head)
    _write_attributes(mesh_object.data, head, strands)
    _assign_materials(mesh_object.data, head, chosen)
    worn = hair_of(rig)
    if worn is not None and worn.get(STYLE) != chosen.hair:
        bpy.data.hair_curves.remove(worn.data)
        worn = None
    if strands is not None and worn is None:
        seat(grow(strands, mesh_object, rig, chosen), rig, head, shape_of(mesh_object, head))


def shape_of(mesh_object: bpy.types.Object, head: HeadModel) -> np.ndarray:
    """(S,) identity coefficients that a rig's mesh has now."""
    keys = mesh_object.data.shape_keys
    blocks = keys.key_blocks if keys is not None else {}
    names = [f"Shape{index + 1:03d}" for index in range(head.shapedirs.shape[-1])]
    return np.array([blocks[name].value if name in blocks else 0.0 for name in names], np.float32)


def _write_attributes(mesh: bpy.types.Mesh, head: HeadModel, strands: np.ndarray | None) -> None:
    found = masks(head)
    if strands is not None:
        found["scalp"] = cover(strands, head.v_template) * (1 - found["ears"])
    for pack, names in PACKS.items():
        values = np.stack([found[name] for name in names], 1, dtype=np.float32)
        _point_attribute(mesh, pack, "FLOAT_VECTOR").data.foreach_set("vector", values.ravel())
    _point_attribute(mesh, REST, "FLOAT_VECTOR").data.foreach_set("vector", head.v_template.ravel())
    if "eyeballs" in head.regions:
        places = _eye_places(head)
        _point_attribute(mesh, EYE, "FLOAT_VECTOR").data.foreach_set("vector", places.ravel())


def _point_attribute(mesh: bpy.types.Mesh, name: str, kind: str) -> bpy.types.Attribute:
    found = mesh.attributes.get(name)
    if found is not None:
        mesh.attributes.remove(found)
    return mesh.attributes.new(name, kind, "POINT")


def _eye_places(head: HeadModel) -> np.ndarray:
    """(V, 3) vertices of the eyeballs relative to their joint, in units of the ball's radius; 0 elsewhere."""
    places = np.zeros_like(head.v_template)
    joints = head.J_regressor @ head.v_template
    balls = head.regions["eyeballs"].astype(bool)
    for joint in (3, 4):
        own = balls & ((head.v_template[:, 0] > 0) == (joints[joint, 0] > 0))
        if own.any():
            offset = head.v_template[own] - joints[joint]
            places[own] = offset / np.median(np.linalg.norm(offset, axis=1))
    return places


def _parts(head: HeadModel) -> dict[str, np.ndarray]:
    """Which vertices (V,) each material's triangles have all their corners in; later ones win."""
    parts = {kind: head.regions[region] > 0.5 for region, kind in _REGION_MATERIALS if region in head.regions}
    if "eye" in parts:
        x, y, z = _eye_places(head).T
        parts["iris"] = parts["eye"] & (np.hypot(x, y) < IRIS + 0.02) & (z > 0)
    return parts


def _assign_materials(mesh: bpy.types.Mesh, head: HeadModel, look: Look) -> None:
    slots = ["skin"]
    index = np.zeros(len(head.faces), np.int32)
    for kind, chosen in _parts(head).items():
        inside = chosen[head.faces].all(1)
        if inside.any():
            index[inside] = len(slots)
            slots.append(kind)
    mesh.materials.clear()
    for kind in slots:
        mesh.materials.append(material(kind, look))
    mesh.polygons.foreach_set("material_index", index)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(index), bool))
    mesh.update()


def add_studio_lights(scene: bpy.types.Scene) -> None:
    """Four area lights round a head at the origin of a Z-up scene, and a plain world. Does nothing the second time."""
    if LIGHTS_NAME in bpy.data.collections:
        return
    collection = bpy.data.collections.new(LIGHTS_NAME)
    scene.collection.children.link(collection)
    for name, place, power, size, colour in _LIGHTS:
        light = bpy.data.lights.new(name, "AREA")
        light.energy, light.size, light.color = power, size, colour
        lamp = bpy.data.objects.new(name, light)
        lamp.location = place
        lamp.rotation_euler = (Vector(_LIGHTS_AIM) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
        collection.objects.link(lamp)
    world = scene.world or bpy.data.worlds.new("Studio")
    scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes.get("Background")
    if background is None:
        background = world.node_tree.nodes.new("ShaderNodeBackground")
        output = world.node_tree.nodes.new("ShaderNodeOutputWorld")
        world.node_tree.links.new(background.outputs[0], output.inputs["Surface"])
    background.inputs["Color"].default_value = (*_WORLD_COLOUR, 1.0)
    background.inputs["Strength"].default_value = _WORLD_STRENGTH
