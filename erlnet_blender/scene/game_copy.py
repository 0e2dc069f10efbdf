"""A copy of a head that any exporter understands: plain bones, named shape keys, and a key on every frame.

The rig itself is driven: its shape keys follow properties, its pivots follow constraints. Exporters write keys, not
drivers. The copy has FLAME's joints as its only bones, its identity worked into the mesh, and what Blender evaluates
of the rig on every frame as keys. The rig stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from ..errors import ErlnetError
from ..formats.head_model import JOINTS, PARENTS, HeadModel
from .controls import EYELID_KEYS, expression_key
from .curves import channels_of, ensure_curve, replace_keys, slot_for
from .rig import head_of, mesh_of, visible_collection

SUFFIX = "Game-ready"


@dataclass(frozen=True)
class Performance:
    """What the rig does, frame by frame.

    Args:
        frames: (N,) scene frames.
        bones: joint to (N, 4, 4) pose of the bone that deforms for it, in the armature's space.
        keys: shape key of the rig's mesh to (N,) values.
        places: (N, 4, 4) world matrices of the rig.
    """

    frames: np.ndarray
    bones: dict[str, np.ndarray]
    keys: dict[str, np.ndarray]
    places: np.ndarray


@dataclass(frozen=True)
class Shapes:
    """What the copy's mesh consists of.

    Args:
        basis: (V, 3) vertices at rest, the identity included.
        offsets: name of a shape key to (V, 3).
        values: name of a shape key to (N,) values, 0..1.
        joints: the joints that stay bones; the weights of the others go to the nearest one above.
    """

    basis: np.ndarray
    offsets: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    joints: tuple[str, ...] = JOINTS


def game_ready_copy(
    rig: bpy.types.Object,
    scene: bpy.types.Scene,
    first_frame: int,
    last_frame: int,
    suffix: str = SUFFIX,
    shapes_of: Callable[[bpy.types.Object, Performance], Shapes] | None = None,
) -> bpy.types.Object:
    """Make the copy and return its armature; mesh and armature are selected, ready for `Selected Only`.

    Args:
        suffix: what the copy's names end with.
        shapes_of: which shape keys the copy has; None is `own_shapes`, those of the head.

    Raises:
        ErlnetError: the range is empty.
    """
    performance = read_performance(rig, scene, first_frame, last_frame)
    shapes = (shapes_of or own_shapes)(rig, performance)
    collection = bpy.data.collections.new(f"{rig.name} {suffix}")
    visible_collection().children.link(collection)
    armature = _add_armature(rig, shapes.joints, f"{rig.name} {suffix}", collection)
    mesh_object = _add_mesh(rig, armature, shapes, f"{rig.name} {suffix} Skin", collection)
    _key_copy(armature, mesh_object, performance, shapes)
    for item in bpy.context.view_layer.objects.selected:
        item.select_set(False)
    mesh_object.select_set(True)
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature
    return armature


def read_performance(rig: bpy.types.Object, scene: bpy.types.Scene, first_frame: int, last_frame: int) -> Performance:
    """The evaluated rig at every whole frame from first to last.

    Raises:
        ErlnetError: the range is empty.
    """
    if last_frame < first_frame:
        raise ErlnetError(f"The frame range {first_frame} to {last_frame} is empty", scene.name, "choose a later end")
    mesh_object, deforming = mesh_of(rig), _deforming_bones(rig)
    names = [key.name for key in mesh_object.data.shape_keys.key_blocks[1:]]
    frames = np.arange(first_frame, last_frame + 1)
    bones = {joint: np.empty((len(frames), 4, 4)) for joint in JOINTS}
    values, places = np.empty((len(frames), len(names))), np.empty((len(frames), 4, 4))
    before, part = scene.frame_current, scene.frame_subframe
    try:
        for index, frame in enumerate(frames.tolist()):
            scene.frame_set(frame)
            graph = bpy.context.evaluated_depsgraph_get()
            evaluated = rig.evaluated_get(graph)
            for joint, bone in deforming.items():
                bones[joint][index] = evaluated.pose.bones[bone].matrix
            keys = mesh_object.data.shape_keys.evaluated_get(graph).key_blocks
            values[index] = [keys[name].value for name in names]
            places[index] = evaluated.matrix_world
    finally:
        scene.frame_set(before, subframe=part)
    return Performance(frames.astype(float), bones, dict(zip(names, values.T, strict=True)), places)


def _deforming_bones(rig: bpy.types.Object) -> dict[str, str]:
    """Joint to the bone that deforms for it: its own, or where expressions move the joint one of its own kind."""
    bones = rig.data.bones
    return {joint: joint if bones[joint].use_deform else f"DEF-{joint}" for joint in JOINTS}


def own_shapes(rig: bpy.types.Object, performance: Performance) -> Shapes:
    """The head's own expressions under their names, its eyelids and pose correctives; identity is in the basis.

    Weights are 0..1: other tools, and Blender's own importers, clip them. What goes below 0 gets a second key, named
    with `_minus`; a key that goes above 1 is as large as its largest value.
    """
    head = head_of(rig)
    blocks = mesh_of(rig).data.shape_keys.key_blocks
    basis = key_places(blocks[0])
    named = {expression_key(index): name for index, name in enumerate(head.expression_names)}
    named |= dict(zip(EYELID_KEYS, ("eyelid_L", "eyelid_R"), strict=True))
    rest, offsets, values = identity_basis(rig, performance), {}, {}
    for key in blocks[1:]:
        if key.name not in identity_keys(head):
            name = str(named.get(key.name, key.name))
            for part, scale, weights in _one_way(performance.keys[key.name]):
                offsets[name + part], values[name + part] = scale * (key_places(key) - basis), weights
    return Shapes(rest, offsets, values)


def _one_way(values: np.ndarray) -> list[tuple[str, float, np.ndarray]]:
    """Suffix, scale and (N,) weights of the one or two keys that keep every weight in 0..1, as other tools want it."""
    top = max(1.0, float(values.max()))
    parts = [("", top, np.clip(values, 0, None) / top)]
    if values.min() < 0:
        bottom = max(1.0, -float(values.min()))
        parts.append(("_minus", -bottom, np.clip(-values, 0, None) / bottom))
    return parts


def identity_keys(head: HeadModel) -> list[str]:
    """The shape keys that make the identity."""
    return [f"Shape{index + 1:03d}" for index in range(head.shapedirs.shape[-1])]


def identity_basis(rig: bpy.types.Object, performance: Performance) -> np.ndarray:
    """(V, 3) the head at rest with its identity as on the first frame."""
    blocks = mesh_of(rig).data.shape_keys.key_blocks
    basis = key_places(blocks[0])
    rest = basis.copy()
    for name in identity_keys(head_of(rig)):
        value = performance.keys[name][0]
        if value:
            rest += value * (key_places(blocks[name]) - basis)
    return rest


def key_places(key: bpy.types.ShapeKey) -> np.ndarray:
    """(V, 3) vertices of a shape key, metres, in rig space."""
    flat = np.empty(3 * len(key.data), np.float32)
    key.points.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _above(joint: str, kept: tuple[str, ...]) -> str:
    while joint not in kept:
        joint = JOINTS[PARENTS[JOINTS.index(joint)]]
    return joint


def _parent(joint: str) -> str | None:
    index = PARENTS[JOINTS.index(joint)]
    return JOINTS[index] if index >= 0 else None


def _add_armature(
    rig: bpy.types.Object, joints: tuple[str, ...], name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    collection.objects.link(armature)
    view_layer = bpy.context.view_layer
    if view_layer.objects.active is not None and view_layer.objects.active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for other in view_layer.objects.selected:
        other.select_set(False)
    view_layer.objects.active = armature
    armature.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        for joint, source in _deforming_bones(rig).items():
            if joint in joints:
                bone = data.edit_bones.new(joint)
                bone.length = rig.data.bones[joint].length
                bone.matrix = rig.data.bones[source].matrix_local
                parent = _parent(joint)
                bone.parent = data.edit_bones[parent] if parent else None
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _add_mesh(
    rig: bpy.types.Object,
    armature: bpy.types.Object,
    shapes: Shapes,
    name: str,
    collection: bpy.types.Collection,
) -> bpy.types.Object:
    source = mesh_of(rig)
    mesh = source.data.copy()
    mesh.name = name
    mesh_object = bpy.data.objects.new(name, mesh)
    collection.objects.link(mesh_object)
    mesh_object.parent = armature
    mesh_object.shape_key_clear()
    mesh.vertices.foreach_set("co", shapes.basis.astype(np.float32).ravel())
    weights = head_of(rig).weights.astype(np.float64)
    for joint in shapes.joints:
        group = mesh_object.vertex_groups.get(joint) or mesh_object.vertex_groups.new(name=joint)
        own = [index for index, other in enumerate(JOINTS) if _above(other, shapes.joints) == joint]
        _fill_group(group, weights[:, own].sum(1))
    mesh_object.shape_key_add(name="Basis", from_mix=False)
    for key_name, offsets in shapes.offsets.items():
        key = mesh_object.shape_key_add(name=key_name, from_mix=False)
        key.points.foreach_set("co", (shapes.basis + offsets).astype(np.float32).ravel())
    modifier = mesh_object.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    return mesh_object


def _fill_group(group: bpy.types.VertexGroup, column: np.ndarray) -> None:
    # Blender sets one weight for many vertices at a time: gather those that share it.
    order = np.argsort(column, kind="stable")
    values, starts = np.unique(column[order], return_index=True)
    for value, members in zip(values.tolist(), np.split(order, starts[1:]), strict=True):
        if value > 0:
            group.add(members.tolist(), value, "REPLACE")


def _key_copy(
    armature: bpy.types.Object, mesh_object: bpy.types.Object, performance: Performance, shapes: Shapes
) -> None:
    """One Action for bones and shape keys where Blender has slots (4.4 and later), else one for each."""
    action = _animate(armature, bpy.data.actions.new(armature.name))
    curves = channels_of(action, getattr(armature.animation_data, "action_slot", None))
    frames = performance.frames
    _key_place(armature, curves, performance)
    for joint in shapes.joints:
        bone = armature.pose.bones[joint]
        bone.rotation_mode = "QUATERNION"
        basis = _local(armature, joint, performance.bones)
        path = f'pose.bones["{joint}"]'
        _key(curves, f"{path}.rotation_quaternion", joint, frames, _quaternions(basis))
        if np.abs(basis[:, :3, 3]).max() > 1e-7:
            _key(curves, f"{path}.location", joint, frames, basis[:, :3, 3])
    keys = mesh_object.data.shape_keys
    keys.name = mesh_object.name
    own = _animate(keys, action if hasattr(action, "slots") else bpy.data.actions.new(keys.name))
    curves = channels_of(own, getattr(keys.animation_data, "action_slot", None))
    for name, values in shapes.values.items():
        _key(curves, keys.key_blocks[name].path_from_id("value"), "Shape Keys", frames, values[:, None])


def _animate(owner: bpy.types.ID, action: bpy.types.Action) -> bpy.types.Action:
    animation = owner.animation_data_create()
    slot = slot_for(action, owner)
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    return action


def _key(curves: object, path: str, group: str, frames: np.ndarray, values: np.ndarray) -> None:
    for index in range(values.shape[1]):
        replace_keys(ensure_curve(curves, path, index, group), frames, values[:, index])


def _key_place(armature: bpy.types.Object, curves: object, performance: Performance) -> None:
    """Where the rig stands; keyed only if it moves."""
    places, frames = performance.places, performance.frames
    armature.matrix_world = Matrix(places[0].tolist())
    if np.abs(places - places[0]).max() < 1e-7:
        return
    armature.rotation_mode = "QUATERNION"
    _key(curves, "location", "Object", frames, places[:, :3, 3])
    _key(curves, "rotation_quaternion", "Object", frames, _quaternions(places))
    _key(curves, "scale", "Object", frames, np.array([Matrix(m.tolist()).to_scale() for m in places]))


def _local(armature: bpy.types.Object, joint: str, poses: dict[str, np.ndarray]) -> np.ndarray:
    """(N, 4, 4) of a bone relative to its rest under its parent, as its keys want it."""
    rest = np.array(armature.data.bones[joint].matrix_local)
    parent = _parent(joint)
    base = rest if parent is None else poses[parent] @ np.linalg.inv(armature.data.bones[parent].matrix_local) @ rest
    return np.linalg.inv(base) @ poses[joint]


def _quaternions(matrices: np.ndarray) -> np.ndarray:
    """(N, 4) rotations without jumps of sign."""
    turns = np.array([Matrix(matrix.tolist()).to_quaternion() for matrix in matrices])
    for index in range(1, len(turns)):
        if turns[index] @ turns[index - 1] < 0:
            turns[index] *= -1
    return turns
