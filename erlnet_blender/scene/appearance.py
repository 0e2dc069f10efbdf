"""How a head looks in Blender: materials by region, hair that follows the neck bone, studio lights."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..formats.head_model import HeadModel
from ..formats.npz import read_npz
from ..head_presets import LOOKS, Look
from .materials import EYE, REST, material

HAIR_NAME = "Hair"
LIGHTS_NAME = "ERLNet Lights"
# Which material a region's triangles get; later lines win.
_REGION_MATERIALS = (
    ("torso", "cloth"), ("eyeballs", "eye"), ("teeth", "teeth"), ("gums", "gums"), ("tongue", "tongue"),
    ("brows", "brow"), ("lashes", "lash"),
)  # fmt: skip
_MASKS = ("lips", "redness", "under_eye", "lid_skin", "lid_rim", "brow_shadow", "scalp", "nostrils", "mouth_bag")
_HAIR_RADIUS = 0.00014  # metres at the root; few strands have to cover the scalp
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

    Args:
        mesh_object: the head's mesh, its vertices in the order of `head`.
        rig: the armature, with a bone called neck; hair is parented to it.
        head: regions that it lacks stay plain skin.
        look: key in `head_presets.LOOKS`.
    """
    _write_attributes(mesh_object.data, head)
    _assign_materials(mesh_object.data, head)
    _grow_hair(mesh_object, rig, head, LOOKS[look])


def _grow_hair(mesh_object: bpy.types.Object, rig: bpy.types.Object, head: HeadModel, look: Look) -> None:
    path = Path(__file__).resolve().parent.parent / "assets" / f"{look.hair}.npz"
    if look.hair and path.is_file():
        data = read_npz(path, "hair file")
        if str(data["head_id"]) == head.id and not _hair_of(rig):
            _add_hair(data["strands"].astype(np.float32), mesh_object, rig)


def _write_attributes(mesh: bpy.types.Mesh, head: HeadModel) -> None:
    for name in _MASKS:
        if name in head.regions:
            _point_attribute(mesh, name, "FLOAT").data.foreach_set("value", head.regions[name].astype(np.float32))
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


def _assign_materials(mesh: bpy.types.Mesh, head: HeadModel) -> None:
    slots = ["skin"]
    index = np.zeros(len(head.faces), np.int32)
    for region, kind in _REGION_MATERIALS:
        if region not in head.regions:
            continue
        inside = (head.regions[region] > 0.5)[head.faces].all(1)
        if inside.any():
            index[inside] = len(slots)
            slots.append(kind)
    mesh.materials.clear()
    for kind in slots:
        mesh.materials.append(material(kind))
    mesh.polygons.foreach_set("material_index", index)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(index), bool))
    mesh.update()


def _hair_of(rig: bpy.types.Object) -> bpy.types.Object | None:
    return next((child for child in rig.children if child.type == "CURVES"), None)


def _add_hair(strands: np.ndarray, mesh_object: bpy.types.Object, rig: bpy.types.Object) -> bpy.types.Object:
    """A hair object whose points (N, K, 3) are in the rig's frame and follow its neck bone."""
    count, points, _ = strands.shape
    curves = bpy.data.hair_curves.new(f"{rig.name} {HAIR_NAME}")
    curves.add_curves([points] * count)
    curves.position_data.foreach_set("vector", strands.ravel())
    radius = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
    taper = np.linspace(1.0, 0.42, points, dtype=np.float32) * _HAIR_RADIUS
    radius.data.foreach_set("value", np.tile(taper, count))
    curves.materials.append(material("hair"))
    hair = bpy.data.objects.new(curves.name, curves)
    for collection in mesh_object.users_collection:
        collection.objects.link(hair)
    bone = rig.data.bones["neck"]
    hair.parent, hair.parent_type, hair.parent_bone = rig, "BONE", bone.name
    # Blender hangs children on the tail of a bone.
    hair.matrix_parent_inverse = (bone.matrix_local @ Matrix.Translation((0, bone.length, 0))).inverted()
    hair.hide_select = True
    return hair


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
