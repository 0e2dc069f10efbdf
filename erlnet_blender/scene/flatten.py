"""Both layers as one Action: what is seen, sampled at whole frames."""

from __future__ import annotations

import bpy
import numpy as np

from ..errors import ErlnetError
from .curves import channels_of, curve_at, curves_of, ensure_curve, read_keys, replace_keys, slot_for, write_keys
from .layers import EDITS, GENERATED, base_strip, edit_layer, is_muted, take_flattened
from .reduction import reducing, tolerances
from .rig import head_of

# Component to curve.
Curves = dict[int, bpy.types.FCurve]


def flatten(rig: bpy.types.Object, max_mm: float = 0.0, max_degrees: float = 0.0) -> bpy.types.Action:
    """Put the edit layer and the generated motion together as the rig's own Action; the NLA tracks of both go.

    Where both animate a property, or the edit layer counts in part, it gets a generated key at every whole frame, or
    fewer within the bounds of `scene.reduction`. All other keys stay as they are. A later bake takes it apart again.

    Raises:
        ErlnetError: nothing is generated, a layer is muted, or the edit layer is mixed in some unusual way.
    """
    edits, strip, animation = edit_layer(rig), base_strip(rig), rig.animation_data
    if strip is None:
        raise ErlnetError("There is nothing generated to put together with your keys", rig.name, "bake first")
    if is_muted(rig, EDITS) or is_muted(rig, GENERATED):
        raise ErlnetError("One of the layers is muted", rig.name, "switch both on in the Bake panel")
    if animation.action_blend_type not in ("COMBINE", "ADD"):
        what = f"The edit layer's blend mode is {animation.action_blend_type.lower()}"
        raise ErlnetError(what, rig.name, "set it to Combine in the NLA editor's sidebar")
    below = _by_path(curves_of(strip.action, getattr(strip, "action_slot", None)))
    action = edits.copy()
    slot = slot_for(action, rig, getattr(animation, "action_slot", None))
    channels = channels_of(action, slot)
    above = _by_path(channels.fcurves)
    influence = animation.action_influence
    sampled = [path for path in {**below, **above} if (path in below and path in above) or influence != 1]
    for path, curves in below.items():
        if path not in sampled:
            for index, curve in curves.items():
                _move(ensure_curve(channels, path, index, _group(curve)), curve)
    if sampled:
        _write_sums(rig, channels, sampled, below, above, influence, max_mm, max_degrees)
    take_flattened(rig, action, slot)
    return action


def _by_path(curves: list[bpy.types.FCurve]) -> dict[str, Curves]:
    found: dict[str, Curves] = {}
    for curve in curves:
        found.setdefault(curve.data_path, {})[curve.array_index] = curve
    return found


def _group(curve: bpy.types.FCurve) -> str:
    return curve.group.name if curve.group is not None else "Flattened"


def _move(target: bpy.types.FCurve, curve: bpy.types.FCurve) -> None:
    if len(curve.modifiers):
        frames = _frames([curve])
        replace_keys(target, frames, curve_at(curve, frames))
    else:
        write_keys(target, read_keys(curve))
    target.extrapolation = curve.extrapolation


def _frames(curves: list[bpy.types.FCurve]) -> np.ndarray:
    ends = [curve.range() for curve in curves]
    first, last = np.floor(min(end[0] for end in ends)), np.ceil(max(end[1] for end in ends))
    return np.arange(first, max(last, first + 1) + 1)


def _write_sums(
    rig: bpy.types.Object,
    channels: object,
    paths: list[str],
    below: dict[str, Curves],
    above: dict[str, Curves],
    influence: float,
    max_mm: float,
    max_degrees: float,
) -> None:
    parts = [(below.get(path, {}), above.get(path, {})) for path in paths]
    frames = _frames([curve for pair in parts for curves in pair for curve in curves.values()])
    values = [_sum(rig, path, *pair, frames, influence) for path, pair in zip(paths, parts, strict=True)]
    keep = np.ones((len(frames), sum(numbers.shape[1] for numbers in values)), bool)
    if max(max_mm, max_degrees) > 0:
        limits = tolerances(head_of(rig), paths, values, max_mm, max_degrees)
        *_, keep = reducing(frames, np.concatenate(values, 1), limits, np.zeros(len(frames), bool))
    first = 0
    for path, numbers, (base, edits) in zip(paths, values, parts, strict=True):
        for index in range(numbers.shape[1]):
            if index in base or index in edits or path.endswith("rotation_quaternion"):
                like = base.get(index) or edits.get(index)
                target = ensure_curve(channels, path, index, _group(like) if like is not None else "Flattened")
                for modifier in list(target.modifiers):
                    target.modifiers.remove(modifier)
                target.keyframe_points.clear()
                kept = keep[:, first + index]
                replace_keys(target, frames[kept], numbers[kept, index])
        first += numbers.shape[1]


def _sum(
    rig: bpy.types.Object, path: str, base: Curves, edits: Curves, frames: np.ndarray, influence: float
) -> np.ndarray:
    """(N, C) what Blender makes of both curves of a property at `frames`."""
    rest = _rest(rig, path, 1 + max({**base, **edits}))
    lower, upper = (np.tile(rest, (len(frames), 1)) for _ in range(2))
    for values, curves in ((lower, base), (upper, edits)):
        for index, curve in curves.items():
            values[:, index] = curve_at(curve, frames)
    if path.endswith("rotation_quaternion"):
        return _turned(lower, upper, influence)
    return lower + influence * (upper - rest)


def _rest(rig: bpy.types.Object, path: str, width: int) -> np.ndarray:
    """(C,) what a property is by default."""
    if path.endswith("rotation_quaternion"):
        return np.array([1.0, 0.0, 0.0, 0.0])
    if path.endswith("scale"):
        return np.ones(max(width, 3))
    if path.endswith('"]'):
        return np.zeros(1)
    owner, _, name = path.rpartition(".")
    prop = (rig.path_resolve(owner) if owner else rig).bl_rna.properties[name]
    return np.array(prop.default_array[:] if getattr(prop, "is_array", False) else [prop.default], float)


def _turned(lower: np.ndarray, upper: np.ndarray, influence: float) -> np.ndarray:
    from mathutils import Quaternion

    turned = []
    for below, above in zip(lower.tolist(), upper.tolist(), strict=True):
        part = Quaternion().slerp(Quaternion(above).normalized(), influence)
        turned.append(tuple(Quaternion(below).normalized() @ part))
    result = np.array(turned)
    signs = np.sign((result[1:] * result[:-1]).sum(1))
    result[1:] *= np.cumprod(np.where(signs == 0, 1, signs))[:, None]
    return result
