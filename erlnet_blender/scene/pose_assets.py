"""Poses of the library on a rig: applied with a strength, keyed, or kept as pose assets in the .blend file.

A pose asset is an Action with one key a channel. Blender's own pose library applies it, from the asset shelf or the
asset browser, blended or flipped as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Quaternion

from ..errors import ErlnetError
from ..formats.atomic import write_bytes
from .controls import EYELID_KEYS, EYELIDS, FACE_BONE, expression_key, semantic_controls
from .curves import channels_of, ensure_curve, slot_for
from .drags import OPEN_KEY, drags_of
from .pose import rotation_path
from .pose_library import EMOTION, EMOTIONS, VISEME, VISEMES, FacePose, moves_anything, pose_values
from .rig import HEAD_ID, head_name_of, head_of, quaternion_of, set_rotation

POSE_KEY = "erlnet_pose"
# The catalogs' identities, fixed so that files from different days share them.
CATALOGS = {
    VISEME: ("5f0d3c52-6b7e-4c0e-9f63-0a6b3a0c7e11", "ERLNet/Visemes"),
    EMOTION: ("b1c94f0a-2f55-4b8e-8f0d-6c0a4b7d2e22", "ERLNet/Emotions"),
}
CATALOG_FILE = "blender_assets.cats.txt"
_CATALOG_HEADER = "# Asset catalogs of this folder, one a line: identity, path, simple name.\nVERSION 1\n\n"
# How much of an emotion its weaker asset shows.
SUBTLE = 0.5


@dataclass(frozen=True)
class PoseChannels:
    """What a pose sets on a rig.

    Args:
        face: custom properties of the face bone.
        jaw: the rotation of the jaw, if the pose sets that.
        handles: (bone, axis) of the handles that go back to rest.
    """

    face: dict[str, float]
    jaw: Quaternion | None
    handles: tuple[tuple[str, int], ...]


def channels_of_pose(rig: bpy.types.Object, pose: FacePose, leave_mouth: bool = False) -> PoseChannels:
    """The numbers of a pose for this rig; sliders and handles that add to what it sets go to 0.

    Raises:
        ErlnetError: the head's expressions have none of the names that the pose needs.
    """
    head = head_of(rig)
    names = head.expression_names
    if not moves_anything(pose, names, head.eyelids is not None):
        raise ErlnetError(
            f"The expressions of this head have no names that {pose.label!r} could use",
            head_name_of(rig),
            "convert the motion to the default head, or pose the sliders by hand",
        )
    leave_mouth = leave_mouth and pose.kind == EMOTION
    face = {expression_key(names.index(name)): v for name, v in pose_values(pose, names, leave_mouth).items()}
    if head.eyelids is not None and pose.kind == EMOTION:
        face |= dict.fromkeys(EYELIDS, pose.eyelid)
    sets_jaw = not leave_mouth
    keys = {*face, *(EYELID_KEYS if EYELIDS[0] in face else ()), *((OPEN_KEY,) if sets_jaw else ())}
    for control in semantic_controls(head):
        adds_to = control.keys or (control.name,)
        if keys.issuperset(adds_to) and control.name in rig.pose.bones[FACE_BONE]:
            face[control.name] = 0.0
    pulled = {(drag.name, pull.axis) for drag in drags_of(head) for pull in drag.pulls if pull.key in keys}
    handles = tuple(sorted((bone, axis) for bone, axis in pulled if bone in rig.pose.bones))
    jaw = quaternion_of(np.array([np.radians(pose.jaw_deg), 0.0, 0.0])) if sets_jaw else None
    return PoseChannels(face, jaw, handles)


def apply_pose(
    rig: bpy.types.Object, pose: FacePose, strength: float = 1.0, leave_mouth: bool = False, key: bool = False
) -> None:
    """Move the face from where it is towards a pose: 0 leaves it, 1 is the pose.

    Args:
        leave_mouth: an emotion keeps off what visemes set.
        key: set keys at the current frame on everything that the pose sets.

    Raises:
        ErlnetError: the head has none of the pose's expressions.
    """
    channels = channels_of_pose(rig, pose, leave_mouth)
    face, jaw = rig.pose.bones[FACE_BONE], rig.pose.bones["jaw"]
    for name, value in channels.face.items():
        face[name] = (1 - strength) * float(face[name]) + strength * value
    if channels.jaw is not None:
        set_rotation(jaw, jaw.matrix_basis.to_quaternion().slerp(channels.jaw, strength))
    for bone, axis in channels.handles:
        rig.pose.bones[bone].location[axis] *= 1 - strength
    if key:
        _key_pose(rig, channels)
    # Custom properties set from Python are not noticed by the dependency graph on their own.
    rig.update_tag()


def _key_pose(rig: bpy.types.Object, channels: PoseChannels) -> None:
    bones = rig.pose.bones
    for name in channels.face:
        bones[FACE_BONE].keyframe_insert(f'["{name}"]', group="Expression")
    if channels.jaw is not None:
        bones["jaw"].keyframe_insert(rotation_path(bones["jaw"]), group="Jaw")
    for bone, axis in channels.handles:
        # Handles that were never moved need no keys.
        if bones[bone].location[axis] or _has_key(rig, bones[bone].path_from_id("location"), axis):
            bones[bone].keyframe_insert("location", index=axis, group=bone)


def _has_key(rig: bpy.types.Object, path: str, index: int) -> bool:
    animation = rig.animation_data
    action = animation.action if animation is not None else None
    curves = channels_of(action, getattr(animation, "action_slot", None)) if action is not None else None
    return curves is not None and curves.fcurves.find(path, index=index) is not None


def add_pose_assets(rig: bpy.types.Object) -> list[bpy.types.Action]:
    """Every pose that the rig's head can show as a pose asset of this file; those that are there are made anew."""
    head = head_of(rig)
    actions = []
    for pose in (*VISEMES, *EMOTIONS):
        if not moves_anything(pose, head.expression_names, head.eyelids is not None):
            continue
        actions.append(_pose_asset(rig, pose, 1.0))
        if pose.kind == EMOTION and pose.values:
            actions.append(_pose_asset(rig, pose, SUBTLE))
    return actions


def pose_assets(rig: bpy.types.Object) -> dict[str, bpy.types.Action]:
    """The pose assets in this file that were made for the rig's head: key of the pose to Action."""
    head_id = rig[HEAD_ID]
    actions = [action for action in bpy.data.actions if action.get(HEAD_ID) == head_id and action.library is None]
    return {action[POSE_KEY]: action for action in actions if POSE_KEY in action}


def _pose_asset(rig: bpy.types.Object, pose: FacePose, strength: float) -> bpy.types.Action:
    key = pose.name if strength == 1.0 else f"{pose.name} subtle"
    old = pose_assets(rig).get(key)
    if old is not None:
        bpy.data.actions.remove(old)
    name = f"{pose.label} subtle" if strength != 1.0 else pose.label
    action = bpy.data.actions.new(f"Viseme {name}" if pose.kind == VISEME else name)
    action[POSE_KEY], action[HEAD_ID] = key, rig[HEAD_ID]
    _write_pose(action, rig, channels_of_pose(rig, pose), strength)
    action.asset_mark()
    data = action.asset_data
    data.description = pose.description if strength == 1.0 else f"{pose.description}, by {strength:.0%}"
    data.author, data.license = "ERLNet", "CC0-1.0"
    data.catalog_id = CATALOGS[pose.kind][0]
    for tag in (pose.kind, pose.name, "face", rig[HEAD_ID]):
        data.tags.new(tag, skip_if_exists=True)
    return action


def _write_pose(action: bpy.types.Action, rig: bpy.types.Object, channels: PoseChannels, strength: float) -> None:
    curves = channels_of(action, slot_for(action, rig))

    def put(bone: str, path: str, group: str, *values: float, first: int = 0) -> None:
        for index, value in enumerate(values, first):
            ensure_curve(curves, f'pose.bones["{bone}"]{path}', index, group).keyframe_points.insert(1, value)

    for name, value in channels.face.items():
        put(FACE_BONE, f'["{name}"]', FACE_BONE, strength * value)
    for bone, axis in channels.handles:
        put(bone, ".location", bone, 0.0, first=axis)
    if channels.jaw is not None:
        turn = Quaternion().slerp(channels.jaw, strength)
        axis, angle = turn.to_axis_angle()
        # One asset for whatever rotation mode the jaw is in: Blender looks at the channels of that one alone.
        put("jaw", ".rotation_euler", "jaw", *turn.to_euler("XYZ"))
        put("jaw", ".rotation_quaternion", "jaw", *turn)
        put("jaw", ".rotation_axis_angle", "jaw", angle, *(axis if angle else (1.0, 0.0, 0.0)))


def catalog_folder() -> Path | None:
    """Where Blender looks for the catalogs of this file: its asset library, else its folder; None if not saved."""
    if not bpy.data.filepath:
        return None
    folder = Path(bpy.data.filepath).resolve().parent
    for library in bpy.context.preferences.filepaths.asset_libraries:
        root = Path(bpy.path.abspath(library.path)).resolve() if library.path else None
        if root is not None and (root == folder or root in folder.parents):
            return root
    return folder


def write_catalogs() -> Path | None:
    """Name the two catalogs in the catalog file beside the .blend, leaving all others; None if the file is not saved.

    Raises:
        ErlnetError: the folder cannot be written to.
    """
    folder = catalog_folder()
    if folder is None:
        return None
    path = folder / CATALOG_FILE
    text = path.read_text(encoding="utf-8") if path.is_file() else _CATALOG_HEADER
    lines = [f"{identity}:{name}:{name.replace('/', '-')}" for identity, name in CATALOGS.values()]
    missing = "".join(f"{line}\n" for line in lines if line.partition(":")[0] not in text)
    if missing:
        write_bytes(path, (text if text.endswith("\n") else f"{text}\n").encode() + missing.encode())
    return path
