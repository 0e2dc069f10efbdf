"""A face track as animated properties of the rig: data paths, numbers, rotations in each bone's own mode."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..delivery import parts_of_expression
from ..face_track import FaceTrack
from .controls import EYELIDS, FACE_BONE, expression_key
from .rig import head_of, quaternion_of

# Up to this pitch, the Euler angles of a frame follow from its rotation alone; beyond, from the frames before it too.
SAFE_PITCH_RAD = np.radians(80)


@dataclass(frozen=True)
class Channel:
    """One property of the rig over time: where it is, under which heading, and its numbers (N, C).

    Args:
        parts: the parts of the face (`delivery.PARTS`) that it belongs to.
    """

    data_path: str
    group: str
    values: np.ndarray
    parts: frozenset[str]


def track_channels(rig: bpy.types.Object, track: FaceTrack) -> list[Channel]:
    """Every property that the track animates, with rotations in each bone's own mode."""
    eyes, bones = track.eyes_pose, rig.pose.bones
    joints = [("neck", "Neck", track.neck_pose, "head"), ("jaw", "Jaw", track.jaw_pose, "mouth")]
    joints += [("left_eye", "Eyes", eyes[:, :3], "gaze"), ("right_eye", "Eyes", eyes[:, 3:], "gaze")]
    if track.rotation.any():
        joints.append(("root", "Root", track.rotation, "head"))
    channels: list[Channel] = []
    for name, group, axis_angles, part in joints:
        kind, values = rotation_numbers(bones[name].rotation_mode, axis_angles)
        channels.append(Channel(f'pose.bones["{name}"].{kind}', group, values, frozenset({part})))
    if track.translation.any():
        channels.append(Channel('pose.bones["root"].location', "Root", track.translation, frozenset({"head"})))
    face, head = f'pose.bones["{FACE_BONE}"]', head_of(rig)
    for index, name in enumerate(head.expression_names):
        path, values = f'{face}["{expression_key(index)}"]', track.expr[:, index : index + 1]
        channels.append(Channel(path, "Expression", values, parts_of_expression(name)))
    if head.eyelids is not None:
        for index, name in enumerate(EYELIDS):
            values = track.eyelids[:, index : index + 1]
            channels.append(Channel(f'{face}["{name}"]', "Eyelids", values, frozenset({"blinks"})))
    return channels


def rotation_numbers(mode: str, axis_angles: np.ndarray) -> tuple[str, np.ndarray]:
    """The property that a rotation mode uses, and its numbers (N, C) for axis-angles (N, 3), without jumps in time."""
    if mode == "AXIS_ANGLE":
        angles = np.linalg.norm(axis_angles, axis=1, keepdims=True)
        axes = np.where(angles > 1e-12, axis_angles / np.maximum(angles, 1e-12), [1.0, 0.0, 0.0])
        return "rotation_axis_angle", np.concatenate([angles, axes], 1)
    quaternions = _quaternions(np.asarray(axis_angles, float))
    if mode == "QUATERNION":
        return "rotation_quaternion", quaternions
    eulers = np.unwrap(_eulers(quaternions, mode), axis=0)
    if np.abs(eulers[:, _axes(mode)[1]]).max() < SAFE_PITCH_RAD:
        return "rotation_euler", eulers
    turned = [quaternion_of(axis_angle) for axis_angle in axis_angles]
    near = [turned[0].to_euler(mode)]
    for quaternion in turned[1:]:
        near.append(quaternion.to_euler(mode, near[-1]))
    return "rotation_euler", np.array([tuple(euler) for euler in near])


def _quaternions(axis_angles: np.ndarray) -> np.ndarray:
    """(N, 4), real part first, each on the same side as the one before it."""
    half = np.linalg.norm(axis_angles, axis=1, keepdims=True) / 2
    quaternions = np.concatenate([np.cos(half), axis_angles * np.sinc(half / np.pi) / 2], 1)
    turns = np.sign((quaternions[1:] * quaternions[:-1]).sum(1))
    quaternions[1:] *= np.cumprod(np.where(turns == 0, 1, turns))[:, None]
    return quaternions


def _axes(mode: str) -> list[int]:
    return ["XYZ".index(letter) for letter in mode]


def _eulers(quaternions: np.ndarray, mode: str) -> np.ndarray:
    """(N, 3) angles about X, Y, Z, applied in the order of `mode`, with the middle one within a quarter turn."""
    i, j, k = _axes(mode)
    odd = (j - i) % 3 != 1
    w, x, y, z = quaternions.T
    matrix = np.empty((3, 3, len(w)))
    matrix[0] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    matrix[1] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    matrix[2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    angles = np.empty((len(w), 3))
    sign = -1 if odd else 1
    # Applied in the order i, j, k: R = R_k R_j R_i.
    angles[:, i] = sign * np.arctan2(matrix[k, j], matrix[k, k])
    angles[:, j] = sign * np.arctan2(-matrix[k, i], np.hypot(matrix[i, i], matrix[j, i]))
    angles[:, k] = sign * np.arctan2(matrix[j, i], matrix[i, i])
    return angles
