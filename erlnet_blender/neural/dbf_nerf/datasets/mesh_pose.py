"""Posed FLAME meshes, of which the expression is known, back to identity, bearing, jaw, eyes and eyelids.

Gauss-Newton on some hundred vertices of the head: identity with the poses of a few frames together, then the poses of
every frame. What follows the neck joint alone is looked at, so that the neck's own rotation is part of the root's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from ....face_track import FaceTrack
from ....formats.head_model import JOINTS, HeadModel
from ...flame.lbs import FlameTensors, forward
from ...flame.surface import SurfacePoints, restricted
from .folder import Folder
from .footage import Progress

NOISE_M = 1e-4
"""How exactly a mesh is believed; against it the size of the unknowns is weighed."""
_WORST_MM = 4.0
_CHUNK, _IDENTITY_FRAMES = 64, 8
_ROUNDS, _IDENTITY_ROUNDS = 6, 8
_STEP = 1e-5
# Of the unknown pose: root, jaw, eyes (3, 3, 6 angles), translation 3, eyelids 2. Weak, to leave nothing undetermined.
_POSE = 17
_SIGMA = torch.tensor([10.0] * 3 + [1.0] * 3 + [1.0] * 6 + [10.0] * 3 + [0.5] * 2, dtype=torch.float64)
_TURNING = [JOINTS.index(name) for name in ("root", "jaw", "left_eye", "right_eye")]


def pose_meshes(
    folder: Folder, meshes: Sequence[Path], head: HeadModel, expressions: FaceTrack, progress: Progress
) -> tuple[FaceTrack, float]:
    """The track of the meshes, and the RMS distance that remains, in millimetres.

    Args:
        meshes: one .obj for each frame of `expressions`, which has nothing but those.

    Raises:
        ErlnetError: a mesh is missing, or is not the head's.
    """
    chosen = _vertices(head)
    flame = restricted(head, _at(chosen, head.faces))
    goals = []
    for count, path in enumerate(meshes):
        vertices = folder.vertices(path)
        if len(vertices) not in (len(head.v_template), 5023) or len(vertices) <= chosen.max():
            what = f"The mesh has {len(vertices)} vertices, the head {head.id!r} has {len(head.v_template)}"
            raise folder.refuse(what, path, "name the head that was tracked with --head HEAD.npz (or --from-head)")
        goals.append(vertices[chosen])
        progress(0.5 * count / len(meshes), "reading meshes")
    goal, expr = torch.as_tensor(np.stack(goals)), torch.as_tensor(expressions.expr, dtype=torch.float64)
    some = torch.linspace(0, len(goal) - 1, min(_IDENTITY_FRAMES, len(goal))).round().long()
    shape = _identity(flame, goal[some], expr[some])
    flame = replace(flame, v_template=flame.v_template + flame.shapedirs @ shape)
    poses, squared = [], 0.0
    for start in range(0, len(goal), _CHUNK):
        part = slice(start, start + _CHUNK)
        pose = _poses(flame, goal[part], expr[part])
        squared += float((_posed(flame, expr[part], pose) - goal[part]).square().sum())
        poses.append(pose)
        progress(0.5 + 0.5 * start / len(goal), "reading poses off the meshes")
    rms_mm = 1000 * (squared / (goal.shape[0] * goal.shape[1])) ** 0.5
    if rms_mm > _WORST_MM:
        what = f"The meshes are not the head {head.id!r}, they differ from it by {rms_mm:.1f} mm"
        raise folder.refuse(what, meshes[0].parent, "name the head that was tracked with --head HEAD.npz")
    turn, jaw, eyes, place, lids = torch.cat(poses).split([3, 3, 6, 3, 2], 1)
    track = replace(
        expressions, rotation=turn.numpy(), jaw_pose=jaw.numpy(), eyes_pose=eyes.numpy(), translation=place.numpy(),
        eyelids=lids.clamp(0, 1).numpy(), shape=shape.numpy(),
    )  # fmt: skip
    return track, rms_mm


def _vertices(head: HeadModel) -> np.ndarray:
    """Some vertices that follow the neck joint and those after it, of every part."""
    head_only = head.weights[:, 0] < 0.02
    parts = [head_only & (head.weights[:, joint] > 0.5) for joint in range(1, len(JOINTS))]
    if head.eyelids is not None:
        parts += [head_only & (np.linalg.norm(lid, axis=1) > 1e-4) for lid in head.eyelids]
    found = [np.flatnonzero(part[:5023] if len(part) == 5143 else part) for part in parts]
    most = (300, 160, 60, 60, 60, 60)
    picked = [ids[:: max(1, -(-len(ids) // count))] for ids, count in zip(found, most, strict=False)]
    return np.unique(np.concatenate(picked))


def _at(vertices: np.ndarray, triangles: np.ndarray) -> SurfacePoints:
    """The vertices as corners of triangles."""
    flat = triangles.ravel()
    first = np.zeros(flat.max() + 1, int)
    first[flat[::-1]] = np.arange(len(flat))[::-1]
    return SurfacePoints(first[vertices] // 3, np.eye(3)[first[vertices] % 3])


def _posed(flame: FlameTensors, expr: Tensor, unknown: Tensor, shape: Tensor | None = None) -> Tensor:
    """(B, P, 3) the vertices at unknown poses (B, 17)."""
    pose = torch.zeros(len(unknown), len(JOINTS), 3, dtype=unknown.dtype)
    pose[:, _TURNING] = unknown[:, :12].reshape(-1, 4, 3)
    vertices = forward(flame, expr, pose, unknown[:, 12:15], shape, unknown[:, 15:]).vertices
    return vertices[:, : vertices.shape[1] - len(JOINTS)]


def _slopes(flame: FlameTensors, expr: Tensor, pose: Tensor, still: Tensor, shape: Tensor | None = None) -> Tensor:
    """(B, 3P, 17) how the vertices move with the pose."""
    columns = []
    for axis in torch.eye(_POSE, dtype=pose.dtype):
        columns.append((_posed(flame, expr, pose + _STEP * axis, shape) - still).flatten(1) / _STEP)
    return torch.stack(columns, -1)


def _poses(flame: FlameTensors, goal: Tensor, expr: Tensor) -> Tensor:
    """(B, 17) poses of frames of a head whose identity is in its template."""
    pose = _bearings(flame, goal, expr)
    prior = NOISE_M**2 * torch.diag(_SIGMA**-2)
    for _ in range(_ROUNDS):
        still = _posed(flame, expr, pose)
        slopes = _slopes(flame, expr, pose, still)
        pull = slopes.mT @ (goal - still).flatten(1)[..., None] - prior @ pose[..., None]
        pose = pose + torch.linalg.solve(slopes.mT @ slopes + prior, pull)[..., 0]
    return pose


def _bearings(flame: FlameTensors, goal: Tensor, expr: Tensor) -> Tensor:
    """(B, 17) to begin with: the whole head turned and moved to where the mesh is (Kabsch), all else at rest."""
    pose = torch.zeros(len(goal), _POSE, dtype=goal.dtype)
    rest = _posed(flame, expr, pose)
    middle, aim = rest.mean(1, keepdim=True), goal.mean(1, keepdim=True)
    u, _, vt = torch.linalg.svd((goal - aim).mT @ (rest - middle))
    sign = torch.ones(len(goal), 3, dtype=goal.dtype)
    sign[:, 2] = torch.linalg.det(u @ vt).sign()
    turn = (u * sign[:, None]) @ vt
    root = flame.v_template[-len(JOINTS)] + expr @ flame.expressiondirs[-len(JOINTS), :, : expr.shape[1]].T
    pose[:, :3] = torch.as_tensor(Rotation.from_matrix(turn.numpy()).as_rotvec())
    arm = middle[:, 0] - root
    pose[:, 12:15] = aim[:, 0] - (turn @ arm[..., None])[..., 0] - root
    return pose


def _identity(flame: FlameTensors, goal: Tensor, expr: Tensor) -> Tensor:
    """(S,) the identity of a few frames, found together with their poses."""
    count = flame.shapedirs.shape[-1]
    shape, pose = torch.zeros(count, dtype=goal.dtype), _bearings(flame, goal, expr)
    if not count:
        return shape
    size = count + _POSE * len(goal)
    sigma = torch.cat([torch.ones(count, dtype=goal.dtype), _SIGMA.repeat(len(goal))])
    for _ in range(_IDENTITY_ROUNDS):
        H, g = NOISE_M**2 * torch.diag(sigma**-2), torch.zeros(size, dtype=goal.dtype)
        g -= NOISE_M**2 * torch.cat([shape, pose.flatten()]) / sigma**2
        for frame in range(len(goal)):
            one = slice(frame, frame + 1)
            still = _posed(flame, expr[one], pose[one], shape)
            several = (expr[one].expand(count, -1), pose[one].expand(count, -1))
            moved = _posed(flame, *several, shape + torch.eye(count, dtype=shape.dtype))
            by_shape = (moved - still).flatten(1).T  # exact, the mesh is linear in the identity
            slopes = torch.cat([by_shape, _slopes(flame, expr[one], pose[one], still, shape)[0]], 1)
            at = torch.cat([torch.arange(count), torch.arange(_POSE) + count + _POSE * frame])
            H[at[:, None], at] += slopes.T @ slopes
            g[at] += slopes.T @ (goal[one] - still).flatten()
        change = torch.linalg.solve(H, g)
        shape, pose = shape + change[:count], pose + change[count:].reshape(-1, _POSE)
    return shape
