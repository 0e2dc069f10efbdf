"""Hand keys and generated keys of one Action apart: two Actions whose sum is what the one was.

Files from before the edit layer have both in the rig's Action. The hand keys become an Action that is
combined with the generated one below it: curves without generated keys move as they are; where both lie
on one curve, the hand keys become differences from the generated motion, and zero where that goes on.
"""

from __future__ import annotations

import bpy
import numpy as np

from .curves import GENERATED, LINEAR, Keys, channels_of, curve_at, read_keys, slot_for, write_keys

# The type of the keys that Blender makes when an animator presses I.
HAND = bpy.types.Keyframe.bl_rna.properties["type"].enum_items["KEYFRAME"].value
_POINTS = ("handle_left", "co", "handle_right")


def split(action: bpy.types.Action, owner: bpy.types.ID, slot: object | None) -> tuple[bpy.types.Action, ...]:
    """The generated part and the hand part of an Action, as two new Actions; the Action itself stays.

    Combined (NLA, blend mode *Combine*), they give what the Action gave: exactly for numbers and Euler angles, at
    whole frames for quaternions.
    """
    generated, hand = action.copy(), action.copy()
    below, above = (channels_of(part, slot_for(part, owner, slot)) for part in (generated, hand))
    turned: dict[str, list] = {}
    for curve in list(above.fcurves):
        keys = read_keys(curve)
        is_hand = keys["type"][:, 0] != GENERATED
        if curve.data_path.endswith("rotation_quaternion"):
            turned.setdefault(curve.data_path, []).append((curve.array_index, keys, is_hand))
        else:
            _split_curve(below, above, curve, keys, is_hand)
    for path, components in turned.items():
        _split_turned(below, above, path, components)
    for part in (below, above):
        _drop_empty_groups(part)
    return generated, hand


def _split_curve(below: object, above: object, curve: bpy.types.FCurve, keys: Keys, is_hand: np.ndarray) -> None:
    _leave_generated(below, curve, keys, is_hand)
    if not is_hand.any():
        above.fcurves.remove(curve)
    elif not is_hand.all():
        write_keys(curve, _differences(keys, is_hand))
        # Modifiers work on the motion below; twice would be too much.
        for modifier in list(curve.modifiers):
            curve.modifiers.remove(modifier)


def _leave_generated(below: object, curve: bpy.types.FCurve, keys: Keys, is_hand: np.ndarray) -> None:
    base = below.fcurves.find(curve.data_path, index=curve.array_index)
    if is_hand.all():
        below.fcurves.remove(base)
    elif is_hand.any():
        write_keys(base, {name: values[~is_hand] for name, values in keys.items()})


def _differences(keys: Keys, is_hand: np.ndarray) -> Keys:
    """The hand keys of a curve as differences, with a zero on each generated key beside them.

    Between two generated keys that motion is a straight line, so a Bezier curve less the line is the Bezier
    curve of the points less the line.
    """
    made = np.flatnonzero(~is_hand)
    frames, values = keys["co"][made].T.astype(float)
    beside = np.zeros(len(is_hand), bool)
    beside[1:] |= is_hand[:-1]
    beside[:-1] |= is_hand[1:]
    chosen = np.flatnonzero(is_hand | beside)
    result = {name: values_[chosen].copy() for name, values_ in keys.items()}
    for name in _POINTS:
        points = keys[name][chosen].astype(float)
        points[:, 1] -= _line_at(points[:, 0], keys["co"][chosen, 0], frames, values, name)
        result[name][:] = points
    result["co"][~is_hand[chosen], 1] = 0
    result["type"][~is_hand[chosen]] = HAND
    return result


def _line_at(places: np.ndarray, owners: np.ndarray, frames: np.ndarray, values: np.ndarray, side: str) -> np.ndarray:
    """The line of generated motion that a point of the key at `owners` is compared with, at `places`; (N,)."""
    # A handle may reach over the next key; it still belongs to the line on its side of its own key.
    right = np.searchsorted(frames, owners, side="right" if side == "handle_right" else "left")
    outside = (right == 0) | (right == len(frames))
    right = np.clip(right, 1, max(len(frames) - 1, 1)) if len(frames) > 1 else np.zeros(len(owners), int)
    left = np.maximum(right - 1, 0)
    span = np.where(left < right, frames[right] - frames[left], 1.0)
    lines = values[left] + (values[right] - values[left]) * (places - frames[left]) / span
    return np.where(outside, np.where(owners <= frames[0], values[0], values[-1]), lines)


def _split_turned(below: object, above: object, path: str, components: list) -> None:
    """A quaternion that is all hand or all generated goes one way; a mixed one becomes turns on the motion below."""
    masks = [is_hand for _, _, is_hand in components]
    if not any(mask.any() for mask in masks) or all(mask.all() for mask in masks):
        for index, keys, is_hand in components:
            _split_curve(below, above, above.fcurves.find(path, index=index), keys, is_hand)
        return
    frames = np.unique(np.concatenate([_reach(keys, is_hand) for _, keys, is_hand in components]))
    both = _quaternions(above, path, frames)
    for index, keys, is_hand in components:
        _leave_generated(below, above.fcurves.find(path, index=index), keys, is_hand)
    base = _quaternions(below, path, frames)
    turns = _product(base * [1, -1, -1, -1], both) / np.maximum((base**2).sum(1, keepdims=True), 1e-12)
    for index, keys, _ in components:
        write_keys(above.fcurves.find(path, index=index), _plain_keys(frames, turns[:, index], keys))


def _quaternions(channels: object, path: str, frames: np.ndarray) -> np.ndarray:
    values = np.tile([1.0, 0.0, 0.0, 0.0], (len(frames), 1))
    for index in range(4):
        curve = channels.fcurves.find(path, index=index)
        if curve is not None:
            values[:, index] = curve_at(curve, frames)
    return values


def _reach(keys: Keys, is_hand: np.ndarray) -> np.ndarray:
    """Every whole frame between the generated keys on both sides of each hand key."""
    frames = keys["co"][:, 0].astype(float)
    near = np.convolve(is_hand, [1, 1, 1], "same") > 0
    inside = [np.arange(a, b + 1e-3) for a, b, x, y in zip(frames, frames[1:], near, near[1:], strict=False) if x and y]
    return np.concatenate([frames[near], *inside])


def _plain_keys(frames: np.ndarray, values: np.ndarray, like: Keys) -> Keys:
    """Linear keys of the animator's type at `frames`, with all else as keys have it."""
    keys = {name: np.repeat(old[:1], len(frames), axis=0) for name, old in like.items()}
    keys["co"] = np.stack([frames, values], 1).astype(np.float32)
    for name, sign in (("handle_left", -1), ("handle_right", 1)):
        keys[name] = (keys["co"] + np.array([sign / 3, 0])).astype(np.float32)
    keys["interpolation"][:], keys["type"][:] = LINEAR, HAND
    return keys


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product of quaternions (N, 4), real part first."""
    (a0, a1, a2, a3), (b0, b1, b2, b3) = a.T, b.T
    return np.stack(
        [
            a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3,
            a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2,
            a0 * b2 - a1 * b3 + a2 * b0 + a3 * b1,
            a0 * b3 + a1 * b2 - a2 * b1 + a3 * b0,
        ],
        1,
    )


def _drop_empty_groups(channels: object) -> None:
    for group in list(channels.groups):
        if not len(group.channels):
            channels.groups.remove(group)
