"""Face tracks as keyframes of the rig, in bulk, on one Action, for Blender 4.2 to 5.x.

A bake is written into a copy of the rig's Action, which takes the old one's place only when it is
complete. Only keys between the first and the last frame of the track are replaced; curves that the
animator has locked are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from ..delivery import PARTS, parts_of_expression
from ..errors import ErlnetError
from ..face_track import CHANNELS, FaceTrack
from .controls import EYELIDS, FACE_BONE, expression_key
from .curves import channels_of, ensure_curve, generated_keys, generated_range, replace_keys, slot_for
from .layers import assign_baked, baked_action, baked_curves, edit_layer
from .rig import check_head, head_of, quaternion_of, read_frame


@dataclass(frozen=True)
class Channel:
    """One animated number of the rig over time: where it is, under which heading, and its values (N,).

    Args:
        parts: the parts of the face (`delivery.PARTS`) that it belongs to.
    """

    data_path: str
    index: int
    group: str
    values: np.ndarray
    parts: frozenset[str]


def write_track(
    rig: bpy.types.Object, track: FaceTrack, start_frame: float, action_name: str, parts: frozenset[str] = PARTS,
    timing: Callable[[np.ndarray], np.ndarray] | None = None,
) -> bpy.types.Action:  # fmt: skip
    """Key the rig from a track; frame i lands at `start_frame` + i, scaled if the scene's frame rate is another.

    Root rotation and translation are written only where the track has some; head motion is the neck's.

    Args:
        action_name: the name of the first Action with generated keys; later ones keep it.
        parts: what is keyed; everything else keeps the keys it has.
        timing: takes these frames (N,) to the frames of the keys, in the same order; None leaves them.

    Returns:
        The Action with the keys, already playing on the track below the rig's edit layer.

    Raises:
        ErlnetError: the track is empty or belongs to another head, or an NLA strip is being tweaked.
            The rig is unchanged.
    """
    check_head(rig, track)
    if len(track) == 0:
        raise ErlnetError("The track has no frames", rig.name, "choose a longer recording")
    if rig.library is not None:
        raise ErlnetError("The head is linked from another file", rig.name, "make a library override of it first")
    animation = rig.animation_data or rig.animation_data_create()
    if animation.use_tweak_mode:
        raise ErlnetError("An NLA strip is being edited", rig.name, "leave tweak mode (Tab in the NLA editor)")
    edit_layer(rig)
    frames = start_frame + np.arange(len(track)) * (_scene_fps() / track.fps)
    if timing is not None:
        frames = timing(frames)
    old, old_slot = baked_action(rig)
    action = old.copy() if old is not None else bpy.data.actions.new(action_name)
    try:
        slot = slot_for(action, rig, old_slot)
        curves = channels_of(action, slot)
        for channel in track_channels(rig, track):
            if not channel.parts & parts:
                continue
            curve = curves.fcurves.find(channel.data_path, index=channel.index)
            if curve is None and _is_still(rig, channel):
                continue
            curve = curve or ensure_curve(curves, channel.data_path, channel.index, channel.group)
            if not curve.lock:
                replace_keys(curve, frames, channel.values)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    assign_baked(rig, action, slot)
    return action


def track_channels(rig: bpy.types.Object, track: FaceTrack) -> list[Channel]:
    """Every channel that the track animates, with rotations in each bone's own mode."""
    eyes = track.eyes_pose
    joints = [("neck", "Neck", track.neck_pose, "head"), ("jaw", "Jaw", track.jaw_pose, "mouth")]
    joints += [("left_eye", "Eyes", eyes[:, :3], "gaze"), ("right_eye", "Eyes", eyes[:, 3:], "gaze")]
    channels: list[Channel] = []
    if track.rotation.any():
        joints.append(("root", "Root", track.rotation, "head"))
    for name, group, axis_angles, part in joints:
        channels += _rotation_channels(rig.pose.bones[name], group, axis_angles, frozenset({part}))
    if track.translation.any():
        path, moved = 'pose.bones["root"].location', track.translation
        channels += [Channel(path, axis, "Root", moved[:, axis], frozenset({"head"})) for axis in range(3)]
    face, head = f'pose.bones["{FACE_BONE}"]', head_of(rig)
    for index, name in enumerate(head.expression_names):
        path = f'{face}["{expression_key(index)}"]'
        channels.append(Channel(path, 0, "Expression", track.expr[:, index], parts_of_expression(name)))
    if head.eyelids is not None:
        for index, name in enumerate(EYELIDS):
            path = f'{face}["{name}"]'
            channels.append(Channel(path, 0, "Eyelids", track.eyelids[:, index], frozenset({"blinks"})))
    return channels


def _rotation_channels(
    bone: bpy.types.PoseBone, group: str, axis_angles: np.ndarray, parts: frozenset[str]
) -> list[Channel]:
    """Axis-angle (N, 3) in the bone's rotation mode, without jumps between frames."""
    quaternions = [quaternion_of(axis_angle) for axis_angle in axis_angles]
    if bone.rotation_mode == "QUATERNION":
        path = "rotation_quaternion"
        for before, quaternion in zip(quaternions, quaternions[1:], strict=False):
            quaternion.make_compatible(before)
        values = np.array([tuple(quaternion) for quaternion in quaternions])
    elif bone.rotation_mode == "AXIS_ANGLE":
        path = "rotation_axis_angle"
        turns = [quaternion.to_axis_angle() for quaternion in quaternions]
        values = np.array([(angle, *axis) for axis, angle in turns])
    else:
        path = "rotation_euler"
        eulers = [quaternions[0].to_euler(bone.rotation_mode)]
        for quaternion in quaternions[1:]:
            eulers.append(quaternion.to_euler(bone.rotation_mode, eulers[-1]))
        values = np.array([tuple(euler) for euler in eulers])
    full = f'pose.bones["{bone.name}"].{path}'
    return [Channel(full, index, group, values[:, index], parts) for index in range(values.shape[1])]


def _is_still(rig: bpy.types.Object, channel: Channel) -> bool:
    """Whether the channel is zero throughout and the rig already has it at zero: nothing to key."""
    if channel.values.any():
        return False
    value = rig.path_resolve(channel.data_path)
    return not (value if isinstance(value, float) else value[channel.index])


def clear_bake(rig: bpy.types.Object, first_frame: float, last_frame: float) -> int:
    """Remove the generated keys between two frames; keys that the animator set and locked curves stay.

    Returns:
        How many keys were removed.
    """
    edit_layer(rig)
    old, old_slot = baked_action(rig)
    if old is None:
        return 0
    action = old.copy()
    slot = slot_for(action, rig, old_slot)
    curves, removed = channels_of(action, slot), 0
    for curve in list(curves.fcurves):
        if curve.lock:
            continue
        doomed = generated_keys(curve, first_frame, last_frame)
        removed += int(doomed.sum())
        if doomed.all():
            curves.fcurves.remove(curve)
        elif doomed.any():
            replace_keys(curve, np.zeros(0), np.zeros(0), drop=doomed)
    assign_baked(rig, action, slot)
    return removed


def baked_range(rig: bpy.types.Object) -> tuple[int, int] | None:
    """First and last frame that have generated keys; None if there are none."""
    ranges = [generated_range(curve) for curve in baked_curves(rig)]
    ends = [ends for ends in ranges if ends is not None]
    return (round(min(first for first, _ in ends)), round(max(last for _, last in ends))) if ends else None


def read_track(rig: bpy.types.Object, scene: bpy.types.Scene, first_frame: int, last_frame: int) -> FaceTrack:
    """The rig as Blender evaluates it at every whole frame from first to last, at the scene's frame rate.

    Raises:
        ErlnetError: the range is empty.
    """
    if last_frame < first_frame:
        raise ErlnetError(f"The frame range {first_frame} to {last_frame} is empty", scene.name, "choose a later end")
    before, part = scene.frame_current, scene.frame_subframe
    try:
        frames = []
        for frame in range(first_frame, last_frame + 1):
            scene.frame_set(frame)
            frames.append(read_frame(rig, bpy.context.evaluated_depsgraph_get()))
    finally:
        scene.frame_set(before, subframe=part)
    values = {name: np.concatenate([getattr(frame, name) for frame in frames]) for name in CHANNELS}
    first = frames[0]
    return FaceTrack(fps=first.fps, head_id=first.head_id, shape=first.shape, source=first.source, **values)


def _scene_fps() -> float:
    render = bpy.context.scene.render
    return render.fps / render.fps_base
