"""The mesh of a rig: the head's vertices in the head's order, its weights and its driven shape keys."""

from __future__ import annotations

import bpy
import numpy as np

from ..formats.head_model import JOINTS, HeadModel
from .controls import EYELID_KEYS
from .drags import OPEN_KEY, sources_of_keys
from .drivers import location_driver, sum_driver
from .rig_bones import corrective_entries, reader_bone
from .rig_pivots import moving_joints, skin_bone

# Blender clamps a driven value to the slider's range; this is the widest that there is.
SLIDER_LIMIT = 10.0


def build_mesh(
    head: HeadModel, rig: bpy.types.Object, shape: np.ndarray, name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    """Make the mesh object as a child of the rig, deformed and driven by it.

    Args:
        shape: (S,) identity coefficients; they become the values of the keys `Shape001` ...
    """
    mesh = _mesh_data(head, name)
    mesh_object = bpy.data.objects.new(name, mesh)
    collection.objects.link(mesh_object)
    mesh_object.parent = rig
    _add_weights(mesh_object, head)
    _add_shape_keys(mesh_object, head, shape)
    _drive_shape_keys(mesh_object, head, rig)
    modifier = mesh_object.modifiers.new("FLAME skinning", "ARMATURE")
    modifier.object = rig
    modifier.use_deform_preserve_volume = False
    return mesh_object


def _mesh_data(head: HeadModel, name: str) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    faces = len(head.faces)
    mesh.vertices.add(len(head.v_template))
    mesh.vertices.foreach_set("co", head.v_template.ravel())
    mesh.loops.add(3 * faces)
    mesh.loops.foreach_set("vertex_index", head.faces.ravel())
    mesh.polygons.add(faces)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * faces, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(faces, bool))
    if head.uv is not None and head.uv_faces is not None:
        layer = mesh.uv_layers.new(name="UVMap")
        layer.uv.foreach_set("vector", head.uv[head.uv_faces.ravel()].ravel())
    mesh.update(calc_edges=True)
    return mesh


def _add_weights(mesh_object: bpy.types.Object, head: HeadModel) -> None:
    moving = moving_joints(head)
    for index in range(len(JOINTS)):
        group = mesh_object.vertex_groups.new(name=skin_bone(index, moving))
        column = head.weights[:, index]
        # Blender sets one weight for many vertices at a time: gather those that share it.
        order = np.argsort(column, kind="stable")
        values, starts = np.unique(column[order], return_index=True)
        for value, members in zip(values.tolist(), np.split(order, starts[1:]), strict=True):
            if value > 0:
                group.add(members.tolist(), value, "REPLACE")


def _add_shape_keys(mesh_object: bpy.types.Object, head: HeadModel, shape: np.ndarray) -> None:
    base = head.v_template
    mesh_object.shape_key_add(name="Basis", from_mix=False)

    def add(name: str, offsets: np.ndarray) -> bpy.types.ShapeKey:
        key = mesh_object.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", (base + offsets).astype(np.float32).ravel())
        key.slider_min, key.slider_max = -SLIDER_LIMIT, SLIDER_LIMIT
        key.value = 0.0
        return key

    for index in range(head.expressiondirs.shape[-1]):
        add(f"Exp{index + 1:03d}", head.expressiondirs[..., index])
    for joint, entry in corrective_entries(head):
        add(pose_key(joint, entry), head.posedirs[9 * (joint - 1) + entry].reshape(-1, 3))
    if head.eyelids is not None:
        for name, offsets in zip(EYELID_KEYS, head.eyelids, strict=True):
            add(name, offsets)
    # The identity, which no driver looks for, comes last: Blender finds a key by walking through those before it.
    for index in range(head.shapedirs.shape[-1]):
        key = add(f"Shape{index + 1:03d}", head.shapedirs[..., index])
        key.value = float(shape[index]) if index < len(shape) else 0.0


def pose_key(joint: int, entry: int) -> str:
    """Name of the corrective of an entry of R - I, in the order of FLAME's `posedirs`."""
    return f"Pose{9 * (joint - 1) + entry + 1:03d}"


def _drive_shape_keys(mesh_object: bpy.types.Object, head: HeadModel, rig: bpy.types.Object) -> None:
    keys = mesh_object.data.shape_keys.key_blocks
    for key, sources in sources_of_keys(head).items():
        if key != OPEN_KEY:
            sum_driver(keys[key], "value", rig, sources)
    for joint, entry in corrective_entries(head):
        row, column = divmod(entry, 3)
        location_driver(keys[pose_key(joint, entry)], "value", rig, reader_bone(joint, column), "XYZ"[row])
