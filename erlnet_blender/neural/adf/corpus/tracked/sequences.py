"""What trackers and generators write, read as data: coefficients of a FLAME head or its vertices, frame by frame.

Known are FaceTracks; ``.npz``, ``.pt`` and ``.pkl`` files with FLAME parameters under any of their usual names
(DiffPoseTalk and TFHP: ``exp``, ``pose``; VHAP, HDTF, MEAD: ``expr``, ``jaw_pose``, ``rotation``; SMIRK and EMOTE:
``expression_params``, ``jaw_params``, ``global_pose``); bare arrays of the widths in `LAYOUTS`; vertices (N, V, 3) or
(N, 3V) as VOCASET and BIWI have them; folders with a file for each frame (GaussianAvatars, metrical-tracker).
Everything goes through `formats.flame`, where nothing that is in a file is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from .....errors import ErlnetError
from .....formats.flame.budget import Budget
from .....formats.flame.containers import read_contents
from .....formats.flame.read import opened
from .....formats.flame.records import as_array, text_of
from .....formats.npz import members, read_npz

_NAMES = {
    "expr": ("expr", "exp", "expression", "expressions", "expression_params", "exp_params", "expcode"),
    "jaw_pose": ("jaw_pose", "jaw", "jaw_params"),
    "rotation": ("rotation", "global_pose", "global_orient", "global_rot", "rot", "pose_params", "r"),
    "neck_pose": ("neck_pose", "neck"),
    "eyes_pose": ("eyes_pose", "eyes", "eye_pose"),
    "eyelids": ("eyelids", "eyelid_params"),
    "pose": ("pose", "posecode", "poses"),
    "shape": ("shape", "betas", "shape_params", "shapecode"),
    "vertices": ("vertices", "verts"),
    "fps": ("fps", "frame_rate"),
    "head_id": ("head_id",),
}
# Columns of bare arrays, by width. 106 is ARTalk's, 54 and 51 DiffPoseTalk's, whose jaw turns about x alone.
LAYOUTS = {
    50: (("expr", 50),),
    51: (("expr", 50), ("jaw_pose", 1)),
    53: (("expr", 50), ("jaw_pose", 3)),
    54: (("expr", 50), ("rotation", 3), ("jaw_pose", 1)),
    56: (("expr", 50), ("rotation", 3), ("jaw_pose", 3)),
    100: (("expr", 100),),
    103: (("expr", 100), ("jaw_pose", 3)),
    106: (("expr", 100), ("rotation", 3), ("jaw_pose", 3)),
}
# Of a `pose` that is one array: FLAME's own order, without or with neck and eyes.
_POSES = {6: ("rotation", "jaw_pose"), 15: ("rotation", "neck_pose", "jaw_pose", "eyes_pose")}
_FEWEST_VERTICES = 1000
_MOST_COEFFICIENTS = 400
_WIDEST = {"expr": _MOST_COEFFICIENTS, "eyelids": 2, "eyes_pose": 6}
_TURNS = ("jaw_pose", "rotation", "neck_pose")
_REMEDY = "see the formats in docs/training/corpus.md"


@dataclass(frozen=True)
class Sequence:
    """N frames of a tracked face.

    Args:
        arrays: by FaceTrack's names, of the right widths (`shape`: (S,)); or `vertices` (N, V, 3) alone.
        fps: frames per second, None where the file does not say.
        head_id: of a FaceTrack; empty for FLAME's coefficients and for vertices.
    """

    arrays: dict[str, np.ndarray]
    fps: float | None = None
    head_id: str = ""

    def __len__(self) -> int:
        return len(next(value for name, value in self.arrays.items() if name != "shape"))

    @property
    def is_vertices(self) -> bool:
        """Whether these are vertices and no coefficients."""
        return "vertices" in self.arrays


def read_sequence(path: Path) -> Sequence:
    """A tracker's file, or a folder with a file for each frame, in the order of their names.

    Raises:
        ErlnetError: not a file that is known, damaged, of wrong shapes, or with NaN in it.
    """
    if not path.is_dir():
        return _checked(_parts(path), path)
    frames = sorted(file for file in path.iterdir() if file.suffix in (".npz", ".frame"))
    if not frames:
        raise ErlnetError("No frames (.npz, .frame) in this folder", path, _REMEDY)
    parts = [_parts(frame) for frame in frames]
    names = [name for name in parts[0] if name not in ("shape", "fps", "head_id")]
    for frame, part in zip(frames, parts, strict=True):
        if any(name not in part or part[name].shape != parts[0][name].shape for name in names):
            raise ErlnetError("The frame has other values than the first one", frame, _REMEDY)
    joined = {name: np.concatenate([part[name].reshape(1, -1) for part in parts]) for name in names}
    return _checked(joined | {name: parts[0][name] for name in ("shape", "fps") if name in parts[0]}, path)


def _parts(path: Path) -> dict[str, Any]:
    """The values that are known, by our names; unchecked."""
    if {"expr", "head_id"} <= members(path):
        arrays = read_npz(path, "face track")
        return {name: arrays[name] for name in _NAMES if name in arrays}
    with opened(path) as (file, budget):
        contents = read_contents(file, budget)
        if not isinstance(contents, dict):
            return _from_array(as_array(contents, budget, "contents"), budget)
        values = {str(key).lower(): value for key, value in contents.items()}
        for inner in ("flame", "flame_params", "params"):
            if isinstance(values.get(inner), dict):
                values |= {str(key).lower(): value for key, value in values[inner].items()}
        found: dict[str, Any] = {}
        for name, usual in _NAMES.items():
            chosen = next((values[word] for word in usual if word in values), None)
            if chosen is not None:
                text = name == "head_id"
                found[name] = text_of(chosen) if text else np.asarray(as_array(chosen, budget, name))
        if "expr" not in found and "vertices" not in found:
            listed = ", ".join(sorted(values)[:8])
            budget.refuse(f"it holds neither expressions nor vertices but {listed or 'nothing'}", _REMEDY)
        return found


def _from_array(array: np.ndarray, budget: Budget) -> dict[str, np.ndarray]:
    if array.ndim == 3 and array.shape[2] == 3 and array.shape[1] >= _FEWEST_VERTICES:
        return {"vertices": array}
    width = array.shape[1] if array.ndim == 2 else 0
    if width >= 3 * _FEWEST_VERTICES and width % 3 == 0:
        return {"vertices": array.reshape(len(array), -1, 3)}
    if width not in LAYOUTS:
        widths = ", ".join(map(str, LAYOUTS))
        budget.refuse(f"an array of shape {array.shape} is neither vertices nor one of {widths} columns", _REMEDY)
    names, widths = zip(*LAYOUTS[width], strict=True)
    return dict(zip(names, np.split(array, np.cumsum(widths)[:-1], axis=1), strict=True))


def _checked(parts: dict[str, Any], path: Path) -> Sequence:
    def refuse(what: str) -> ErlnetError:
        return ErlnetError(f"Track is not usable: {what}", path, _REMEDY)

    fps = None
    if "fps" in parts:
        fps = float(np.asarray(parts["fps"], float).ravel()[0]) if parts["fps"].dtype.kind in "iuf" else float("nan")
        if not 1 <= fps <= 1000:
            raise refuse(f"its frame rate is {fps:g}")
    arrays: dict[str, np.ndarray] = {}
    for name, value in parts.items():
        if name in ("fps", "head_id"):
            continue
        if name == "shape" and value.size == 0:  # the template
            continue
        if value.dtype.kind not in "iuf" or value.size == 0:
            raise refuse(f"{name} of shape {value.shape} and type {value.dtype} holds no numbers")
        if not np.isfinite(value).all():
            raise refuse(f"{name} holds NaN or infinity")
        arrays[name] = value.astype(np.float32)
    if "vertices" in arrays:
        vertices = arrays["vertices"]
        vertices = vertices.reshape(len(vertices), -1, 3) if vertices.size % (3 * len(vertices)) == 0 else vertices[:0]
        if vertices.shape[1:][:1] < (_FEWEST_VERTICES,):
            raise refuse(f"its vertices have shape {arrays['vertices'].shape}")
        return Sequence({"vertices": vertices}, fps)
    shape = arrays.pop("shape", None)
    arrays = _joints({name: _rows(value) for name, value in arrays.items()}, refuse)
    counts = {name: len(value) for name, value in arrays.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise refuse(f"its parts have different numbers of frames ({told})")
    if shape is not None:
        # Some trackers give identity anew in every frame.
        arrays["shape"] = np.atleast_2d(shape).reshape(-1, shape.shape[-1]).mean(0)
    return Sequence(arrays, fps, str(parts.get("head_id", "")))


def _rows(value: np.ndarray) -> np.ndarray:
    """(N, K) of (N, K), (1, N, K), (N, 1, K) or one frame (K,)."""
    if value.ndim > 2 and 1 in value.shape[:2]:
        value = value.reshape(*(side for side in value.shape[:2] if side != 1), *value.shape[2:])
    return value[None] if value.ndim == 1 else value


def _joints(arrays: dict[str, np.ndarray], refuse: Any) -> dict[str, np.ndarray]:
    """Poses by joint, every rotation as axis-angle."""
    pose = arrays.pop("pose", None)
    if pose is not None:
        if pose.ndim != 2 or pose.shape[1] not in _POSES:
            raise refuse(f"its pose has shape {pose.shape}, known are (N, 6) and (N, 15)")
        names = _POSES[pose.shape[1]]
        arrays = dict(zip(names, np.split(pose, range(3, 3 * len(names), 3), axis=1), strict=False)) | arrays
        if "eyes_pose" in names:
            arrays["eyes_pose"] = pose[:, 9:]
    for name in arrays.keys() & set(_TURNS):
        arrays[name] = _axis_angle(arrays[name], name, refuse)
    if arrays.get("eyes_pose", np.zeros((0, 6))).shape[1:] == (12,):
        both = arrays["eyes_pose"].reshape(-1, 6)
        arrays["eyes_pose"] = _axis_angle(both, "eyes_pose", refuse).reshape(-1, 6)
    for name, value in arrays.items():
        width = value.shape[-1]
        fits = value.ndim == 2 and (width <= _MOST_COEFFICIENTS if name == "expr" else width == _WIDEST.get(name, 3))
        if not fits:
            raise refuse(f"its {name} has shape {value.shape}")
    return arrays


def _axis_angle(value: np.ndarray, name: str, refuse: Any) -> np.ndarray:
    """(N, 3) from the angle about x (N, 1), axis-angle, two rows of a matrix (N, 6; Zhou et al. 2019), or matrices."""
    if value.shape[1:] == (1,):
        return np.pad(value, ((0, 0), (0, 2)))
    if value.shape[1:] == (3,):
        return value
    if value.shape[1:] == (6,):
        first, second = value[:, :3], value[:, 3:]
        first = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-8)
        second = second - (first * second).sum(1, keepdims=True) * first
        second = second / np.maximum(np.linalg.norm(second, axis=1, keepdims=True), 1e-8)
        value = np.stack([first, second, np.cross(first, second)], 1)
    if value.shape[1:] != (3, 3):
        raise refuse(f"its {name} has shape {value.shape}")
    try:
        return Rotation.from_matrix(value).as_rotvec().astype(np.float32)
    except ValueError:
        raise refuse(f"its {name} holds no rotations") from None
