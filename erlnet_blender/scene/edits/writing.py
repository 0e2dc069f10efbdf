"""Edits onto the edit layer: the one place where they are written. Generated keys are never touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import bpy
import numpy as np

from ..curves import GENERATED_NAME, MARGIN, Keys, channels_of, curve_at, ensure_curve, read_keys, write_keys
from ..layers import edit_layer
from . import rotations
from .motion import smoothstep
from .sampling import Channel, Motion

# Changes smaller than this, in a control's units, radians or metres, are none.
LEAST = 1e-6
_KEY = bpy.types.Keyframe.bl_rna.properties
BEZIER = _KEY["interpolation"].enum_items["BEZIER"].value
LINEAR = _KEY["interpolation"].enum_items["LINEAR"].value
FREE, VECTOR, CLAMPED = (_KEY["handle_left_type"].enum_items[name].value for name in ("FREE", "VECTOR", "AUTO_CLAMPED"))
KEYFRAME = _KEY["type"].enum_items["KEYFRAME"].value
# Keys on every frame are fillers; before Blender 4.3 that type stands for what a bake generates.
FILLER_NAME = "BREAKDOWN" if GENERATED_NAME == "JITTER" else "JITTER"
FILLER = _KEY["type"].enum_items[FILLER_NAME].value
GROUPS = {"root": "Root", "neck": "Neck", "jaw": "Jaw", "left_eye": "Eyes", "right_eye": "Eyes", "face": "Expression"}


@dataclass(frozen=True)
class Step:
    """What comes on top of one property of the rig.

    Args:
        channel: the property as it is.
        frames: (K,) in the order of time; before the first and after the last nothing is changed.
        amounts: (K, C) added to the property's numbers, or for a quaternion turned after it.
        eases: whether the few keys are an animator's, with easy curves between them; else one a frame, and straight.
    """

    channel: Channel
    frames: np.ndarray
    amounts: np.ndarray
    eases: bool = False

    def at(self, frames: np.ndarray) -> np.ndarray:
        """(N, C) the amounts at any frames between the first and the last."""
        if not self.eases or len(self.frames) < 2:
            return np.stack([np.interp(frames, self.frames, column) for column in self.amounts.T], 1)
        piece = np.clip(np.searchsorted(self.frames, frames, "right") - 1, 0, len(self.frames) - 2)
        share = (frames - self.frames[piece]) / np.diff(self.frames)[piece]
        low, high = self.amounts[piece], self.amounts[piece + 1]
        return low + smoothstep(share)[:, None] * (high - low)


def steps_to(motion: Motion, targets: Mapping[tuple[str, str], np.ndarray]) -> list[Step]:
    """What takes a motion to other values.

    Args:
        targets: (bone, path) of a channel to its new `Channel.values` (N, W).
    """
    steps = []
    for key, values in targets.items():
        channel = motion.channels[key]
        if np.abs(values - channel.values).max(initial=0) > LEAST:
            steps.append(Step(channel, motion.frames, channel.steps_to(values)))
    return steps


def turning(channel: Channel, frames: np.ndarray, angles: np.ndarray) -> Step:
    """A turn of a bone on top of its own.

    Args:
        channel: what turns the bone, at `frames`.
        angles: (K, 3) radians about its x, y and z: added to Euler angles, else turned after its rotation.
    """
    if channel.mode == "QUATERNION":
        return Step(channel, frames, rotations.of_vectors(angles), eases=True)
    if channel.mode == "AXIS_ANGLE":
        turned = rotations.product(channel.quaternions, rotations.of_vectors(angles))
        return Step(channel, frames, channel.steps_to(rotations.vectors_of(turned)))
    return Step(channel, frames, angles, eases=True)


def write_steps(rig: bpy.types.Object, steps: Iterable[Step]) -> int:
    """Put steps onto the rig's edit layer, on top of the keys that it has.

    Returns:
        How many properties were keyed.

    Raises:
        ErlnetError: there is no edit layer to be had, see `layers.edit_layer`. Nothing has changed.
    """
    action = edit_layer(rig)
    curves = channels_of(action, getattr(rig.animation_data, "action_slot", None))
    written = 0
    for step in steps:
        neutral = nothing(step.channel, len(step.frames))
        if np.abs(step.amounts - neutral).max(initial=0) > LEAST:
            _write(curves, _closed(step))
            written += 1
    action.update_tag()
    rig.update_tag()
    return written


def nothing(channel: Channel, count: int) -> np.ndarray:
    """(K, C) amounts that change nothing."""
    width = channel.raw.shape[1]
    return np.tile([1.0, 0, 0, 0] if channel.mode == "QUATERNION" else np.zeros(width), (count, 1))


def _closed(step: Step) -> Step:
    """The step from where it begins to where it ends: nothing at both ends, a frame further out if need be."""
    neutral = nothing(step.channel, 1)
    does = np.flatnonzero((np.abs(step.amounts - neutral) > LEAST).any(1))
    inside = slice(max(0, does[0] - 1), does[-1] + 2)
    frames, amounts = step.frames[inside], step.amounts[inside]
    if does[0] == 0:
        frames, amounts = np.concatenate([[frames[0] - 1], frames]), np.concatenate([neutral, amounts])
    if does[-1] == len(step.frames) - 1:
        frames, amounts = np.concatenate([frames, [frames[-1] + 1]]), np.concatenate([amounts, neutral])
    return Step(step.channel, frames, amounts, step.eases)


def _write(curves: object, step: Step) -> None:
    channel = step.channel
    width = channel.raw.shape[1]
    old = [curves.fcurves.find(channel.data_path, index=index) for index in range(width)]
    keys = [read_keys(curve) if curve is not None and len(curve.keyframe_points) else None for curve in old]
    first, last = step.frames[0], step.frames[-1]
    own = [_frames_within(some, first, last) for some in keys]
    frames = np.unique(np.round(np.concatenate([step.frames, *own]), 4))
    before = np.stack(
        [
            curve_at(curve, frames) if some is not None else np.full(len(frames), channel.rest[index])
            for index, (curve, some) in enumerate(zip(old, keys, strict=True))
        ],
        1,
    )
    amounts = step.at(frames)
    if channel.mode == "QUATERNION":
        after, changed = rotations.product(rotations.unit(before), rotations.unit(amounts)), [True] * width
    else:
        after, changed = before + amounts, np.abs(amounts).max(0) > LEAST
    for index in np.flatnonzero(changed):
        curve = old[index] or ensure_curve(
            curves, channel.data_path, int(index), GROUPS.get(channel.bone, channel.bone)
        )
        if not curve.lock:
            _split(curve, step)
            _put(curve, step, frames, before[:, index], after[:, index])


def _frames_within(keys: Keys | None, first: float, last: float) -> np.ndarray:
    if keys is None:
        return np.zeros(0)
    frames = keys["co"][:, 0].astype(float)
    return frames[(frames > first) & (frames < last)]


def _split(curve: bpy.types.FCurve, step: Step) -> None:
    """Key a curve at both ends of an edit without changing its shape: what lies outside stays as it is."""
    points = curve.keyframe_points
    for end in (step.frames[0], step.frames[-1]):
        frames = read_keys(curve)["co"][:, 0]
        if not len(frames) or np.abs(frames - end).min() < MARGIN:
            continue
        right = int(np.searchsorted(frames, end))
        beside = [points[index] for index in (right - 1, right) if 0 <= index < len(points)]
        for point in beside:
            # Handles that are nobody's but the animator's: Blender then divides the segment exactly where it is cut.
            point.handle_left_type = point.handle_right_type = "FREE"
        # Beyond its ends a curve is level.
        if right == 0:
            points[0].handle_left[1] = points[0].co[1]
        elif right == len(points):
            points[-1].handle_right[1] = points[-1].co[1]
        points.insert(end, curve.evaluate(end), keyframe_type="KEYFRAME" if step.eases else FILLER_NAME)


def _put(curve: bpy.types.FCurve, step: Step, frames: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    """Keys at the step's frames, and those that the curve has between them moved by as much as the step asks."""
    keys = read_keys(curve)
    places = keys["co"][:, 0].astype(float)
    nearest = _nearest(frames, places)
    there = np.abs(frames[nearest] - places) < MARGIN
    lift = np.where(there, (after - before)[nearest], 0.0)
    for name in ("co", "handle_left", "handle_right"):
        keys[name][:, 1] += lift
    # An exact value, whatever rounding the curve has.
    keys["co"][there, 1] = after[nearest[there]]
    wanted = np.isin(np.round(frames, 4), np.round(step.frames, 4))
    if len(places):
        wanted &= np.abs(places[_nearest(places, frames)] - frames) >= MARGIN
    new = _new_keys(keys, frames[wanted], after[wanted], step.eases)
    merged = {name: np.concatenate([keys[name], new[name]]) for name in keys}
    order = np.argsort(merged["co"][:, 0], kind="stable")
    write_keys(curve, {name: values[order] for name, values in merged.items()})


def _nearest(row: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N,) which of a sorted row (K,) is nearest to each value."""
    right = np.clip(np.searchsorted(row, values), 1, max(len(row) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(row) - 1)
    return np.where(np.abs(values - row[left]) <= np.abs(values - row[right]), left, right)


def _new_keys(like: Keys, frames: np.ndarray, values: np.ndarray, eases: bool) -> Keys:
    count = len(frames)
    keys = {name: np.zeros((count, array.shape[1]), array.dtype) for name, array in like.items()}
    keys["co"][:] = np.stack([frames, values], 1)
    keys["handle_left"][:] = keys["co"] - np.array([1 / 3, 0], np.float32)
    keys["handle_right"][:] = keys["co"] + np.array([1 / 3, 0], np.float32)
    keys["handle_left_type"][:] = keys["handle_right_type"][:] = CLAMPED if eases else VECTOR
    keys["interpolation"][:] = BEZIER if eases else LINEAR
    keys["type"][:] = KEYFRAME if eases else FILLER
    keys["back"][:], keys["period"][:] = 1.70158, 4.1
    return keys
