"""Errors in millimetres on the default head: lip vertices, dynamics of the upper face, mouth opening.

Motion is compared with the corpus's own, made by rule, put through the same articulation; so these figures say how far
the model is from its teacher, not from a filmed face. Head, eyelids and gaze stay still on both sides. Definitions:
LVE and FDD as in CodeTalker (Xing et al. 2023) and as in ARTalk (Chu et al. 2025), which differ; mouth opening as in
DiffPoseTalk (Sun et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ...flame.correspondence import default_head
from ...flame.lbs import FlameTensors, forward
from ..articulation import CHANNEL_RATE_HZ, expressions_of, jaw_pose_of
from .cases import SILENCE_S

# MediaPipe's landmarks along the inner lips: upper, lower, from the middle outwards.
LIP_PAIRS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318), (191, 95), (415, 324))
_LOWER_LIDS = (145, 374)
_EVERY = 2
"""Every second frame at 50 Hz: 25 a second, as in the talking-head data sets that these figures come from."""
_VERTEX_EVERY = {"lips": 4, "upper_face": 8}
"""The head has five times FLAME's vertices; so many less leave 340 on the lips (FLAME: 254) and as many above."""
_LIP = 0.5
_MM = 1000.0


@dataclass(frozen=True)
class Patch:
    """A part of the default head: the vertices that the figures need, and its joints as vertices of their own.

    Args:
        flame: a head of V' vertices that poses exactly as the whole one does.
        lips, upper_face: indices into V'; corners: (9, 2, 3) indices and shares: (9, 2, 3) of `LIP_PAIRS`.
    """

    flame: FlameTensors
    lips: np.ndarray
    upper_face: np.ndarray
    corners: np.ndarray
    shares: np.ndarray
    names: list[str]


@lru_cache(maxsize=1)
def patch() -> Patch:
    """The part of the default head; lips are its region `lips` above one half, the upper face its regions `face` and
    `eye_region` above the lower eyelids; of each a regular part (`_VERTEX_EVERY`)."""
    head = default_head()
    assert head.landmark_faces is not None
    assert head.landmark_bary is not None
    lips = np.flatnonzero(np.asarray(head.regions["lips"], np.float32) > _LIP)[:: _VERTEX_EVERY["lips"]]
    lids = head.v_template[head.faces[head.landmark_faces[list(_LOWER_LIDS)]]].mean((0, 1))
    skin = (head.regions["face"] | head.regions["eye_region"]) & ~head.regions["eyeballs"]
    upper = np.flatnonzero(skin & (head.v_template[:, 1] > lids[1]))[:: _VERTEX_EVERY["upper_face"]]
    pairs = np.array(LIP_PAIRS)
    corners = head.faces[head.landmark_faces[pairs]]
    chosen, place = np.unique(np.concatenate([lips, upper, corners.ravel()]), return_inverse=True)
    places = np.split(place, np.cumsum([len(lips), len(upper)]))
    whole = FlameTensors.from_head(head)
    joints = [
        whole.J_regressor @ whole.v_template,
        torch.einsum("jv,vce->jce", whole.J_regressor, whole.expressiondirs),
    ]
    count = len(chosen)
    picked = whole.posedirs.reshape(36, -1, 3)[:, chosen]
    pad = torch.nn.functional.pad
    flame = FlameTensors(
        v_template=torch.cat([whole.v_template[chosen], joints[0]]),
        shapedirs=torch.zeros(count + 5, 3, 0),
        expressiondirs=torch.cat([whole.expressiondirs[chosen], joints[1]]),
        posedirs=pad(picked, (0, 0, 0, 5)).reshape(36, -1),
        J_regressor=pad(torch.eye(5), (count, 0)),
        weights=torch.cat([whole.weights[chosen], torch.eye(5)]),
        eyelids=torch.zeros(2, count + 5, 3),
    )
    shares = head.landmark_bary[pairs]
    return Patch(flame, places[0], places[1], places[2].reshape(corners.shape), shares, head.expression_names)


def vertices_mm(mouth: np.ndarray) -> np.ndarray:
    """(T, V', 3) positions of the patch, mm, for (T, len(MOUTH)) channels."""
    part = patch()
    expr, _ = expressions_of(mouth, part.names)
    pose = np.zeros((len(mouth), 5, 3), np.float32)
    pose[:, 2] = jaw_pose_of(mouth)
    with torch.no_grad():
        posed = forward(part.flame, torch.from_numpy(expr), torch.from_numpy(pose))
    return _MM * posed.vertices.numpy()


def openings_mm(vertices: np.ndarray) -> np.ndarray:
    """(T, 9) distances of `LIP_PAIRS`."""
    part = patch()
    points = (vertices[:, part.corners] * part.shares[..., None]).sum(-2)
    return np.linalg.norm(points[:, :, 0] - points[:, :, 1], axis=-1)


@dataclass
class Shown:
    """What the figures need of a recording's motion, at 25 Hz, without the silence put around it.

    Args:
        lips: (T, L, 3) mm; openings: (T, 9) mm; spread: mean over the upper face of the std over time of its squared
            motion, mm²; dynamics: (U,) std over time of x + y + z of each of its vertices, mm.
    """

    lips: np.ndarray
    openings: np.ndarray
    spread: float
    dynamics: np.ndarray


def shown(mouth: np.ndarray) -> Shown:
    """(T, len(MOUTH)) channels at 50 Hz on the default head."""
    part, edge = patch(), round(SILENCE_S * CHANNEL_RATE_HZ)
    vertices = vertices_mm(mouth[edge : len(mouth) - edge : _EVERY])
    moved = vertices[:, part.upper_face] - _MM * part.flame.v_template[part.upper_face].numpy()
    spread = float(np.square(moved).sum(-1).std(0).mean())
    return Shown(vertices[:, part.lips], openings_mm(vertices), spread, moved.sum(-1).std(0))


@dataclass
class Deviation:
    """What a recording is off by.

    Args:
        lip: (T,) squared distance of the worst lip vertex, mm²; opening: (T,) mm.
        dynamics, spread: means over the upper face, mm and mm², as `geometry` explains.
    """

    lip: np.ndarray
    opening: np.ndarray
    dynamics: float
    spread: float


def deviation(mouth: np.ndarray, true: Shown) -> Deviation:
    """(T, len(MOUTH)) channels at 50 Hz against a truth."""
    predicted = shown(mouth)
    count = min(len(predicted.lips), len(true.lips))
    return Deviation(
        np.square(predicted.lips[:count] - true.lips[:count]).sum(-1).max(1),
        np.abs(predicted.openings[:count] - true.openings[:count]).mean(1),
        float(np.abs(true.dynamics - predicted.dynamics).mean()),
        true.spread - predicted.spread,
    )


def geometry(found: list[Deviation]) -> dict[str, float]:
    """lve, lve_codetalker, fdd, fdd_codetalker, mod of some recordings.

    lve: ARTalk's, root over all frames of the mean squared distance of the frame's worst lip vertex, mm;
    lve_codetalker: the same without the root, mm². fdd: ARTalk's without its factor of 100, mm; fdd_codetalker:
    truth less prediction, signed, mm²; both means over recordings. mod: mean difference of the mouth's opening, mm.
    """
    if not found:
        return {}
    squared = float(np.concatenate([one.lip for one in found]).mean())
    return {
        "lve": squared**0.5,
        "lve_codetalker": squared,
        "fdd": float(np.mean([one.dynamics for one in found])),
        "fdd_codetalker": float(np.mean([one.spread for one in found])),
        "mod": float(np.concatenate([one.opening for one in found]).mean()),
    }
