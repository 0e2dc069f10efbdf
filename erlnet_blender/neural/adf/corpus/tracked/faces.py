"""Whose head it was tracked on does not matter: motion of any head as jaw and named expressions of the default head.

A FaceTrack whose head names its expressions is taken as it is. Coefficients without names are refitted, and vertices
fitted, to the expressions that speech uses (`neural.flame.refit`); nothing else of the default head may explain them,
so that what is found are the channels. How far the lips are apart is measured on the source's own surface.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from .....errors import ErlnetError
from .....face_track import FaceTrack
from .....formats.head_model import JOINTS, HeadModel
from ....flame.correspondence import Pair, correspond, correspondence, default_head
from ....flame.lbs import forward
from ....flame.refit import Transfer, check_source
from ....flame.surface import restricted
from ...articulation import USED_EXPRESSIONS
from .sequences import Sequence

# MediaPipe's landmarks on the inner edge of the lips, from the middle outwards.
_UPPER_LIP, _LOWER_LIP = (13, 82, 312, 81, 311), (14, 87, 317, 178, 402)
_EVERY_POINT = 3
_CHUNK = 64
_FACING_AWAY_RAD = np.deg2rad(60.0)
_SKULL = 0.95
_FIRST_FRAMES = 3
_METRES_OF_MILLIMETRES = 0.001


@dataclass(frozen=True)
class Face:
    """N frames of a face at `fps`.

    Args:
        jaw_pose: (N, 3) radians; expr: (N, E) of the expressions `names` of the default head.
        eyelids: (N, 2); head: (N, 3) rotation of the head in the world, radians; gaze: (N, 6) radians.
        lip_gap_mm: (N,) how much farther apart the lips are than in the neutral face.
        notes: what had to be assumed.
    """

    fps: float
    jaw_pose: np.ndarray
    expr: np.ndarray
    names: list[str]
    eyelids: np.ndarray
    head: np.ndarray
    gaze: np.ndarray
    lip_gap_mm: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.expr)


def check_head(sequence: Sequence, head: HeadModel | None) -> None:
    """Raise ErlnetError where the sequence needs a head model that was not given."""
    ours = default_head()
    if sequence.is_vertices:
        count = sequence.arrays["vertices"].shape[1]
        if count != len((head or ours).v_template) and (head is None or count != len(ours.v_template)):
            what = f"The vertices are of a mesh of {count}, the head has {len((head or ours).v_template)}"
            raise ErlnetError(what, "", "give the head model whose mesh it is with --head, such as FLAME's own file")
    elif sequence.head_id not in ("", ours.id) or (not sequence.head_id and head is None):
        whose = f"head {sequence.head_id!r}" if sequence.head_id else "FLAME"
        if head is None or head.id != sequence.head_id:
            what = f"Coefficients of {whose} mean nothing without its head model"
            raise ErlnetError(what, "", "give its file with --head: a head (.npz) or FLAME's own")


def face_of(sequence: Sequence, fps: float, head: HeadModel | None, template: np.ndarray | None = None) -> Face:
    """The motion in a sequence.

    Args:
        head: the model that it was tracked on; the default head's own FaceTracks and vertices need none.
        template: (V, 3) neutral face of the speaker, for vertices; else their first frames are taken for it.

    Raises:
        ErlnetError: another head is needed, or coefficients do not fit to it.
    """
    check_head(sequence, head)
    ours = default_head()
    if sequence.is_vertices:
        vertices = sequence.arrays["vertices"]
        mesh = head if head is not None and len(head.v_template) == vertices.shape[1] else ours
        return _of_vertices(vertices, fps, mesh, template)
    source = ours if head is None or sequence.head_id == ours.id else head
    track = FaceTrack(**{**sequence.arrays, "fps": fps, "head_id": source.id})
    check_source(track, source)
    turn, note = _in_the_world(Rotation.from_rotvec(track.rotation) * Rotation.from_rotvec(track.neck_pose))
    face = Face(
        fps, track.jaw_pose, track.expr, source.expression_names, track.eyelids, turn, track.eyes_pose,
        _gap_of_track(track, source), note,
    )  # fmt: skip
    if not set(USED_EXPRESSIONS).isdisjoint(source.expression_names):
        return face
    target = _speech_head()
    transfer = Transfer.between(source, target, _fewer(correspond(source, target)), track.shape)
    parts = [transfer.solve(track[start : start + _CHUNK])[:3] for start in range(0, len(track), _CHUNK)]
    expr, jaw, lids = (torch.cat(part).numpy().astype(np.float32) for part in zip(*parts, strict=True))
    return replace(face, expr=expr, jaw_pose=jaw, eyelids=lids, names=target.expression_names)


@lru_cache(maxsize=1)
def _speech_head() -> HeadModel:
    """The default head with the visible expressions of speech alone."""
    ours = default_head()
    names = [name for name in USED_EXPRESSIONS if not name.startswith("tongue")]
    columns = [ours.expression_names.index(name) for name in names]
    return replace(
        ours, expressiondirs=ours.expressiondirs[..., columns], meta={**ours.meta, "expression_names": names}
    )


def _fewer(pair: Pair) -> Pair:
    """Every third point: as exact, by the tests, and three times as fast."""
    chosen = np.arange(0, len(pair.weights), _EVERY_POINT)
    weights = pair.weights[chosen]
    return replace(pair, source=pair.source[chosen], target=pair.target[chosen], weights=weights / weights.sum())


def _in_the_world(turn: Rotation) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, 3) rotations of a head that faces forward on the whole.

    Trackers whose camera looks along +z give a head that stands on its own; then the mean is taken off. Where the
    mean is small it is how the person holds the head, and stays.
    """
    mean = turn.mean()
    if mean.magnitude() < _FACING_AWAY_RAD:
        return turn.as_rotvec().astype(np.float32), ()
    degrees = np.rad2deg(mean.magnitude())
    note = f"the head is turned by {degrees:.0f} degrees on average, as seen by its camera: taken off"
    return (mean.inv() * turn).as_rotvec().astype(np.float32), (note,)


def _lips(head: HeadModel):
    """The places of the inner lips on a head, upper ones first."""
    places = correspondence(head).landmarks[np.array(_UPPER_LIP + _LOWER_LIP)]
    if not places.exist.all():
        raise ErlnetError("The head has no lips that could be found", head.id, "choose a whole FLAME head")
    return places


def _gap_mm(places: np.ndarray) -> np.ndarray:
    """(N,) mean distance of upper and lower lips from (N, 10, 3) places in metres, negative where they cross."""
    apart = places[:, : len(_UPPER_LIP)] - places[:, len(_UPPER_LIP) : 2 * len(_UPPER_LIP)]
    return 1000 * (np.linalg.norm(apart, axis=-1) * np.sign(apart[..., 1])).mean(1)


def _gap_of_track(track: FaceTrack, head: HeadModel) -> np.ndarray:
    lips = restricted(head, _lips(head))
    shape = torch.as_tensor(track.shape, dtype=torch.float64)
    expr = torch.as_tensor(np.concatenate([np.zeros((1, track.expr.shape[1])), track.expr]))
    pose = torch.zeros(len(expr), len(JOINTS), 3, dtype=torch.float64)
    pose[1:, JOINTS.index("jaw")] = torch.as_tensor(track.jaw_pose)
    gap = _gap_mm(forward(lips, expr, pose, None, shape).vertices.numpy())
    return (gap[1:] - gap[0]).astype(np.float32)


def _of_vertices(vertices: np.ndarray, fps: float, mesh: HeadModel, template: np.ndarray | None) -> Face:
    notes: tuple[str, ...] = ()
    size = np.ptp(vertices[0], axis=0).max() / np.ptp(mesh.v_template, axis=0).max()
    if 300 < size < 3000:
        vertices, notes = vertices * _METRES_OF_MILLIMETRES, ("vertices are taken to be in millimetres",)
    elif not 0.3 < size < 3:
        raise ErlnetError(f"The vertices are {size:.2g} times as far apart as the head's", "", "bring them to metres")
    if template is None:
        template = vertices[:_FIRST_FRAMES].mean(0)
        notes += ("no template of the speaker: the first frames are taken for the neutral face",)
    elif template.shape != vertices.shape[1:]:
        raise ErlnetError(
            f"The template has shape {template.shape}, the mesh {vertices.shape[1:]}", "", "choose its own"
        )
    elif 300 < np.ptp(template, axis=0).max() / np.ptp(mesh.v_template, axis=0).max() < 3000:
        template = template * _METRES_OF_MILLIMETRES
    still, turn = _held_still(vertices.astype(np.float64), template.astype(np.float64), mesh)
    target = _speech_head()
    pair = _fewer(correspond(mesh, target))
    transfer = Transfer.between(mesh, target, pair, np.zeros(0))
    corners = mesh.faces[pair.source.faces]

    def points(values: np.ndarray) -> np.ndarray:
        return np.einsum("pk,npkc->npc", pair.source.bary, values[:, corners])

    rest, parts = points(template[None].astype(np.float64)), []
    for start in range(0, len(still), _CHUNK):
        motion = torch.as_tensor(points(still[start : start + _CHUNK]) - rest) @ transfer.carry.T
        parts.append(transfer.fit(motion, torch.zeros(len(motion), 3, dtype=torch.float64)))
    found, jaw = (torch.cat(part).numpy().astype(np.float32) for part in zip(*parts, strict=True))
    count = len(target.expression_names)
    lids = found[:, count:] if found.shape[1] > count else np.zeros((len(found), 2), np.float32)
    lips = _lips(mesh)
    inner = np.einsum("pk,npkc->npc", lips.bary, np.concatenate([template[None], still])[:, mesh.faces[lips.faces]])
    gap = _gap_mm(inner)
    return Face(
        fps, jaw, found[:, :count], target.expression_names, lids, turn, np.zeros((len(found), 6), np.float32),
        (gap[1:] - gap[0]).astype(np.float32), notes,
    )  # fmt: skip


def _held_still(vertices: np.ndarray, template: np.ndarray, mesh: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """Vertices without the head's own movement, (N, V, 3), and its rotation (N, 3): Kabsch 1976, on the skull.

    The skull is what follows the neck alone; the half of it that moves most beyond that is face, and left out.
    """
    skull = np.flatnonzero(mesh.weights[:, JOINTS.index("neck")] > _SKULL)
    if len(skull) < 10:
        return vertices, np.zeros((len(vertices), 3), np.float32)
    for _ in range(2):
        here, there = vertices[:, skull], template[skull]
        middle, aim = here.mean(1, keepdims=True), there.mean(0)
        u, _, v = np.linalg.svd(np.swapaxes(here - middle, 1, 2) @ (there - aim))
        flip = np.ones((len(vertices), 3))
        flip[:, 2] = np.sign(np.linalg.det(u @ v))
        turn = (u * flip[:, None]) @ v  # template to frame
        off = np.linalg.norm((here - middle) @ turn - (there - aim), axis=-1)
        skull = skull[np.argsort(np.sqrt((off**2).mean(0)))[: max(10, len(skull) // 2)]]
    rotation = Rotation.from_matrix(turn).as_rotvec().astype(np.float32)
    return (vertices - middle) @ turn + aim, rotation
