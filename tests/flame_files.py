"""Files in the structure of FLAME's own and of its companions, made from a head that is nobody's FLAME.

Each `write_*` takes a folder and returns the path it wrote. What Python 2, chumpy and torch leave in such files is
made by their own means where they can be had (torch, SciPy) and by stand-ins where not (Python 2's strings, chumpy).
"""

from __future__ import annotations

import pickle
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from erlnet_blender.formats.flame.landmarks import IBUG_INNER

from .flame_head import COLUMNS, EYEBALL, FACES, SKIN, VERTICES, flame_arrays, flame_sized_head, landmark_embedding

__all__ = ["flame_arrays", "flame_sized_head", "landmark_embedding"]

TEETH, TEETH_FACES = 120, 168
# In place of the 105 of MediaPipe's embedding: the 51 of iBUG and 54 more, none of them on the outline.
MEDIAPIPE_105 = np.array(list(IBUG_INNER) + [i for i in range(3, 400, 6) if i not in IBUG_INNER][:54])
GENDERS = ("generic", "male", "female")


class _Ch:
    """Stands for chumpy.ch.Ch: its state is its attributes."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self._dirty_vars, self._itr, self._status = x, {"x"}, None, "new"


class _Select:
    """Stands for chumpy.reordering.Select: entries of another array."""

    def __init__(self, a: _Ch, idxs: np.ndarray, preferred_shape: tuple) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


@contextmanager
def chumpy():
    """`chumpy.ch.Ch` and `chumpy.reordering.Select` can be pickled by these names inside the block."""
    names = {"chumpy.ch": _Ch, "chumpy.reordering": _Select}
    sys.modules["chumpy"] = types.ModuleType("chumpy")
    for module, stand_in in names.items():
        name = stand_in.__name__.removeprefix("_")
        stand_in.__module__, stand_in.__name__, stand_in.__qualname__ = module, name, name
        sys.modules[module] = types.ModuleType(module)
        setattr(sys.modules[module], name, stand_in)
    try:
        yield _Ch, _Select
    finally:
        for module in ("chumpy", *names):
            del sys.modules[module]


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: text and raw data alike as byte strings, modules under their old names."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, value: str | bytes) -> None:
        data = value.encode("latin-1") if isinstance(value, str) else value
        if self.proto == 0:
            body = "".join(chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in data)
            self.write(b"S'" + body.encode() + b"'\n")
        elif len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        else:
            self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_text

    def save_global(self, obj, name=None) -> None:
        old = {"scipy.sparse._csc": "scipy.sparse.csc", "builtins": "__builtin__", "copyreg": "copy_reg"}
        module = getattr(obj, "__module__", None) or "numpy.core.multiarray"
        module = old.get(module, module)
        self.write(f"c{module}\n{name or obj.__qualname__}\n".encode())
        self.memoize(obj)

    dispatch[type] = save_global
    dispatch[types.FunctionType] = save_global


def pickled(value, path: Path, python2: bool = False, protocol: int = 2) -> Path:
    """Write a pickle as Python 2 or as the present Python would."""
    with path.open("wb") as file:
        (Python2Pickler if python2 else pickle.Pickler)(file, protocol).dump(value)
    return path


def model_dict(shapes: int = 300, expressions: int = 100, teeth: bool = False) -> dict:
    """FLAME's dictionary with NumPy arrays and a SciPy matrix, with fewer components if asked."""
    from scipy.sparse import csc_matrix

    arrays = dict(flame_arrays())
    arrays["shapedirs"] = np.concatenate(
        [arrays["shapedirs"][..., :shapes], arrays["shapedirs"][..., 300 : 300 + expressions]], -1
    )
    if teeth:
        arrays = _with_teeth(arrays)
    arrays["J_regressor"] = csc_matrix(arrays["J_regressor"])
    return arrays | {"bs_style": "lbs", "bs_type": "lrotmin"}


def _with_teeth(arrays: dict) -> dict:
    """120 vertices more, as VHAP adds them: two rows of plates of 15, the upper on the neck, the lower on the jaw."""
    x = np.linspace(-0.02, 0.02, 15)
    arc = np.stack([x, np.full(15, -0.045), 0.045 - 30 * x**2], 1)
    rows = [arc + [0, side * y, -z] for side in (1, -1) for z in (0, 0.003) for y in (0.001, 0.008)]
    strips = []
    for a, b in ((0, 1), (1, 3), (3, 2), (4, 5), (5, 7), (7, 6)):
        k = VERTICES + np.arange(14)
        strips += [np.stack([k + 15 * a, k + 15 * a + 1, k + 15 * b], 1)]
        strips += [np.stack([k + 15 * a + 1, k + 15 * b + 1, k + 15 * b], 1)]
    weights = np.zeros((TEETH, 5))
    weights[:60, 1] = weights[60:, 2] = 1
    more = {
        "v_template": np.concatenate(rows), "weights": weights, "f": np.concatenate(strips).astype(np.uint32),
        "shapedirs": np.zeros((TEETH, *arrays["shapedirs"].shape[1:])), "posedirs": np.zeros((TEETH, 3, 36)),
    }  # fmt: skip
    result = arrays | {name: np.concatenate([arrays[name], more[name]]) for name in more}
    result["J_regressor"] = np.concatenate([arrays["J_regressor"], np.zeros((5, TEETH))], 1)
    return result


def write_flame2020(
    folder: Path, gender: str = "generic", protocol: int = 2, name: str = "", select: bool = False, **counts
) -> Path:
    """FLAME 2020 (and 2023): a Python 2 pickle, shapedirs wrapped by chumpy, the regressor by SciPy."""
    with chumpy() as (Ch, Select):
        model = model_dict(**counts)
        model["shapedirs"] = Ch(model["shapedirs"])
        if select:  # as chumpy leaves a slice: entries of the whole, turned to the wanted shape
            whole, shape = model["shapedirs"].x, model["shapedirs"].x.shape
            turned = Ch(np.ascontiguousarray(whole.reshape(-1)[::-1]))
            model["shapedirs"] = Select(turned, np.arange(whole.size)[::-1], shape)
        return pickled(model, folder / (name or f"{gender}_model.pkl"), python2=True, protocol=protocol)


def write_flame2023_open(folder: Path, gender: str = "neutral", **counts) -> Path:
    """FLAME 2023 Open: plain NumPy and SciPy, and where the expressions come from."""
    model = model_dict(**counts)
    number = counts.get("expressions", 100)
    model["supr_expression_metadata"] = {
        "expr_components": f"last_{number}", "n_expr": number, "expr_source": "SUPR", "supr_gender": gender,
    }  # fmt: skip
    return pickled(model, folder / "flame2023_Open.pkl", protocol=4)


def write_npz(folder: Path, **counts) -> Path:
    """np.savez of the dictionary: the matrix and the texts become arrays of objects or of text."""
    np.savez(folder / "flame.npz", **model_dict(**counts))
    return folder / "flame.npz"


def write_pt(folder: Path, **counts) -> Path:
    """FLAME_with_eye.pt: tensors, and the landmark embeddings inside."""
    import torch

    model = {}
    for name, value in model_dict(**counts).items():
        value = value.toarray() if name == "J_regressor" else value
        if not isinstance(value, str):
            model[name] = torch.from_numpy(np.array(value, np.int64 if value.dtype.kind in "iu" else np.float32))
    model["kintree_table"][0, 0] = -1
    contents = {
        "flame_model": model,
        "lmk_embeddings": _tensors(deca_embedding(eyes=True)),
        "lmk_embeddings_mediapipe": _tensors(mediapipe_embedding()),
    }
    torch.save(contents, folder / "FLAME_with_eye.pt")
    return folder / "FLAME_with_eye.pt"


def _tensors(values: dict) -> dict:
    import torch

    return {name: torch.as_tensor(np.asarray(value)) for name, value in values.items()}


def ibug_points(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces and places of iBUG's 51, 53, 68 or 70 points on the FLAME-sized head."""
    faces, bary = landmark_embedding()
    oval = [127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356]
    index = ([] if count < 68 else oval) + list(IBUG_INNER)
    faces, bary = faces[index], bary[index]
    if count in (53, 70):  # the foremost triangles of the eyeballs
        balls = [SKIN_FACES, SKIN_FACES + 1088]
        faces = np.append(faces, balls)
        bary = np.concatenate([bary, [[1.0, 0, 0]] * 2])
    return faces, bary


SKIN_FACES = 7800


def deca_embedding(eyes: bool = False) -> dict:
    """The dictionary in landmark_embedding.npy, arrays only."""
    static_faces, static_bary = ibug_points(53 if eyes else 51)
    full_faces, full_bary = ibug_points(70 if eyes else 68)
    yaw = np.random.default_rng(79)
    return {
        "static_lmk_faces_idx": static_faces,
        "static_lmk_bary_coords": static_bary,
        "dynamic_lmk_faces_idx": yaw.integers(0, SKIN_FACES, (79, 17)),
        "dynamic_lmk_bary_coords": yaw.dirichlet(np.ones(3), (79, 17)),
        "full_lmk_faces_idx": full_faces[None],
        "full_lmk_bary_coords": full_bary[None].astype(np.float32),
    }


def mediapipe_embedding() -> dict:
    """The arrays in mediapipe_landmark_embedding.npz."""
    faces, bary = landmark_embedding()
    return {
        "lmk_face_idx": faces[MEDIAPIPE_105].astype(np.int64),
        "lmk_b_coords": bary[MEDIAPIPE_105],
        "landmark_indices": MEDIAPIPE_105.astype(np.int64),
    }


def write_landmark_embedding(folder: Path, eyes: bool = False) -> Path:
    """landmark_embedding(_with_eyes).npy: a dictionary in an array, two of its values torch tensors."""
    embedding = deca_embedding(eyes)
    dynamic = _tensors({name: embedding[name] for name in embedding if name.startswith("dynamic")})
    path = folder / f"landmark_embedding{'_with_eyes' * eyes}.npy"
    np.save(path, np.array(embedding | dynamic, dtype=object), allow_pickle=True)
    return path


def write_static_embedding(folder: Path, count: int = 51, protocol: int = 2) -> Path:
    """flame_static_embedding(_68).pkl."""
    faces, bary = ibug_points(count)
    values = {"lmk_face_idx": faces.astype(np.uint32), "lmk_b_coords": bary}
    path = folder / f"flame_static_embedding{'_68' * (count == 68)}.pkl"
    return pickled(values, path, python2=True, protocol=protocol)


def write_dynamic_embedding(folder: Path) -> Path:
    """flame_dynamic_embedding.npy of RingNet: the contour alone."""
    embedding = deca_embedding()
    values = {
        "lmk_face_idx": embedding["dynamic_lmk_faces_idx"], "lmk_b_coords": embedding["dynamic_lmk_bary_coords"]
    }  # fmt: skip
    np.save(folder / "flame_dynamic_embedding.npy", np.array(values, dtype=object), allow_pickle=True)
    return folder / "flame_dynamic_embedding.npy"


def write_mediapipe_embedding(folder: Path) -> Path:
    """mediapipe_landmark_embedding.npz."""
    path = folder / "mediapipe_landmark_embedding.npz"
    values = mediapipe_embedding()
    np.savez(path, **values | {"lmk_face_idx": values["lmk_face_idx"].astype(np.uint32)})
    return path


def masks() -> dict[str, np.ndarray]:
    """The 14 masks of FLAME_masks.pkl by simple rules of place."""
    v = flame_arrays()["v_template"]
    x, y, z = v.T
    skin = np.arange(VERTICES) < SKIN
    near_mouth = skin & (np.abs(x) < 0.026) & (np.abs(y + 0.045) < 0.01) & (z > 0.03)
    found = {
        "face": skin & (z > 0.0) & (y > -0.09), "neck": skin & (y < -0.09), "scalp": skin & (y > 0.08),
        "lips": near_mouth, "nose": skin & (np.abs(x) < 0.022) & (np.abs(y - 0.005) < 0.03) & (z > 0.045),
        "forehead": skin & (y > 0.05) & (y < 0.08) & (z > 0), "boundary": np.arange(VERTICES) < 2 * COLUMNS,
        "eye_region": skin & (np.abs(y - 0.03) < 0.02) & (z > 0.01),
        "left_ear": skin & (x > 0.078), "right_ear": skin & (x < -0.078),
        "left_eye_region": skin & (np.abs(y - 0.03) < 0.02) & (z > 0.01) & (x > 0),
        "right_eye_region": skin & (np.abs(y - 0.03) < 0.02) & (z > 0.01) & (x < 0),
        "left_eyeball": (np.arange(VERTICES) >= SKIN) & (np.arange(VERTICES) < SKIN + EYEBALL),
        "right_eyeball": np.arange(VERTICES) >= SKIN + EYEBALL,
    }  # fmt: skip
    return {name: np.flatnonzero(mask).astype(np.int64) for name, mask in found.items()}


def write_masks(folder: Path, protocol: int = 2) -> Path:
    """FLAME_masks.pkl."""
    return pickled(masks(), folder / "FLAME_masks.pkl", python2=True, protocol=protocol)


def write_masks_triangles(folder: Path) -> Path:
    """FLAME_masks_triangles.npy of SMIRK: the triangles all of whose corners are in the mask."""
    faces = flame_arrays()["f"]
    inside = {name: np.isin(faces, index).all(1) for name, index in masks().items()}
    values = {name: np.flatnonzero(mask) for name, mask in inside.items()}
    np.save(folder / "FLAME_masks_triangles.npy", np.array(values, dtype=object), allow_pickle=True)
    return folder / "FLAME_masks_triangles.npy"


def texture_coordinates() -> tuple[np.ndarray, np.ndarray]:
    """5,118 UVs and 9,976 triangles: the skin unrolled, cut along its first column and round the pole."""
    faces = flame_arrays()["f"].astype(np.int64)
    v = flame_arrays()["v_template"]
    uv = np.stack([0.5 + np.arctan2(v[:, 0], v[:, 2]) / (2 * np.pi), (v[:, 1] + 0.15) / 0.3], 1)
    uv[:SKIN:COLUMNS, 0] = 0.5
    uv_faces = faces.copy()
    seam = np.append(np.arange(0, 65 * COLUMNS, COLUMNS), 65 * COLUMNS)  # and the first of the ring of 30
    twin = {int(vertex): VERTICES + index for index, vertex in enumerate(seam)}
    for face in uv_faces[:SKIN_FACES]:
        if (face % COLUMNS > 40).any() and face.max() < 65 * COLUMNS:
            face[:] = [twin.get(int(vertex), vertex) for vertex in face]
    extra = np.append(seam, np.full(29, SKIN - 1))
    uv_faces[SKIN_FACES - 29 : SKIN_FACES, 2] = VERTICES + len(seam) + np.arange(29)
    return np.concatenate([uv, uv[extra]]), uv_faces


def write_uv_npz(folder: Path) -> Path:
    """uv_coords.npz."""
    uv, uv_faces = texture_coordinates()
    np.savez(folder / "uv_coords.npz", vt=uv, ft=uv_faces.astype(np.uint32))
    return folder / "uv_coords.npz"


def write_uv_obj(folder: Path, turned: bool = False) -> Path:
    """head_template.obj; `turned` lists the triangles backwards and from another corner."""
    uv, uv_faces = texture_coordinates()
    corners = flame_arrays()["f"].astype(np.int64)
    if turned:
        uv_faces, corners = np.roll(uv_faces[::-1], 1, 1), np.roll(corners[::-1], 1, 1)
    lines = ["# a head", "o head"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in flame_arrays()["v_template"]]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv]
    lines += ["f " + " ".join(f"{a}/{b}" for a, b in zip(face, t, strict=True)) for face, t in
              zip((corners + 1).tolist(), (uv_faces + 1).tolist(), strict=True)]  # fmt: skip
    (folder / "head_template.obj").write_text("\n".join(lines) + "\n")
    return folder / "head_template.obj"


def write_eyelids(folder: Path) -> Path:
    """l_eyelid.npy and r_eyelid.npy; returns the folder."""
    v = flame_arrays()["v_template"]
    for name, sign in (("l_eyelid.npy", 1), ("r_eyelid.npy", -1)):
        near = np.exp(-(((v - [sign * 0.0315, 0.036, 0.035]) / [0.015, 0.004, 0.02]) ** 2).sum(1))
        near[SKIN:] = 0
        np.save(folder / name, near[:, None] * [0.0, -0.008, 0.002])
    return folder


assert FACES == SKIN_FACES + 2 * 1088
