"""A rig's animation as ARKit weights and back, and the 52 shapes themselves on the rig's head."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ..errors import ErlnetError
from ..face_track import FaceTrack
from ..formats import arkit
from ..formats.head_model import JOINTS, HeadModel
from .game_copy import Performance, Shapes, game_ready_copy, identity_basis
from .keyframes import read_track
from .rig import head_name_of, head_of

SUFFIX = "ARKit"
# A shape key goes straight where a joint goes round. The weight at which both meet: speech opens the jaw half at most;
# an eyeball must not swell at the end of its way.
MEETS_AT = {"jaw": 0.5, "left_eye": 1.0, "right_eye": 1.0}


def arkit_reason(head: HeadModel) -> str:
    """Why ARKit's shapes mean nothing on a head; empty if they do."""
    if head.meta.get("expression_names"):
        return ""
    return f"The expressions of {head.meta.get('name', head.id)} have no names that ARKit's could be matched with"


def arkit_rig_reason(rig: bpy.types.Object | None) -> str:
    """Why ARKit's shapes mean nothing on a rig; empty if they do, or if there is none."""
    if rig is None:
        return ""
    try:
        return arkit_reason(head_of(rig))
    except ErlnetError as error:
        return str(error)


def check_names(rig: bpy.types.Object) -> HeadModel:
    """The rig's head.

    Raises:
        ErlnetError: its expressions have no names.
    """
    head = head_of(rig)
    if arkit_reason(head):
        raise ErlnetError(arkit_reason(head), head_name_of(rig), "convert the motion to the default head first")
    return head


def recording_of(track: FaceTrack, names: list[str], start_s: float = 0.0) -> arkit.Recording:
    """What ARKit would have recorded of a track; its head rotation is that of root and neck together."""
    poses = arkit.FacePoses(track.expr, track.jaw_pose, track.eyes_pose, track.eyelids)
    head = arkit.rotation_matrices(track.rotation) @ arkit.rotation_matrices(track.neck_pose)
    eyes = [arkit.yaw_pitch_roll(track.eyes_pose[:, part]) for part in (slice(0, 3), slice(3, 6))]
    angles = np.concatenate([arkit.yaw_pitch_roll(head), *eyes], 1)
    return arkit.Recording(arkit.weights_of(poses, names), angles, track.fps, start_s)


def track_of(recording: arkit.Recording, head: HeadModel, has_head_motion: bool = True) -> FaceTrack:
    """A recording as a track of a head; the rotation of the head goes to the neck."""
    poses = arkit.poses_of(recording.weights, head.expression_names)
    neck = arkit.axis_angle(recording.angles[:, :3]) if has_head_motion else np.zeros((len(poses.expr), 3))
    return FaceTrack(
        expr=poses.expr,
        fps=recording.fps,
        head_id=head.id,
        jaw_pose=poses.jaw_pose,
        neck_pose=neck,
        eyes_pose=poses.eyes_pose,
        eyelids=poses.eyelids,
        source=json.dumps({"kind": "arkit"}),
    )


def read_recording(rig: bpy.types.Object, scene: bpy.types.Scene, first_frame: int, last_frame: int) -> arkit.Recording:
    """The rig's animation as ARKit weights at every whole frame from first to last.

    Raises:
        ErlnetError: the range is empty, or the head's expressions have no names.
    """
    head = check_names(rig)
    track = read_track(rig, scene, first_frame, last_frame)
    return recording_of(track, head.expression_names, max(0, first_frame) / track.fps)


def arkit_copy(rig: bpy.types.Object, scene: bpy.types.Scene, first_frame: int, last_frame: int) -> bpy.types.Object:
    """A copy of the head with ARKit's 52 shapes as keyed shape keys, on a skeleton of root and neck alone.

    Returns:
        The armature; its child is the mesh.

    Raises:
        ErlnetError: the range is empty, or the head's expressions have no names.
    """
    head = check_names(rig)
    weights = read_recording(rig, scene, first_frame, last_frame).weights

    def shapes_of(rig: bpy.types.Object, performance: Performance) -> Shapes:
        basis = identity_basis(rig, performance)
        values = dict(zip(arkit.NAMES, weights.T, strict=True))
        return Shapes(basis, shape_offsets(head, basis), values, ("root", "neck"))

    return game_ready_copy(rig, scene, first_frame, last_frame, SUFFIX, shapes_of)


def shape_offsets(head: HeadModel, basis: np.ndarray) -> dict[str, np.ndarray]:
    """What each of ARKit's shapes adds to the head at rest, in the frame of its neck.

    Jaw and eyes turn about their joints, with their pose correctives: they are the ends of FLAME's tree, so skinning
    adds for each its weight times (R - I)(v - joint).

    Args:
        basis: (V, 3) the head at rest with its identity, metres.

    Returns:
        Shape to (V, 3); zeros for what the head cannot do.
    """
    joints = head.J_regressor.astype(np.float64) @ basis
    poses = arkit.poses_of(np.eye(len(arkit.NAMES)), head.expression_names)
    turned = dict(zip(JOINTS[2:], (poses.jaw_pose, poses.eyes_pose[:, :3], poses.eyes_pose[:, 3:]), strict=True))
    offsets = {}
    for index, name in enumerate(arkit.NAMES):
        offset = head.expressiondirs.astype(np.float64) @ poses.expr[index]
        if head.eyelids is not None:
            offset += np.einsum("l,lvc->vc", poses.eyelids[index], head.eyelids.astype(np.float64))
        for joint, rotations in turned.items():
            if rotations[index].any():
                number, weight = JOINTS.index(joint), MEETS_AT[joint]
                turn = (arkit.rotation_matrices(weight * rotations[index : index + 1])[0] - np.eye(3)) / weight
                offset += (turn.ravel() @ head.posedirs[9 * (number - 1) : 9 * number]).reshape(-1, 3)
                offset += head.weights[:, number, None] * ((basis + weight * offset - joints[number]) @ turn.T)
        offsets[name] = offset
    return offsets
