"""A FLAME model's dictionary, checked from every side, as our head format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..head_model import PARENTS, HeadModel
from .budget import Budget, shown
from .companions import FLAME_FACES, FLAME_VERTICES, is_masks
from .landmarks import is_embedding
from .records import as_array, text_of

SHAPES, EXPRESSIONS = 300, 100
TEETH = 120  # VHAP and GaussianAvatars put that many vertices behind FLAME's
_TEETH_FACES = 168
_NEEDED = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_ALIASES = {"f": ("faces", "faces_tensor"), "weights": ("lbs_weights",)}
# Bodies and hands in the same layout: vertices to name.
_OTHERS = {6890: "an SMPL body", 10475: "an SMPL-X body", 778: "a MANO hand", 3889: "a SMAL animal"}
_EXTENT_M = (0.1, 1.0)
_MAX_OFFSET_M = 1.0


@dataclass(frozen=True)
class Edition:
    """A FLAME release: how it is named here and what is known of its licence."""

    key: str
    name: str
    licence: str


# sha256 to edition, as published by third parties; of the first only both ends are known.
_OPEN = Edition("flame-2023-open", "FLAME 2023 Open", "CC-BY-4.0 according to its readme: name its authors")
_HASHES = {
    ("efcd14cc", "725b"): Edition(
        "flame-2020-generic",
        "FLAME 2020 generic",
        "unclear: its makers' repositories said CC-BY-4.0 in 2022, others treat it as non-commercial; you decide",
    ),
    ("8fb1af0db1abb51053ead8fd1f2624a63d01c9602f4a4fb4ea23bd2c82017fa0", ""): Edition(
        "flame-2023", "FLAME 2023", "non-commercial research, according to third parties; read what you signed"
    ),
    ("e75a0990728ba038c7da2a420ae4396f7ddd7781366c13026066c5b24f127623", ""): _OPEN,
}
_UNKNOWN = Edition("flame", "FLAME", "whatever you accepted when you downloaded it; editions of FLAME differ")


def read_model(
    contents: Any, sha256: str, budget: Budget, file_name: str = "", expressions: int | None = None
) -> HeadModel:
    """The head in a file's contents.

    Args:
        sha256: of the file, in hexadecimal; it becomes part of the head's id.
        file_name: becomes part of the head's name where the edition is not known.
        expressions: how many of the last components are expressions; None: as the file says or FLAME has it.

    Raises:
        ErlnetError: not a FLAME model, or its arrays do not make sense; the message names the array.
    """
    values = _model_in(contents, budget)
    arrays = {name: as_array(_value(values, name), budget, name) for name in _NEEDED if name != "kintree_table"}
    parents = _parents(values, budget)
    template = arrays["v_template"]
    count = len(template) if template.ndim == 2 else 0
    _check_kind(count, parents, values, budget)
    _check_metres(template, budget)
    shapedirs, posedirs = arrays["shapedirs"], arrays["posedirs"]
    split = _shape_count(shapedirs, values, expressions, budget)
    if posedirs.shape == (36, 3 * count):
        posedirs = posedirs.T.reshape(count, 3, 36)
    _check_offsets("shapedirs", shapedirs, (count, 3, shapedirs.shape[-1]), budget)
    _check_offsets("posedirs", posedirs, (count, 3, 36), budget)
    faces = _checked_faces(arrays["f"], count, budget)
    weights = _checked_weights(arrays["weights"], count, budget)
    regressor = _checked_regressor(arrays["J_regressor"], template, budget)
    edition = _edition(sha256, values)
    teeth = "-teeth" if count > FLAME_VERTICES else ""
    name = edition.name if edition is not _UNKNOWN else f"FLAME ({shown(file_name)})" if file_name else edition.name
    return HeadModel(
        v_template=template,
        faces=faces,
        shapedirs=shapedirs[..., :split],
        expressiondirs=shapedirs[..., split:],
        posedirs=posedirs.reshape(3 * count, 36).T,
        J_regressor=regressor,
        weights=weights,
        parents=np.array(PARENTS),
        regions=_own_regions(weights, count),
        meta={
            "id": f"{edition.key}{teeth}-{sha256[:12]}",
            "name": name,
            "licence": edition.licence,
            "sha256": sha256,
            "source": shown(file_name, 120),
            "provenance": "Converted from a file of the user's own; ERLNet ships no part of FLAME.",
        },
    )


def _model_in(contents: Any, budget: Budget) -> dict:
    if isinstance(contents, dict) and isinstance(contents.get("flame_model"), dict):
        contents = contents["flame_model"]
    if is_embedding(contents):
        budget.refuse("it is a landmark embedding and no head model", "give it with --landmarks beside the model")
    if is_masks(contents):
        budget.refuse("it holds FLAME's masks and no head model", "give it with --masks beside the model")
    if not isinstance(contents, dict):
        budget.refuse(f"it holds {_kind(contents)} and no head model")
    if "tex_dir" in contents or "PC" in contents:
        budget.refuse("it is a texture model and no head model")
    if not {"v_template", "shapedirs"} & contents.keys() and {"expr", "exp", "expression"} & contents.keys():
        budget.refuse("it is a recorded motion and no head model", "choose a FLAME model")
    missing = [name for name in _NEEDED if _value(contents, name) is None]
    if "kintree_table" in missing and "parents" in contents:
        missing.remove("kintree_table")
    if missing:
        budget.refuse(f"it is no FLAME model, it has no {', '.join(missing)}", "choose a FLAME model")
    return contents


def _kind(value: Any) -> str:
    return "a single array" if hasattr(value, "array") else f"a {type(value).__name__.removesuffix('Record').lower()}"


def _value(values: dict, name: str) -> Any:
    return next((values[key] for key in (name, *_ALIASES.get(name, ())) if key in values), None)


def _parents(values: dict, budget: Budget) -> list[int]:
    key = "kintree_table" if "kintree_table" in values else "parents"
    table = as_array(values[key], budget, key)
    if table.dtype.kind not in "iuf" or table.ndim not in (1, 2) or table.size == 0 or table.size > 1000:
        budget.refuse(f"its {key} is no table of joints")
    parents = [int(parent) for parent in (table[0] if table.ndim == 2 else table) if np.isfinite(parent)]
    # The root's parent is -1, which most files hold as an unsigned number.
    return [-1 if index == 0 and parent > 1000 else parent for index, parent in enumerate(parents)]


def _check_kind(count: int, parents: list[int], values: dict, budget: Budget) -> None:
    """Is it FLAME at all?"""
    if count == 0:
        budget.refuse(f"its v_template is no list of places, expected shape ({FLAME_VERTICES}, 3)")
    if count not in (FLAME_VERTICES, FLAME_VERTICES + TEETH):
        other = f" ({_OTHERS[count]})" if count in _OTHERS else ""
        budget.refuse(
            f"it is another model: expected {FLAME_VERTICES} vertices, found {count}{other}", "choose a FLAME model"
        )
    if tuple(parents) != PARENTS:
        budget.refuse(f"its kintree_table has parents {shown(parents)}, FLAME's are {list(PARENTS)}")
    kind = text_of(values.get("bs_type"))
    if kind not in ("", "lrotmin"):
        budget.refuse(f"its bs_type is {kind}, FLAME's is lrotmin")


def _check_metres(template: np.ndarray, budget: Budget) -> None:
    if template.shape[1] != 3 or template.dtype.kind != "f":
        budget.refuse(f"its v_template has shape {template.shape}, expected ({FLAME_VERTICES}, 3)")
    if not np.isfinite(template).all():
        budget.refuse("its v_template holds NaN or infinity")
    extent = float(np.ptp(template, axis=0).max())
    if not _EXTENT_M[0] < extent < _EXTENT_M[1]:
        budget.refuse(f"its v_template is {extent:.3g} m large, no head in metres")


def _shape_count(shapedirs: np.ndarray, values: dict, expressions: int | None, budget: Budget) -> int:
    """Where the expressions begin among the components."""
    total = shapedirs.shape[-1] if shapedirs.ndim == 3 else 0
    metadata = values.get("supr_expression_metadata")
    if expressions is None and isinstance(metadata, dict) and type(metadata.get("n_expr")) is int:
        if text_of(metadata.get("expr_components")) != f"last_{metadata['n_expr']}":
            budget.refuse("its supr_expression_metadata does not say that the last components are the expressions")
        expressions = metadata["n_expr"]
    if expressions is None and total > SHAPES:
        expressions = total - SHAPES
    if expressions is None:
        budget.refuse(
            f"its shapedirs has {total} components and does not say which are expressions, FLAME has {SHAPES} + "
            f"{EXPRESSIONS}", "give the number of expressions with --expressions"
        )  # fmt: skip
    if not 1 <= expressions < total:
        budget.refuse(f"its shapedirs has {total} components, {expressions} of them cannot be expressions")
    return total - expressions


def _check_offsets(name: str, offsets: np.ndarray, shape: tuple, budget: Budget) -> None:
    if offsets.shape != shape or offsets.dtype.kind != "f":
        budget.refuse(f"its {name} has shape {offsets.shape}, expected {shape}")
    if not np.isfinite(offsets).all():
        budget.refuse(f"its {name} holds NaN or infinity")
    if np.abs(offsets).max() > _MAX_OFFSET_M:
        budget.refuse(f"its {name} moves vertices by more than {_MAX_OFFSET_M:.0f} m")


def _checked_faces(faces: np.ndarray, count: int, budget: Budget) -> np.ndarray:
    expected = FLAME_FACES if count == FLAME_VERTICES else FLAME_FACES + _TEETH_FACES
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iuf" or len(faces) != expected:
        budget.refuse(f"its f has shape {faces.shape}, expected ({expected}, 3)")
    if not np.isfinite(faces).all() or faces.min() < 0 or faces.max() >= count:
        budget.refuse("its f points outside the vertices")
    return faces.astype(np.int64)


def _checked_weights(weights: np.ndarray, count: int, budget: Budget) -> np.ndarray:
    if weights.shape != (count, 5) or weights.dtype.kind != "f":
        budget.refuse(f"its weights has shape {weights.shape}, expected ({count}, 5)")
    if not np.isfinite(weights).all() or weights.min() < -1e-3 or np.abs(weights.sum(1) - 1).max() > 1e-2:
        budget.refuse("its weights are negative or do not sum to one")
    return weights


def _checked_regressor(regressor: np.ndarray, template: np.ndarray, budget: Budget) -> np.ndarray:
    if regressor.shape != (5, len(template)) or regressor.dtype.kind != "f" or not np.isfinite(regressor).all():
        budget.refuse(f"its J_regressor has shape {regressor.shape} or holds NaN, expected (5, {len(template)})")
    joints = regressor @ template
    if (joints < template.min(0) - 0.1).any() or (joints > template.max(0) + 0.1).any():
        budget.refuse("its J_regressor puts joints outside the head")
    return regressor


def _edition(sha256: str, values: dict) -> Edition:
    for (start, end), edition in _HASHES.items():
        if sha256.startswith(start) and sha256.endswith(end):
            return edition
    metadata = values.get("supr_expression_metadata")
    if isinstance(metadata, dict):  # a release or a rewriting of it that nobody has listed
        gender = text_of(metadata.get("supr_gender"))
        if gender in ("male", "female"):
            return Edition(f"{_OPEN.key}-{gender}", f"{_OPEN.name} {gender}", _OPEN.licence)
        return _OPEN
    return _UNKNOWN


def _own_regions(weights: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """What the file itself tells without masks: vertices that only an eye joint moves, and teeth behind FLAME's."""
    regions = {"eyeballs": (weights[:, 3:] > 0.99).any(1)}
    if count > FLAME_VERTICES:
        regions["teeth"] = np.arange(count) >= FLAME_VERTICES
    return {name: mask for name, mask in regions.items() if mask.any()}
