"""The FLAME rig: build it, find it, pose it from a face track, read the evaluated pose back.

The armature object owns every animated channel; the mesh is its child and is driven from it. Rig
space is FLAME's: metres, Y up, face towards +Z; the object's rotation of 90 degrees makes it stand
in Blender's Z-up world.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..formats.head_model import JOINTS, PARENTS, HeadModel, default_head_path
from .controls import EYELID_KEYS, EYELIDS, FACE_BONE, expression_key, semantic_controls
from .drags import drags_of
from .hair import hair_of
from .hair import seat as seat_hair
from .rig_armature import all_rests, build_armature
from .rig_bones import lay_bones, shaped_vertices
from .rig_mesh import build_mesh

RIG_VERSION = 2
HEAD_ID, HEAD_PATH, HEAD_NAME = "erlnet_head_id", "erlnet_head_path", "erlnet_head_name"
VERSION = "erlnet_rig_version"
# What the head calls its components, as JSON lists, for panels: they must not open files.
SHAPE_NAMES, EXPRESSION_NAMES = "erlnet_shape_names", "erlnet_expression_names"
# The identity that the bones at rest were laid for.
SEATED = "erlnet_seated_shape"
# Identity coefficients closer than this are the same: it moves no vertex by 0.001 mm.
SAME_SHAPE = 1e-5
# Stands for the head that ships with the add-on, wherever that is installed.
DEFAULT_HEAD = "<default head>"

# Heads in use, by id and file time: a head is a large file and is asked for at every frame.
_heads: dict[tuple, HeadModel] = {}


def build_rig(
    head: HeadModel,
    head_path: str | os.PathLike | None = None,
    name: str = "Head",
    collection: bpy.types.Collection | None = None,
    shape: np.ndarray | None = None,
) -> bpy.types.Object:
    """Build the armature and its mesh, select the armature and return it.

    Args:
        head_path: where `head` was read from, so that it can be found again from the .blend;
            None means the default head, or a head that lives only as long as this session.
        collection: where to link the objects; None is the active collection, or the scene's if that is hidden.
        shape: (S',) identity coefficients, S' at most the head's S; None is the template.
    """
    collection = collection or visible_collection()
    shape = _checked_shape(head, np.zeros(0) if shape is None else shape)
    rig = build_armature(head, shaped_vertices(head, shape), name, collection)
    mesh_object = build_mesh(head, rig, shape, f"{name} Skin", collection)
    mesh_object[HEAD_ID] = head.id
    rig.rotation_euler = (np.pi / 2, 0.0, 0.0)
    rig[HEAD_ID], rig[VERSION] = head.id, RIG_VERSION
    rig[SEATED] = shape.tolist()
    rig[SHAPE_NAMES] = json.dumps(head.meta.get("shape_names") or [])
    rig[EXPRESSION_NAMES] = json.dumps(head.meta.get("expression_names") or [])
    rig[HEAD_PATH], rig[HEAD_NAME] = _portable(head_path), str(head.meta.get("name", head.id))
    _heads[_head_key(rig)] = head
    bpy.context.view_layer.update()
    return rig


def visible_collection() -> bpy.types.Collection:
    """The active collection if new objects in it can be edited, else the scene's own."""
    active = bpy.context.view_layer.active_layer_collection
    return active.collection if active is not None and active.is_visible else bpy.context.scene.collection


def is_rig(item: bpy.types.ID | None) -> bool:
    """Whether `item` is the armature object of a rig."""
    return isinstance(item, bpy.types.Object) and item.type == "ARMATURE" and item.get(HEAD_ID) is not None


def find_rig(source: bpy.types.Context | bpy.types.Object | None) -> bpy.types.Object | None:
    """The rig of an object (itself, or an ancestor), or of a context: active, else selected, else the only one."""
    if source is None:
        return None
    if isinstance(source, bpy.types.Object):
        while source is not None and not is_rig(source):
            source = source.parent
        return source
    candidates = [getattr(source, "object", None), *(getattr(source, "selected_objects", None) or [])]
    for candidate in candidates:
        rig = find_rig(candidate) if candidate is not None else None
        if rig is not None:
            return rig
    rigs = rigs_of(source.scene)
    return rigs[0] if len(rigs) == 1 else None


def rigs_of(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Every rig of a scene."""
    return [item for item in scene.objects if is_rig(item)]


def mesh_of(rig: bpy.types.Object) -> bpy.types.Object:
    """The mesh object of a rig.

    Raises:
        ErlnetError: it was deleted or unparented.
    """
    for child in rig.children:
        if child.type == "MESH" and HEAD_ID in child:
            return child
    raise ErlnetError("The rig has lost its mesh", rig.name, "undo, or add the head again")


def head_of(rig: bpy.types.Object) -> HeadModel:
    """The head model that the rig was built from, read once and kept.

    Raises:
        ErlnetError: its file is missing, damaged, or another head.
    """
    if not is_rig(rig):
        raise ErlnetError("Not a rig of ERLNet", getattr(rig, "name", ""), "add one with Add > Mesh > Talking Head")
    key = _head_key(rig)
    if key not in _heads:
        path = head_path_of(rig)
        head = HeadModel.load(path)
        if head.id != rig[HEAD_ID]:
            raise ErlnetError(
                f"The head file is {head.id!r}, the rig was built from {rig[HEAD_ID]!r}", path, "restore the right file"
            )
        _heads[key] = head
    return _heads[key]


def head_name_of(rig: bpy.types.Object) -> str:
    """What the rig's head model calls itself; its file is not opened."""
    return str(rig.get(HEAD_NAME, rig[HEAD_ID]))


def head_path_of(rig: bpy.types.Object) -> Path:
    """Where the rig's head model lies on this machine."""
    stored = rig.get(HEAD_PATH, DEFAULT_HEAD)
    return default_head_path() if stored == DEFAULT_HEAD else Path(bpy.path.abspath(stored, library=rig.library))


def _head_key(rig: bpy.types.Object) -> tuple:
    path = head_path_of(rig)
    return rig[HEAD_ID], str(path), path.stat().st_mtime_ns if path.is_file() else 0


def _portable(path: str | os.PathLike | None) -> str:
    if path is None or Path(path).resolve() == default_head_path():
        return DEFAULT_HEAD
    path = str(Path(path).resolve())
    if not bpy.data.filepath:
        return path
    try:
        return bpy.path.relpath(path)
    except ValueError:  # another drive on Windows
        return path


def identity_of(rig: bpy.types.Object) -> np.ndarray:
    """(S,) identity coefficients: the values of the keys `Shape001` ... as they stand."""
    keys = mesh_of(rig).data.shape_keys.key_blocks
    values = np.empty(len(keys), np.float32)
    keys.foreach_get("value", values)
    first = keys.find("Shape001")
    # They are one run, at the end, or in a rig of an earlier version at the beginning.
    count = sum(key.name.startswith("Shape") for key in keys)
    return values[first : first + count] if count else values[:0]


def set_shape(rig: bpy.types.Object, coefficients: np.ndarray) -> None:
    """Give the rig another identity: set its shape keys and move the bones at rest to the new joints.

    Keyframes, controls, selection and mode stay as they are.

    Args:
        coefficients: (S',) in the head's units, S' at most the head's S; those left out become zero.

    Raises:
        ErlnetError: too many coefficients or not finite, or the rig is linked from another file. Nothing has changed.
    """
    shape = _checked_shape(head_of(rig), coefficients)
    mesh_object = mesh_of(rig)
    if mesh_object.data.library is not None:
        raise ErlnetError("The head's mesh is linked from another file", rig.name, "make it local first")
    count = len(identity_of(rig))
    values = np.pad(shape, (0, count - len(shape)))
    _seat(rig, values)
    keys = mesh_object.data.shape_keys.key_blocks
    for index in np.flatnonzero(values != identity_of(rig)):
        keys[f"Shape{index + 1:03d}"].value = float(values[index])
    bpy.context.view_layer.update()


def seat_joints(rig: bpy.types.Object) -> None:
    """Move the bones at rest to the joints of the identity that the shape keys have now.

    Raises:
        ErlnetError: the rig is linked from another file.
    """
    _seat(rig, identity_of(rig))
    bpy.context.view_layer.update()


def is_seated(rig: bpy.types.Object) -> bool:
    """Whether the bones rest at the joints of the identity that the shape keys have now."""
    shape = identity_of(rig)
    seated = np.array(rig.get(SEATED, ()), np.float32)
    return bool(np.abs(shape - np.pad(seated, (0, len(shape) - len(seated)))).max(initial=0) < SAME_SHAPE)


def _seat(rig: bpy.types.Object, shape: np.ndarray) -> None:
    head = head_of(rig)
    rests = all_rests(head, shaped_vertices(head, shape))
    hung = [child for child in rig.children if child.parent_type == "BONE" and child.parent_bone in rig.data.bones]
    before = [rig.data.bones[child.parent_bone].matrix_local.copy() for child in hung]
    lay_bones(rig.data, [rest for rest in rests if rest.name in rig.data.bones])
    # What hangs on a bone (glasses) stays where it is while the bone moves at rest. Bones do not turn, so the
    # tail that things hang on moves as the head of the bone does.
    for child, place in zip(hung, before, strict=True):
        moved = rig.data.bones[child.parent_bone].matrix_local
        back = Matrix.Translation(place.translation - moved.translation)
        child.matrix_parent_inverse = back @ child.matrix_parent_inverse
    hair = hair_of(rig)
    if hair is not None:
        seat_hair(hair, rig, head, shape)
    rig[SEATED] = np.asarray(shape, float).tolist()


def _checked_shape(head: HeadModel, shape: np.ndarray) -> np.ndarray:
    shape = np.asarray(shape, np.float32).ravel()
    count = head.shapedirs.shape[-1]
    if len(shape) > count:
        raise ErlnetError(f"{len(shape)} identity coefficients for a head with {count}", head.id, "refit them")
    if not np.isfinite(shape).all():
        raise ErlnetError("Identity coefficients hold NaN or infinity", head.id, "fit them again")
    return shape


def apply_frame(rig: bpy.types.Object, track: FaceTrack) -> None:
    """Set every channel of the rig from a track of one frame; no keys are made, other controls go to zero.

    Raises:
        ErlnetError: the track belongs to another head, or has other than one frame.
    """
    check_head(rig, track)
    if len(track) != 1:
        raise ErlnetError(f"A pose is one frame, this track has {len(track)}")
    head = head_of(rig)
    bones = rig.pose.bones
    for name, axis_angle in _joint_rotations(track[0]).items():
        bone = bones[name]
        set_rotation(bone, quaternion_of(axis_angle))
    bones["root"].location = track.translation[0].tolist()
    face = bones[FACE_BONE]
    for control in semantic_controls(head):
        # A head that an earlier version built has fewer of them.
        if control.name in face:
            face[control.name] = 0.0
    for drag in drags_of(head):
        if drag.name in bones:
            bones[drag.name].location = (0.0, 0.0, 0.0)
    for index, value in enumerate(track.expr[0].tolist()):
        face[expression_key(index)] = value
    if head.eyelids is not None:
        for name, value in zip(EYELIDS, track.eyelids[0].tolist(), strict=True):
            face[name] = value
    # Custom properties set from Python are not noticed by the dependency graph on their own.
    rig.update_tag()


def check_head(rig: bpy.types.Object, track: FaceTrack) -> None:
    """Raise ErlnetError if the track's coefficients belong to another head than the rig's."""
    if track.head_id != rig[HEAD_ID]:
        raise ErlnetError(
            f"The track belongs to head {track.head_id!r}, the rig is {rig[HEAD_ID]!r}",
            rig.name,
            "refit it with `erlnet convert TRACK.npz --head HEAD.npz -o OUT.npz`",
        )
    count = head_of(rig).expressiondirs.shape[-1]
    if track.expr.shape[1] > count:
        what = f"The track has {track.expr.shape[1]} expressions, the rig {count}"
        raise ErlnetError(what, rig.name, "make the track again")


def read_frame(rig: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> FaceTrack:
    """The pose as Blender evaluates it, with keys, NLA, drivers, constraints and hand edits, as one frame.

    Rotations are local to the parent joint; root rotation and translation are in the armature
    object's space. What FLAME cannot express (moved or scaled joints) is left out.
    """
    head = head_of(rig)
    bones = rig.evaluated_get(depsgraph).pose.bones
    rotations = {}
    for index, name in enumerate(JOINTS):
        matrix = bones[name].matrix
        if PARENTS[index] >= 0:
            matrix = bones[JOINTS[PARENTS[index]]].matrix.inverted() @ matrix
        rotations[name] = axis_angle_of(matrix.to_quaternion())
    # A root that expressions move hangs on a pivot; else it rests where the armature has it.
    pivot = bones["root"].parent
    rest = pivot.matrix if pivot is not None else rig.data.bones["root"].matrix_local
    moved = bones["root"].matrix.translation - rest.translation
    keys = mesh_of(rig).data.shape_keys.evaluated_get(depsgraph).key_blocks
    eyelids = [keys[name].value for name in EYELID_KEYS] if head.eyelids is not None else [0.0, 0.0]
    scene = depsgraph.scene
    return FaceTrack(
        expr=np.array([[keys[expression_key(i)].value for i in range(head.expressiondirs.shape[-1])]], np.float32),
        fps=scene.render.fps / scene.render.fps_base,
        head_id=head.id,
        jaw_pose=rotations["jaw"][None],
        neck_pose=rotations["neck"][None],
        rotation=rotations["root"][None],
        translation=np.array([moved]),
        eyes_pose=np.concatenate([rotations["left_eye"], rotations["right_eye"]])[None],
        eyelids=np.array([eyelids]),
        shape=np.array([keys[f"Shape{i + 1:03d}"].value for i in range(head.shapedirs.shape[-1])], np.float32),
        source=json.dumps({"kind": "rig", "rig": rig.name, "frame": scene.frame_current}),
    )


def _joint_rotations(frame: FaceTrack) -> dict[str, np.ndarray]:
    eyes = frame.eyes_pose[0]
    values = (frame.rotation[0], frame.neck_pose[0], frame.jaw_pose[0], eyes[:3], eyes[3:])
    return dict(zip(JOINTS, values, strict=True))


def quaternion_of(axis_angle: np.ndarray) -> Quaternion:
    """Axis-angle (3,) in radians as a quaternion."""
    vector = Vector(np.asarray(axis_angle, float).tolist())
    angle = vector.length
    return Quaternion(vector / angle, angle) if angle > 1e-12 else Quaternion()


def axis_angle_of(quaternion: Quaternion) -> np.ndarray:
    """(3,) axis-angle in radians, of the shorter way round."""
    w, *xyz = (float(value) for value in quaternion.normalized())
    vector = np.array(xyz) * (1.0 if w >= 0 else -1.0)
    sine = float(np.linalg.norm(vector))
    # atan2 keeps small angles exact where the arc cosine of w would lose them.
    return (vector * (2 * np.arctan2(sine, abs(w)) / sine if sine > 1e-12 else 2.0)).astype(np.float32)


def set_rotation(bone: bpy.types.PoseBone, rotation: Quaternion) -> None:
    """Set a bone's rotation in whatever mode the user has chosen for it."""
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = rotation
    elif bone.rotation_mode == "AXIS_ANGLE":
        axis, angle = rotation.to_axis_angle()
        bone.rotation_axis_angle = (angle, *axis)
    else:
        bone.rotation_euler = rotation.to_euler(bone.rotation_mode)
