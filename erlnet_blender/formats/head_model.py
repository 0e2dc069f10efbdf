"""The FLAME-format head model as the whole project knows it, and its ``.npz`` (numpy only).

Metres, Y up, face towards +Z. Joints in the order of FLAME: root, neck, jaw, left_eye, right_eye.
"Left" is the head's own left, at positive x.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ErlnetError
from .atomic import atomic_path
from .npz import members, read_npz

JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")
PARENTS = (-1, 0, 1, 1, 1)
REQUIRED = ("v_template", "faces", "shapedirs", "expressiondirs", "posedirs", "J_regressor", "weights", "parents")
# Stored compactly, computed with as float32.
_FLOATS = (
    "v_template",
    "shapedirs",
    "expressiondirs",
    "posedirs",
    "J_regressor",
    "weights",
    "eyelids",
    "uv",
    "landmark_bary",
)
_INTS = ("faces", "uv_faces", "landmark_faces")


@dataclass
class HeadModel:
    """A head in FLAME's format: V vertices, F triangles, S shape and E expression components.

    Args:
        v_template: (V, 3) vertices at rest, metres.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        shapedirs: (V, 3, S) identity basis; expressiondirs: (V, 3, E) expression basis.
        posedirs: (36, 3V) pose correctives for the 4 joints after the root, rows as the entries of
            (R - I), columns as vertex-major xyz.
        J_regressor: (5, V) joints from shaped vertices; weights: (V, 5) skinning, rows sum to 1.
        parents: (5,) parent of each joint.
        eyelids: (2, V, 3) offsets that shut the left and the right eye, added before posing.
        uv: (U, 2); uv_faces: (F, 3).
        landmark_faces: (478,) triangle and landmark_bary: (478, 3) place in it of MediaPipe's landmarks;
            -1 where the head has none.
        regions: name to (V,) bool mask or (V,) float weight, e.g. lips, eyeballs, teeth, scalp, neck.
        meta: id, name, licence, sha256 of the source, names of the expressions and shapes.
    """

    v_template: np.ndarray
    faces: np.ndarray
    shapedirs: np.ndarray
    expressiondirs: np.ndarray
    posedirs: np.ndarray
    J_regressor: np.ndarray
    weights: np.ndarray
    parents: np.ndarray
    eyelids: np.ndarray | None = None
    uv: np.ndarray | None = None
    uv_faces: np.ndarray | None = None
    landmark_faces: np.ndarray | None = None
    landmark_bary: np.ndarray | None = None
    regions: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _FLOATS:
            if getattr(self, name) is not None:
                setattr(self, name, np.ascontiguousarray(getattr(self, name), np.float32))
        for name in _INTS:
            if getattr(self, name) is not None:
                setattr(self, name, np.ascontiguousarray(getattr(self, name), np.int32))
        self.parents = np.asarray(self.parents, np.int32)
        self._check()
        # Stored weights may have been rounded; skinning needs a partition of unity.
        self.weights /= self.weights.sum(1, keepdims=True)

    def _check(self) -> None:
        count = len(self.v_template)
        expected = {
            "v_template": (count, 3),
            "faces": (len(self.faces), 3),
            "shapedirs": (count, 3, self.shapedirs.shape[-1]),
            "expressiondirs": (count, 3, self.expressiondirs.shape[-1]),
            "posedirs": (36, 3 * count),
            "J_regressor": (5, count),
            "weights": (count, 5),
            "eyelids": (2, count, 3),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is None:
                continue
            if value.shape != shape:
                raise ErlnetError(f"Head model: {name} has shape {value.shape}, expected {shape}")
            if not np.isfinite(value).all():
                raise ErlnetError(f"Head model: {name} holds NaN or infinity")
        if self.faces.min() < 0 or self.faces.max() >= count:
            raise ErlnetError("Head model: faces point outside the vertices")
        if tuple(self.parents) != PARENTS:
            raise ErlnetError(f"Head model: parents are {self.parents.tolist()}, expected {list(PARENTS)}")
        if np.abs(self.weights.sum(1) - 1).max() > 1e-2:
            raise ErlnetError("Head model: skinning weights do not sum to one")

    @property
    def id(self) -> str:
        """Which head model this is; coefficients mean nothing without it."""
        return str(self.meta.get("id", "unknown"))

    @property
    def expression_names(self) -> list[str]:
        """A name for each expression component; `Exp001` … where the file has none."""
        count = self.expressiondirs.shape[-1]
        return list(self.meta.get("expression_names") or [f"Exp{i + 1:03d}" for i in range(count)])

    def expression(self, values: dict[str, float]) -> np.ndarray:
        """(E,) coefficients from named expressions; unknown names raise KeyError."""
        names = self.expression_names
        coefficients = np.zeros(len(names), np.float32)
        for name, value in values.items():
            coefficients[names.index(name) if name in names else _unknown(name, names)] = value
        return coefficients

    def save(self, path: str | os.PathLike, dtype: type = np.float32) -> None:
        """Write an ``.npz``; bases may be stored as float16 (`dtype`), all else stays float32."""
        arrays = {name: getattr(self, name) for name in (*_FLOATS, *_INTS) if getattr(self, name) is not None}
        for name in ("shapedirs", "expressiondirs", "posedirs", "eyelids"):
            if name in arrays:
                arrays[name] = arrays[name].astype(dtype)
        arrays["parents"] = self.parents
        arrays |= {f"region_{name}": mask for name, mask in self.regions.items()}
        arrays["meta"] = np.array(json.dumps(self.meta, sort_keys=True))
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> HeadModel:
        """Read an ``.npz`` that `save` wrote.

        Raises:
            ErlnetError: the file is missing, not a head model, or damaged.
        """
        if Path(path).is_file() and not members(path):
            raise ErlnetError("Not a head model of ERLNet", path, "convert it with `erlnet convert`")
        arrays = read_npz(path, "head model")
        missing = [name for name in REQUIRED if name not in arrays]
        if missing:
            raise ErlnetError(f"Not a head model (no {', '.join(missing)})", path, "convert it with `erlnet convert`")
        regions = {key.removeprefix("region_"): value for key, value in arrays.items() if key.startswith("region_")}
        values = {key: value for key, value in arrays.items() if not key.startswith("region_") and key != "meta"}
        try:
            return cls(**values, regions=regions, meta=json.loads(str(arrays.get("meta", "{}"))))
        except (TypeError, ValueError) as error:
            raise ErlnetError(f"Not a head model ({error})", path, "convert it with `erlnet convert`") from error


def _unknown(name: str, names: list[str]) -> int:
    raise KeyError(f"the head has no expression {name!r}, only {', '.join(names)}")


def is_head_file(path: str | os.PathLike) -> bool:
    """Whether `path` has the members of a file that `HeadModel.save` writes; they are not read."""
    return {"expressiondirs", "parents", "meta"} <= members(path)


def default_head_path() -> Path:
    """Where the head that ships with the add-on lies."""
    return Path(__file__).resolve().parent.parent / "assets" / "default_head.npz"
