"""How far the picture reaches beyond the driving mesh: hair, brows, lashes and cloth stand off the skin."""

from __future__ import annotations

import numpy as np

from ...formats.head_model import HeadModel
from .driving_mesh import DROPPED_REGIONS, mask

_SKIN = (0.0030, 0.0025)
_EYEBALLS = (0.0015, 0.0020)
_MOUTH = (0.0015, 0.0025)
_TORSO = (0.0060, 0.0040)
_HAIR = (0.0200, 0.0030)
_MARGIN_M = 0.002


def default_band(head: HeadModel) -> np.ndarray:
    """(V, 2) reach outwards and inwards of each vertex, metres, from the head's regions.

    Where geometry is dropped from the driving mesh (brows, lashes), the skin below it reaches out to it.
    """
    band = np.tile(np.array(_SKIN), (len(head.v_template), 1))
    for names, limits in (
        (("torso",), _TORSO),
        (("teeth", "gums", "tongue", "mouth_bag"), _MOUTH),
        (("eyeballs",), _EYEBALLS),
    ):
        band[mask(head, *names)] = limits
    if "scalp" in head.regions:
        share = np.asarray(head.regions["scalp"], float)[:, None]
        band += share * (np.array(_HAIR) - np.array(_SKIN))
    outer = ~mask(head, *DROPPED_REGIONS, "teeth", "gums", "tongue", "mouth_bag", "eyeballs")
    dropped = np.flatnonzero(mask(head, *DROPPED_REGIONS))
    if len(dropped):
        _reach(band, head.v_template, np.flatnonzero(outer), head.v_template[dropped])
    band[outer] = _smooth_maximum(band[outer], head, outer)
    return band.astype(np.float32)


def _reach(band: np.ndarray, vertices: np.ndarray, skin: np.ndarray, points: np.ndarray) -> None:
    """Raise the outward reach of the skin nearest to each point to that point's distance."""
    for chunk in np.array_split(points, max(1, len(points) // 512)):
        distance = np.linalg.norm(chunk[:, None] - vertices[skin][None], axis=2)
        nearest = distance.argmin(1)
        reach = distance[np.arange(len(chunk)), nearest] + _MARGIN_M
        np.maximum.at(band[:, 0], skin[nearest], reach)


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
