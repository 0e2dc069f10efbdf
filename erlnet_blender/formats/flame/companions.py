"""FLAME's companion files: vertex masks, texture coordinates and eyelids."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import numpy as np

from .budget import Budget
from .containers import numbers_of, read_contents
from .records import as_array

FLAME_VERTICES, FLAME_FACES, EYEBALL_VERTICES = 5023, 9976, 546
# Our regions from FLAME's masks; what is not named here keeps FLAME's name.
_JOINED = {
    "eyeballs": ("left_eyeball", "right_eyeball"),
    "ears": ("left_ear", "right_ear"),
}
_KEPT = ("face", "eye_region", "neck", "lips", "nose", "scalp", "forehead", "boundary")
_MAX_OBJ_LINES = 200_000


def is_masks(value: Any) -> bool:
    """Whether a file's contents look like FLAME's masks."""
    return isinstance(value, dict) and "left_eyeball" in value and "scalp" in value


def read_masks(value: Any, faces: np.ndarray, vertex_count: int, budget: Budget) -> dict[str, np.ndarray]:
    """Regions as (V,) bool from lists of vertices, or of triangles (then all their corners).

    Raises:
        ErlnetError: not masks, or not for this head.
    """
    if not is_masks(value):
        budget.refuse("it holds no FLAME masks", "choose FLAME_masks.pkl")
    found = {}
    for name in [*_KEPT, *(part for parts in _JOINED.values() for part in parts)]:
        if name in value:
            found[name] = _indices(value[name], name, budget)
    by_triangle = len(found["left_eyeball"]) > EYEBALL_VERTICES
    limit = len(faces) if by_triangle else vertex_count
    regions = {}
    for name, index in found.items():
        if len(index) and (index.min() < 0 or index.max() >= limit):
            budget.refuse(f"its mask {name} points outside this head")
        regions[name] = np.zeros(vertex_count, bool)
        regions[name][faces[index].ravel() if by_triangle else index] = True
    for joined, parts in _JOINED.items():
        here = [regions.pop(part) for part in parts if part in regions]
        if here:
            regions[joined] = np.logical_or.reduce(here)
    return regions


def _indices(value: Any, name: str, budget: Budget) -> np.ndarray:
    index = as_array(value, budget, f"mask {name}")
    if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
        budget.refuse(f"its mask {name} is no list of indices")
    return index.astype(np.int64)


def read_uv(file: BinaryIO, faces: np.ndarray, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """uv (U, 2) and uv_faces (F, 3) from an .obj with the same triangles, or an .npz with vt and ft.

    Raises:
        ErlnetError: neither, or for other triangles.
    """
    start = file.read(6)
    file.seek(0)
    if start.startswith((b"PK", b"\x93NUMPY", b"\x80")):
        values = read_contents(file, budget)
        if not isinstance(values, dict) or not {"vt", "ft"} <= values.keys():
            budget.refuse("it holds no texture coordinates (vt and ft)", "choose an .obj or uv_coords.npz")
        uv, uv_faces = as_array(values["vt"], budget, "vt"), as_array(values["ft"], budget, "ft")
    else:
        uv, corners, uv_faces = _read_obj(file, budget)
        if corners.shape == faces.shape and not (corners == faces).all():
            uv_faces = _reordered(corners, uv_faces, faces, budget)
    if uv.ndim != 2 or uv.shape[1] not in (2, 3) or not np.isfinite(uv).all():
        budget.refuse("its texture coordinates are malformed")
    if uv_faces.shape != faces.shape:
        budget.refuse(f"it has {len(uv_faces)} triangles with texture coordinates, this head has {len(faces)}")
    if uv_faces.min() < 0 or uv_faces.max() >= len(uv):
        budget.refuse("its triangles point outside its texture coordinates")
    return uv[:, :2], uv_faces.astype(np.int32)


def _read_obj(file: BinaryIO, budget: Budget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """vt (U, 2), and for each triangle its corners' places among the vertices (F, 3) and among vt (F, 3)."""
    uv: list[tuple[float, float]] = []
    corners: list[list[int]] = []
    uv_faces: list[list[int]] = []
    for number in range(_MAX_OBJ_LINES):
        line = file.readline(1024)
        if not line:
            break
        budget.step()
        words = line.split()
        if words[:1] == [b"vt"]:
            if not all(re.fullmatch(rb"[-+.0-9eE]{1,32}", word) for word in words[1:3]) or len(words) < 3:
                budget.refuse(f"line {number + 1} is no texture coordinate")
            uv.append((_float(words[1], budget), _float(words[2], budget)))
        elif words[:1] == [b"f"]:
            pairs = [re.fullmatch(rb"([0-9]{1,7})/([0-9]{1,7})(?:/[0-9]*)?", word) for word in words[1:]]
            if len(pairs) != 3 or not all(pairs):
                budget.refuse(f"line {number + 1} is no triangle with texture coordinates")
            corners.append([int(pair[1]) - 1 for pair in pairs if pair])
            uv_faces.append([int(pair[2]) - 1 for pair in pairs if pair])
    if not uv or not uv_faces:
        budget.refuse("it holds no texture coordinates", "choose an .obj or uv_coords.npz")
    return np.array(uv), np.array(corners), np.array(uv_faces)


def _float(word: bytes, budget: Budget) -> float:
    try:
        return float(word)
    except ValueError:
        budget.refuse("it holds a malformed number")


def _reordered(corners: np.ndarray, uv_faces: np.ndarray, faces: np.ndarray, budget: Budget) -> np.ndarray:
    """`uv_faces` in the order of `faces`, whose triangles may start at another corner."""
    place = {tuple(sorted(corner)): index for index, corner in enumerate(corners.tolist())}
    result = np.empty_like(uv_faces)
    for row, wanted in enumerate(faces.tolist()):
        index = place.get(tuple(sorted(wanted)))
        if index is None:
            budget.refuse("its triangles are not this head's")
        own = corners[index].tolist()
        result[row] = [uv_faces[index, own.index(vertex)] for vertex in wanted]
    return result


def read_eyelid(file: BinaryIO, vertex_count: int, budget: Budget) -> np.ndarray:
    """(V, 3) offsets that shut one eye, metres; vertices beyond FLAME's own stay.

    Raises:
        ErlnetError: not an array of FLAME's vertices.
    """
    offsets = numbers_of(read_contents(file, budget))
    if offsets is None or offsets.shape not in ((FLAME_VERTICES, 3), (vertex_count, 3)) or offsets.dtype.kind != "f":
        budget.refuse(f"it holds no offsets of {FLAME_VERTICES} vertices", "choose l_eyelid.npy and r_eyelid.npy")
    if not np.isfinite(offsets).all() or np.abs(offsets).max() > 0.1:
        budget.refuse("its offsets are not finite, or larger than a head")
    return np.concatenate([offsets, np.zeros((vertex_count - len(offsets), 3))])
