"""What the rig's animation is over time, before drivers and constraints: the one place where edits read it.

F-curves are evaluated as Blender's NLA combines them, but without Blender's whole scene at every frame: a minute of
every channel takes a moment, so that an operator can follow its sliders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Quaternion

from ...delivery import parts_of_expression
from ...formats.head_model import HeadModel
from ..controls import EYELID_KEYS, FACE_BONE, LOOK_AT, all_controls, expression_key
from ..curves import curve_at, curves_of
from ..drags import OPEN_KEY, drags_of, sources_of_keys
from ..pose import pose_channels
from ..rig import head_of
from . import rotations

JOINT_PARTS = {"root": "head", "neck": "head", "jaw": "mouth", "left_eye": "gaze", "right_eye": "gaze"}


@dataclass(frozen=True)
class Channel:
    """One property of the rig over N frames.

    Args:
        bone, path: where it is; `path` is from the bone.
        mode: the bone's rotation mode if the property turns it, else empty.
        parts: of the face (`delivery.PARTS`) that it belongs to.
        raw: (N, C) the property's own numbers.
        rest: (C,) what a key of the edit layer holds that changes nothing.
        keyed: whether anything animates it.
    """

    bone: str
    path: str
    mode: str
    parts: frozenset[str]
    raw: np.ndarray
    rest: np.ndarray
    keyed: bool

    @property
    def key(self) -> tuple[str, str]:
        """Bone and path: what names it."""
        return self.bone, self.path

    @property
    def data_path(self) -> str:
        """From the rig, as F-curves have it."""
        return data_path(self.bone, self.path)

    @property
    def values(self) -> np.ndarray:
        """(N, W) for mathematics: a rotation as a rotation vector (N, 3) in radians, everything else as it is."""
        return rotations.vectors_of(self.quaternions) if self.mode else self.raw

    @property
    def quaternions(self) -> np.ndarray:
        """(N, 4) of a channel that turns."""
        if self.mode == "QUATERNION":
            return rotations.unit(self.raw)
        if self.mode == "AXIS_ANGLE":
            return rotations.of_axis_angles(self.raw)
        return rotations.of_euler(self.raw, self.mode)

    def steps_to(self, values: np.ndarray) -> np.ndarray:
        """(N, C) what has to come on top of the property's own numbers, for `values` (N, W)."""
        if not self.mode:
            return values - self.raw
        wanted = rotations.of_vectors(values)
        if self.mode == "QUATERNION":
            return rotations.continuous(rotations.product(rotations.inverse(self.quaternions), wanted))
        if self.mode == "AXIS_ANGLE":
            angles = np.linalg.norm(values, axis=1, keepdims=True)
            axes = np.where(angles > 1e-6, values / np.maximum(angles, 1e-6), self.raw[:, 1:])
            return np.concatenate([angles, axes], 1) - self.raw
        eulers = [
            Quaternion(turn).to_euler(self.mode, Euler(now, self.mode))
            for turn, now in zip(wanted.tolist(), self.raw.tolist(), strict=True)
        ]
        return np.array([tuple(euler) for euler in eulers]) - self.raw


def data_path(bone: str, path: str) -> str:
    """The path of a bone's property from its rig."""
    return f'pose.bones["{bone}"]{path if path.startswith("[") else f".{path}"}'


class Motion:
    """The channels of a rig over frames.

    Args:
        frames: (N,) the scene's frames.
    """

    def __init__(self, rig: bpy.types.Object, frames: np.ndarray) -> None:
        self.rig, self.head, self.frames = rig, head_of(rig), np.asarray(frames, float)
        layers = _layers(rig, self.frames)
        self.channels: dict[tuple[str, str], Channel] = {}
        parts = _parts(self.head)
        for (bone, path), still in pose_channels(rig).items():
            pose_bone = rig.pose.bones[bone]
            mode = pose_bone.rotation_mode if path.startswith("rotation") else ""
            of_parts = parts.get((bone, path), parts[bone, ""])
            raw = _combined(layers, data_path(bone, path), mode, np.array(still, float), len(self.frames))
            rest = np.array(still, float) if raw is None else neutral_of(mode, len(still))
            keyed, raw = raw is not None, np.tile(rest, (len(self.frames), 1)) if raw is None else raw
            self.channels[bone, path] = Channel(bone, path, mode, of_parts, raw, rest, keyed)

    def of_parts(self, parts: frozenset[str] | set[str]) -> Iterator[Channel]:
        """The channels that belong to any of `parts`."""
        return (channel for channel in self.channels.values() if channel.parts & parts)

    def turn(self, bone: str) -> Channel:
        """The channel that turns a bone."""
        return next(channel for channel in self.channels.values() if channel.bone == bone and channel.mode)

    def control(self, name: str) -> Channel | None:
        """The channel of a control of the face, by the property's name; None where the rig has none."""
        return self.channels.get((FACE_BONE, f'["{name}"]'))

    def expression(self, name: str) -> Channel | None:
        """The channel of an expression, by the name that the head gives it; None where it has none."""
        names = self.head.expression_names
        return self.control(expression_key(names.index(name))) if name in names else None

    def total(self, key: str) -> np.ndarray:
        """(N,) the value of a shape key, or of `OPEN_KEY`: controls and handles added up."""
        result = np.zeros(len(self.frames))
        pulls = {(drag.name, pull.name): (drag, pull) for drag in drags_of(self.head) for pull in drag.pulls}
        for bone, name in sources_of_keys(self.head).get(key, []):
            if (bone, name) in pulls:
                place = self.channels.get((bone, "location"))
                drag, pull = pulls[bone, name]
                if place is not None:
                    share = place.raw[:, pull.axis] / drag.range_m * (pull.sign or 1)
                    result += np.clip(share, 0 if pull.sign else -1, 1)
            elif (channel := self.channels.get((bone, f'["{name}"]'))) is not None:
                result += channel.raw[:, 0]
        return result


def _parts(head: HeadModel) -> dict[tuple[str, str], frozenset[str]]:
    """(bone, path) to the parts that it belongs to; for all that is not listed (bone, "")."""
    by_key = {expression_key(index): parts_of_expression(name) for index, name in enumerate(head.expression_names)}
    by_key |= dict.fromkeys(EYELID_KEYS, frozenset({"blinks"})) | {OPEN_KEY: frozenset({"mouth"})}
    parts = {(bone, ""): frozenset({part}) for bone, part in JOINT_PARTS.items()}
    parts[LOOK_AT, ""] = parts[FACE_BONE, f'["{LOOK_AT}"]'] = frozenset({"gaze"})
    for control in all_controls(head):
        if control.keys:
            parts[FACE_BONE, f'["{control.name}"]'] = frozenset().union(*(by_key[key] for key in control.keys))
    parts[FACE_BONE, ""] = frozenset({"mouth"})
    for drag in drags_of(head):
        parts[drag.name, ""] = frozenset().union(*(by_key[pull.key] for pull in drag.pulls))
    return parts


@dataclass(frozen=True)
class _Layer:
    """Curves that are combined with what lies below: `times` (N,) on them, `shows` (N,) 0..1."""

    curves: dict[tuple[str, int], bpy.types.FCurve]
    blend: str
    times: np.ndarray
    shows: np.ndarray


def _layers(rig: bpy.types.Object, frames: np.ndarray) -> list[_Layer]:
    """The NLA strips that play, from the lowest to the highest, and the rig's Action on top."""
    animation = rig.animation_data
    if animation is None:
        return []
    tracks = list(animation.nla_tracks) if animation.use_nla else []
    layers, solo = [], [track for track in tracks if track.is_solo]
    for track in solo or tracks:
        if track.mute:
            continue
        strips = [strip for strip in track.strips if not strip.mute and strip.action is not None]
        for index, strip in enumerate(strips):
            following = strips[index + 1].frame_start if index + 1 < len(strips) else np.inf
            layers.append(_strip_layer(strip, frames, index == 0, following))
    if animation.action is not None and not solo:
        curves = _curves(animation.action, getattr(animation, "action_slot", None))
        # Without the NLA an Action is not combined with anything.
        blend, influence = (animation.action_blend_type, animation.action_influence) if tracks else ("REPLACE", 1.0)
        layers.append(_Layer(curves, blend, frames, np.full(len(frames), influence)))
    return layers


def _strip_layer(strip: bpy.types.NlaStrip, frames: np.ndarray, is_first: bool, following: float) -> _Layer:
    shows = frames < following
    if strip.extrapolation == "NOTHING":
        shows &= (frames >= strip.frame_start) & (frames <= strip.frame_end)
    elif strip.extrapolation == "HOLD_FORWARD" or not is_first:
        shows &= frames >= strip.frame_start
    within = (np.clip(frames, strip.frame_start, strip.frame_end) - strip.frame_start) / strip.scale
    length = strip.action_frame_end - strip.action_frame_start
    if strip.repeat > 1 and length > 0:
        within = np.where(within < length * strip.repeat, within % length, length)
    times = strip.action_frame_end - within if strip.use_reverse else strip.action_frame_start + within
    curves = _curves(strip.action, getattr(strip, "action_slot", None))
    return _Layer(curves, strip.blend_type, times, shows * (strip.influence if strip.use_animated_influence else 1.0))


def _curves(action: bpy.types.Action, slot: object | None) -> dict[tuple[str, int], bpy.types.FCurve]:
    curves = curves_of(action, slot)
    return {(curve.data_path, curve.array_index): curve for curve in curves if not curve.mute and not curve.is_empty}


def neutral_of(mode: str, width: int) -> np.ndarray:
    """(C,) the numbers of a property that is not keyed below: no turn, no movement."""
    neutral = np.zeros(width)
    if mode == "QUATERNION":
        neutral[0] = 1.0
    return neutral


def _combined(layers: list[_Layer], path: str, mode: str, still: np.ndarray, count: int) -> np.ndarray | None:
    """(N, C) of a property through all layers; None if none of them has it."""
    neutral, width = neutral_of(mode, len(still)), range(len(still))
    keyed = [layer for layer in layers if any((path, index) in layer.curves for index in width)]
    if not keyed:
        return None
    values = np.tile(neutral, (count, 1))
    for layer in keyed:
        curves = [layer.curves.get((path, index)) for index in width]
        own = np.stack(
            [values[:, index] if curve is None else curve_at(curve, layer.times) for index, curve in enumerate(curves)],
            1,
        )
        given = np.array([curve is not None for curve in curves])
        values = np.where(given, _blended(values, own, layer, mode, neutral), values)
    return values


def _blended(below: np.ndarray, own: np.ndarray, layer: _Layer, mode: str, neutral: np.ndarray) -> np.ndarray:
    shows = layer.shows[:, None]
    if layer.blend == "COMBINE" and mode == "QUATERNION":
        turn = rotations.of_vectors(rotations.vectors_of(own) * shows)
        return rotations.product(rotations.unit(below), turn)
    if layer.blend == "COMBINE":
        return below + (own - neutral) * shows
    if layer.blend == "ADD":
        return below + own * shows
    if layer.blend == "SUBTRACT":
        return below - own * shows
    if layer.blend == "MULTIPLY":
        return below * (1 + (own - 1) * shows)
    return below + (own - below) * shows
