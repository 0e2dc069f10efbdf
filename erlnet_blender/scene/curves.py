"""F-curves across Blender's versions: Actions with slots (4.4 and later) and without, keys in bulk."""

from __future__ import annotations

from functools import lru_cache

import bpy
import numpy as np

LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
VECTOR = bpy.types.Keyframe.bl_rna.properties["handle_left_type"].enum_items["VECTOR"].value
_TYPES = bpy.types.Keyframe.bl_rna.properties["type"].enum_items
# Keys that a program made are of a type of their own, so that an animator sees which are his.
GENERATED_NAME = "GENERATED" if "GENERATED" in _TYPES else "JITTER"
GENERATED = _TYPES[GENERATED_NAME].value
# Frames closer than this are the same frame.
MARGIN = 1e-3

_PLAIN = (
    ("type", GENERATED),
    ("interpolation", LINEAR),
    ("handle_left_type", VECTOR),
    ("handle_right_type", VECTOR),
)
# In case the animator changes the interpolation.
_SHAPE = (("back", 1.70158), ("period", 4.1))
# The keys of a curve: attribute to (K, numbers).
Keys = dict[str, np.ndarray]
# What a key consists of: attribute, numbers for each key, type.
_ATTRIBUTES = (
    ("co", 2, np.float32),
    ("handle_left", 2, np.float32),
    ("handle_right", 2, np.float32),
    ("handle_left_type", 1, np.int32),
    ("handle_right_type", 1, np.int32),
    ("interpolation", 1, np.int32),
    ("easing", 1, np.int32),
    ("back", 1, np.float32),
    ("amplitude", 1, np.float32),
    ("period", 1, np.float32),
    ("type", 1, np.int32),
)


def slot_for(action: bpy.types.Action, owner: bpy.types.ID, like: object | None = None) -> object | None:
    """The slot of `action` for `owner`: the one named as `like`, or a new one; None before Blender 4.4."""
    if not hasattr(action, "slots"):
        return None
    if like is not None:
        for slot in action.slots:
            if slot.identifier == like.identifier:
                return slot
    return action.slots.new(id_type=owner.id_type, name=owner.name)


def channels_of(action: bpy.types.Action, slot: object | None) -> object | None:
    """What holds `fcurves` and `groups` for a slot: its channel bag, or before 4.4 the Action itself.

    Makes layer, strip and bag where the Action has none; None only if `slot` is None on 4.4 or later.
    """
    if not hasattr(action, "slots"):
        return action
    if slot is None:
        return None
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def curves_of(action: bpy.types.Action | None, slot: object | None) -> list[bpy.types.FCurve]:
    """The F-curves of a slot; unlike `channels_of` it makes nothing, so panels may ask."""
    if action is None:
        return []
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    strips = [strip for layer in action.layers for strip in layer.strips if strip.type == "KEYFRAME"]
    bags = [strip.channelbag(slot) for strip in strips] if slot is not None else []
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def ensure_curve(channels: object, data_path: str, index: int, group: str) -> bpy.types.FCurve:
    """The F-curve of a property, made in the named group where there is none."""
    curve = channels.fcurves.find(data_path, index=index)
    if curve is None:
        curve = channels.fcurves.new(data_path, index=index)
        curve.group = channels.groups.get(group) or channels.groups.new(group)
    return curve


def replace_keys(
    curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray, drop: np.ndarray | None = None
) -> None:
    """Put generated keys on a curve in place of those between the first and the last of `frames`.

    Args:
        frames, values: (N,) the new keys, in the order of time.
        drop: bool mask of the old keys that go instead.
    """
    places = _read(curve, "co", 2, np.float32)
    if drop is None:
        drop = (places[:, 0] >= frames[0] - MARGIN) & (places[:, 0] <= frames[-1] + MARGIN)
    keep = np.logical_not(drop)
    if _is_plain(curve, keep):
        co = np.concatenate([places[keep], np.stack([frames, values], 1).astype(np.float32)])
        _write_plain(curve, co[np.argsort(co[:, 0], kind="stable")])
        return
    old, new = read_keys(curve), _generated(frames, values)
    merged = {name: np.concatenate([old[name][keep], new[name]]) for name, _, _ in _ATTRIBUTES}
    order = np.argsort(merged["co"][:, 0], kind="stable")
    write_keys(curve, {name: values[order] for name, values in merged.items()})


def _is_plain(curve: bpy.types.FCurve, keep: np.ndarray) -> bool:
    """Whether the keys that stay are as `_write_plain` makes them."""
    if not keep.any():
        return True
    kinds = (
        ("type", GENERATED),
        ("interpolation", LINEAR),
        ("handle_left_type", VECTOR),
        ("handle_right_type", VECTOR),
    )
    return all((_read(curve, name, 1, np.int32)[keep] == value).all() for name, value in kinds)


def _write_plain(curve: bpy.types.FCurve, co: np.ndarray) -> None:
    """Give a curve generated keys (K, 2) and no others; Blender lays their handles by itself."""
    points = curve.keyframe_points
    points.clear()
    points.add(len(co))
    points.foreach_set("co", co.ravel())
    for name, values in _plain(len(co)):
        points.foreach_set(name, values)
    curve.update()


@lru_cache(maxsize=4)
def _plain(count: int) -> list[tuple[str, np.ndarray]]:
    """What `count` generated keys have in common; a bake asks for the same number over and over."""
    kinds = [(name, np.full(count, value, np.int32)) for name, value in _PLAIN]
    return kinds + [(name, np.full(count, value, np.float32)) for name, value in _SHAPE]


def read_keys(curve: bpy.types.FCurve) -> Keys:
    """All that the keys of a curve consist of."""
    return {name: _read(curve, name, width, dtype) for name, width, dtype in _ATTRIBUTES}


def write_keys(curve: bpy.types.FCurve, keys: Keys) -> None:
    """Give a curve these keys, in the order of time, and no others."""
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys["co"]))
    for name, _, _ in _ATTRIBUTES:
        points.foreach_set(name, np.ascontiguousarray(keys[name]).ravel())
    curve.update()


def curve_at(curve: bpy.types.FCurve, frames: np.ndarray) -> np.ndarray:
    """(N,) the curve's values at `frames`."""
    return np.array([curve.evaluate(frame) for frame in frames])


def generated_keys(curve: bpy.types.FCurve, first_frame: float = -np.inf, last_frame: float = np.inf) -> np.ndarray:
    """Bool mask (K,) of the keys between two frames that `replace_keys` made."""
    kinds = _read(curve, "type", 1, np.int32)[:, 0]
    frames = _read(curve, "co", 2, np.float32)[:, 0]
    return (kinds == GENERATED) & (frames >= first_frame - MARGIN) & (frames <= last_frame + MARGIN)


def generated_range(curve: bpy.types.FCurve) -> tuple[float, float] | None:
    """First and last frame of the keys that `replace_keys` made; None if there are none."""
    points = curve.keyframe_points
    # Panels ask at every redraw: mostly both ends are generated, and the thousands between need no look.
    if len(points) and points[0].type == points[-1].type == GENERATED_NAME:
        return points[0].co[0], points[-1].co[0]
    frames = _read(curve, "co", 2, np.float32)[generated_keys(curve), 0]
    return (float(frames[0]), float(frames[-1])) if len(frames) else None


def _read(curve: bpy.types.FCurve, name: str, width: int, dtype: type) -> np.ndarray:
    flat = np.empty(len(curve.keyframe_points) * width, dtype)
    curve.keyframe_points.foreach_get(name, flat)
    return flat.reshape(-1, width)


def _generated(frames: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    count = len(frames)
    keys = {name: np.zeros((count, width), dtype) for name, width, dtype in _ATTRIBUTES}
    keys["co"][:] = np.stack([frames, values], 1)
    # Handles a third of a frame out, in case the animator changes the interpolation.
    keys["handle_left"][:] = keys["co"] - np.array([1 / 3, 0], np.float32)
    keys["handle_right"][:] = keys["co"] + np.array([1 / 3, 0], np.float32)
    keys["handle_left_type"][:] = keys["handle_right_type"][:] = VECTOR
    keys["interpolation"][:] = LINEAR
    keys["type"][:] = GENERATED
    for name, value in _SHAPE:
        keys[name][:] = value
    return keys
