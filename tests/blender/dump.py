"""Everything that a .blend holds, as plain data: two files are the same where their dumps are.

before = dump()
…
assert differences(before, dump()) == []
"""

from __future__ import annotations

import contextlib
from typing import Any

import bpy
import numpy as np

# What changes by itself: caches, addresses, and what Blender counts.
_SKIP = {"rna_type", "bl_rna", "session_uid", "is_evaluated", "original", "users", "tag", "is_updated"}
_SKIP |= {"is_updated_data", "depsgraph", "preview", "override_library", "library_weak_reference"}
_SKIP |= {"particle_edit", "storage_type"}
# What belongs to the program or the window and not to the scene.
_FOREIGN = {"window_managers", "screens", "workspaces", "brushes", "palettes", "libraries", "fonts", "texts"}
# Kinds of numbers that collections give in bulk.
_BULK = {"FLOAT": np.float32, "INT": np.int32, "BOOLEAN": bool, "ENUM": np.int32}
_DEEP = 12
_seen: set[tuple[int, str]] = set()


def dump() -> dict[str, dict]:
    """ID's kind and name to all of its properties, custom ones too; pointers to other IDs are their names."""
    found = {}
    _seen.clear()
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION" and prop.identifier not in _FOREIGN:
            for item in getattr(bpy.data, prop.identifier):
                found[f"{prop.identifier}/{item.name_full}"] = _struct(item, 0)
    return found


def differences(a: object, b: object, where: str = "") -> list[str]:
    """The places where two dumps differ; empty where they do not."""
    if isinstance(a, dict) and isinstance(b, dict):
        lost = [f"{where}/{key}: {'gone' if key in a else 'new'}" for key in a.keys() ^ b.keys()]
        return lost + [line for key in a.keys() & b.keys() for line in differences(a[key], b[key], f"{where}/{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [line for i, (x, y) in enumerate(zip(a, b, strict=True)) for line in differences(x, y, f"{where}/{i}")]
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        same = a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    else:
        same = a == b or (a != a and b != b)
    return [] if same else [f"{where}: {a!r} is {b!r}"[:200]]


def _struct(item: Any, depth: int) -> object:
    # Bones know their parents, and those their children: each thing is told once.
    address = item.as_pointer(), type(item).__name__
    if depth > _DEEP or address in _seen:
        return getattr(item, "name", "...")
    _seen.add(address)
    values = {}
    for prop in item.bl_rna.properties:
        name = prop.identifier
        if name in _SKIP or name.startswith(("is_", "select", "uv_layer_")):
            continue
        try:
            values[name] = _value(getattr(item, name), prop, depth)
        except (AttributeError, RuntimeError, TypeError, ValueError, UnicodeDecodeError):
            continue
    # Not every struct may have custom properties.
    with contextlib.suppress(TypeError):
        values["custom"] = {key: _custom(item[key]) for key in item.keys()}  # noqa: SIM118, no dictionary
    return values


def _value(value: object, prop: bpy.types.Property, depth: int) -> object:
    if prop.type == "POINTER":
        if value is None:
            return None
        is_own = isinstance(value, bpy.types.ID) and value.is_embedded_data
        return value.name_full if isinstance(value, bpy.types.ID) and not is_own else _struct(value, depth + 1)
    if prop.type == "COLLECTION":
        return _collection(value, prop, depth)
    if getattr(prop, "is_array", False):
        return np.array([*np.array(value, object).ravel()], float)
    return sorted(value) if isinstance(value, set) else value


def _collection(items: Any, prop: bpy.types.Property, depth: int) -> object:
    if not len(items):
        return []
    if isinstance(items[0], bpy.types.ID):
        return [item.name_full for item in items]
    inside = [inner for inner in prop.fixed_type.properties if inner.identifier not in _SKIP]
    if len(items) > 64 and not any(inner.type in ("STRING", "COLLECTION") for inner in inside):
        return {inner.identifier: _bulk(items, inner) for inner in inside if inner.type in _BULK}
    return [_struct(item, depth + 1) for item in items]


def _bulk(items: Any, prop: bpy.types.Property) -> np.ndarray | None:
    width = max(prop.array_length, 1) if prop.type != "ENUM" else 1
    values = np.empty(len(items) * width, _BULK[prop.type])
    try:
        items.foreach_get(prop.identifier, values)
    except (RuntimeError, TypeError, AttributeError):
        return None
    return values


def _custom(value: object) -> object:
    if isinstance(value, bpy.types.ID):
        return value.name_full
    if hasattr(value, "to_dict"):
        return {key: _custom(inner) for key, inner in value.items()}
    return list(value) if hasattr(value, "to_list") else value
