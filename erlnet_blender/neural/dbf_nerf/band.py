"""How far the picture reaches beyond the driving mesh: hair, brows, lashes and cloth stand off the skin."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ...formats.head_model import HeadModel, default_head_path
from ...formats.npz import read_npz
from .driving_mesh import DROPPED_REGIONS, MOUTH_REGIONS, mask

_SKIN = (0.0030, 0.0025)
_EYEBALLS = (0.0015, 0.0020)
_MOUTH = (0.0015, 0.0025)
_TORSO = (0.0040, 0.0030)
_HAIR = (0.0200, 0.0030)
_MARGIN_M = 0.002


def default_band(head: HeadModel, strands: np.ndarray | None = None) -> np.ndarray:
    """(V, 2) reach outwards and inwards of each vertex, metres, from the head's regions.

    Where something stands off the driving mesh (brows, lashes, hair), the skin below reaches out to it.

    Args:
        strands: (S, P, 3) points of the hair on the head at rest; without it the whole scalp gets 2 cm.
    """
    band = np.tile(np.array(_SKIN), (len(head.v_template), 1))
    for names, limits in ((("torso",), _TORSO), (MOUTH_REGIONS, _MOUTH), (("eyeballs",), _EYEBALLS)):
        band[mask(head, *names)] = limits
    outer = ~mask(head, *DROPPED_REGIONS, *MOUTH_REGIONS, "eyeballs")
    skin = np.flatnonzero(outer)
    dropped = head.v_template[mask(head, *DROPPED_REGIONS)]
    if strands is not None:
        dropped = np.concatenate([dropped, np.asarray(strands, np.float32).reshape(-1, 3)])
        band[:, 1] += (_HAIR[1] - _SKIN[1]) * _scalp(head)
    else:
        band += _scalp(head)[:, None] * (np.array(_HAIR) - np.array(_SKIN))
    if len(dropped):
        _reach(band, head.v_template, skin, dropped)
    band[outer] = _smooth_maximum(band[outer], head, outer)
    return band.astype(np.float32)


def hair_strands(head: HeadModel) -> np.ndarray | None:
    """(S, P, 3) the shipped hair if `head` is the shipped head, else None."""
    path = default_head_path().with_name("default_hair.npz")
    if not path.is_file():
        return None
    hair = read_npz(path, "hair")
    return hair["strands"] if str(hair.get("head_id", "")) == head.id else None


def _scalp(head: HeadModel) -> np.ndarray:
    return np.asarray(head.regions.get("scalp", np.zeros(len(head.v_template))), float)


def _reach(band: np.ndarray, vertices: np.ndarray, skin: np.ndarray, points: np.ndarray) -> None:
    """Raise the outward reach of the skin round each point's foot to that point's distance."""
    distance, nearest = cKDTree(vertices[skin]).query(points, k=6)
    reach = np.repeat(distance[:, :1] + _MARGIN_M, nearest.shape[1], 1)
    np.maximum.at(band[:, 0], skin[nearest], np.minimum(reach, _HAIR[0] + _MARGIN_M))


def _smooth_maximum(values: np.ndarray, head: HeadModel, chosen: np.ndarray, rounds: int = 3) -> np.ndarray:
    """Spread the reach over neighbours, so that the outer shell has no spikes; it never gets smaller."""
    index = np.full(len(head.v_template), -1)
    index[chosen] = np.arange(int(chosen.sum()))
    faces = index[head.faces]
    faces = faces[(faces >= 0).all(1)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    degree = np.bincount(edges[:, 0], minlength=len(values)).clip(1)[:, None]
    for _ in range(rounds):
        total = np.zeros_like(values)
        np.add.at(total, edges[:, 0], values[edges[:, 1]])
        values = np.maximum(values, total / degree)
    return values
