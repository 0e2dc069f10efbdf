"""How the places that rays hit move with the pose of their frame: FLAME at single places, differentiable.

A frame's table of vertices is made once for the poses of that moment. While poses are being refined, the rows that
rays take from it get the difference that FLAME's mathematics makes at each place between the poses of now and those
of that moment. So the rows are exact where nothing has changed, and their gradients by the poses are exact everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...face_track import FaceTrack
from ..flame.lbs import joint_transforms, pose_of, rotation_matrices
from .driving_mesh import NORMAL, DrivingMesh
from .ray_band import interpolate

# Columns of a frame's parameters; expressions follow.
ROOT, TRANSLATION, NECK, JAW = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
EYES, LIDS, EXPRESSION = slice(12, 18), slice(18, 20), slice(20, None)


def parameters_of(mesh: DrivingMesh, track: FaceTrack) -> Tensor:
    """(F, 20 + E) root rotation, translation, neck, jaw, eyes, eyelids, expressions of F frames."""
    pose = torch.as_tensor(pose_of(track), dtype=torch.float32)
    known = mesh.flame.expressiondirs.shape[-1]
    expr = torch.nn.functional.pad(torch.as_tensor(track.expr), (0, known - track.expr.shape[1]))
    moved = torch.as_tensor(track.translation, dtype=torch.float32)
    lids = torch.as_tensor(track.eyelids, dtype=torch.float32)
    parts = [pose[:, 0], moved, pose[:, 1], pose[:, 2], pose[:, 3], pose[:, 4], lids, expr]
    return torch.cat([part.float() for part in parts], 1).to(mesh.device)


def track_of(parameters: Tensor, like: FaceTrack) -> FaceTrack:
    """The inverse of `parameters_of`; identity, rate and head are those of `like`."""
    rows = parameters.detach().cpu().numpy()
    return FaceTrack(
        rows[:, EXPRESSION][:, : like.expr.shape[1]], like.fps, like.head_id, jaw_pose=rows[:, JAW],
        neck_pose=rows[:, NECK], rotation=rows[:, ROOT], translation=rows[:, TRANSLATION], eyes_pose=rows[:, EYES],
        eyelids=rows[:, LIDS], shape=like.shape, source=like.source,
    )  # fmt: skip


@dataclass(frozen=True)
class PosedFrames:
    """What FLAME makes of F frames' parameters before any place is chosen.

    Args:
        parameters: (F, 20 + E); features: (F, 36) of the pose correctives; transforms: (F, 5, 3, 4) rig_from_rest of
        each joint with the root still; relative: the same as seen from the head; root: (F, 3, 4) rig_from_root.
    """

    parameters: Tensor
    features: Tensor
    transforms: Tensor
    relative: Tensor
    root: Tensor

    @property
    def neck(self) -> Tensor:
        """(F, 3, 4) rig_from_head."""
        return self.transforms[:, 1]

    @property
    def coefficients(self) -> Tensor:
        """(F, K) expressions, jaw, eyes, eyelids, as `FrameGeometry` has them."""
        order = (EXPRESSION, JAW, EYES, LIDS)
        return torch.cat([self.parameters[:, part] for part in order], 1)


class HitMotion:
    """FLAME at places on a driving mesh.

    Args:
        shape: (S,) identity of all frames, may be empty.
    """

    def __init__(self, mesh: DrivingMesh, shape: Tensor) -> None:
        flame, source = mesh.flame, mesh.source
        rest = flame.v_template
        if len(shape):
            rest = rest + torch.einsum("s,vcs->vc", shape.to(mesh.device), flame.shapedirs[..., : len(shape)])
        self.joints = flame.J_regressor @ rest
        self.joint_directions = torch.einsum("jv,vce->jce", flame.J_regressor, flame.expressiondirs)
        posedirs = flame.posedirs.reshape(len(flame.posedirs), -1, 3)[:, source].permute(1, 2, 0)
        lids = flame.eyelids[:, source].permute(1, 2, 0)
        # (V, 3, E + 36 + 2): all that is linear, one row a vertex.
        self.directions = torch.cat([flame.expressiondirs[source], posedirs, lids], 2)
        self.rest, self.weights = rest[source], mesh.weights
        self.canonical_map = mesh.canonical_map
        self.mesh = mesh

    def pose(self, parameters: Tensor) -> PosedFrames:
        """Joints and rotations of (F, 20 + E) parameters."""
        expr = parameters[:, EXPRESSION]
        joints = self.joints + torch.einsum("fe,jce->fjc", expr, self.joint_directions)
        axis_angle = parameters[:, [0, 1, 2, *range(6, 18)]].reshape(-1, 5, 3)
        still = torch.cat([torch.zeros_like(axis_angle[:, :1]), axis_angle[:, 1:]], 1)
        rotations = rotation_matrices(still)
        unit = torch.eye(3, device=parameters.device)
        features = (rotations[:, 1:] - unit).reshape(len(parameters), 36)
        transforms = joint_transforms(joints, rotations)
        relative = torch.linalg.inv(transforms[:, 1:2]) @ transforms
        fixed = torch.eye(4, device=parameters.device).expand(len(parameters), 2, 4, 4)
        relative = torch.cat([fixed, relative[:, 2:]], 1)
        turn = rotation_matrices(axis_angle[:, 0])
        place = joints[:, 0] - (turn @ joints[:, 0, :, None])[..., 0] + parameters[:, TRANSLATION]
        root = torch.cat([turn, place[..., None]], 2)
        return PosedFrames(parameters, features, transforms[:, :, :3], relative[:, :, :3], root)

    def change(
        self, now: PosedFrames, before: PosedFrames, frame: Tensor, corners: Tensor, barycentric: Tensor, rows: Tensor
    ) -> Tensor:
        """What to add to the table's rows (H, 19) of H hits, because poses are `now` and were `before`.

        Args:
            frame: (H,) of `now`; corners: (H, 3) driving vertices; barycentric: (H, 3).
        """
        linear = interpolate(self.directions.reshape(len(self.directions), -1), corners, barycentric)
        linear = linear.reshape(len(frame), 3, -1)
        rest = interpolate(self.rest, corners, barycentric)
        weights = interpolate(self.weights, corners, barycentric)
        map_there = interpolate(self.canonical_map.reshape(-1, 9), corners, barycentric).reshape(-1, 3, 3)
        new = self._places(now, frame, rest, linear, weights, map_there)
        with torch.no_grad():
            old = self._places(before, frame, rest, linear, weights, map_there)
            turned_back = torch.linalg.inv(old[3])
        normal = torch.einsum("hij,hjk,hk->hi", new[3], turned_back, rows[:, NORMAL]) - rows[:, NORMAL]
        unwarp = (new[2] - old[2]).flatten(1)
        # In the order of the table's columns; how much an expression moves the place stays as it was.
        return torch.cat([new[0] - old[0], new[1] - old[1], normal, unwarp, torch.zeros_like(rows[:, :1])], 1)

    def _places(
        self, posed: PosedFrames, frame: Tensor, rest: Tensor, linear: Tensor, weights: Tensor, map_there: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Posed place, place in head space, canonical_from_head map, and linear part of the skinning."""
        amounts = torch.cat([posed.parameters[:, EXPRESSION], posed.features, posed.parameters[:, LIDS]], 1)
        shaped = rest + torch.einsum("hck,hk->hc", linear, amounts[frame])
        whole = torch.einsum("hj,hjkl->hkl", weights, posed.transforms[frame])
        local = torch.einsum("hj,hjkl->hkl", weights, posed.relative[frame])
        unwarp = map_there @ torch.linalg.inv(local[..., :3])
        return _apply(whole, shaped), _apply(local, shaped), unwarp, whole[..., :3]


@dataclass(frozen=True)
class Moves:
    """What has changed since the tables of some frames were made."""

    motion: HitMotion
    now: PosedFrames
    before: PosedFrames

    def rows(self, frame: Tensor, corners: Tensor, barycentric: Tensor, rows: Tensor) -> Tensor:
        """(H, 19) rows of the table as they would be now; arguments as in `HitMotion.change`."""
        return rows + self.motion.change(self.now, self.before, frame, corners, barycentric, rows)

    def origins(self, origins: Tensor) -> Tensor:
        """(F, 3) cameras in the root's frame of before, to that of now."""
        turn, place = self.before.root[..., :3], self.before.root[..., 3]
        in_rig = torch.einsum("fij,fj->fi", turn, origins) + place
        return torch.einsum("fji,fj->fi", self.now.root[..., :3], in_rig - self.now.root[..., 3])

    def directions(self, directions: Tensor, frame: Tensor) -> Tensor:
        """(H, 3) likewise, directions of rays of frames (H,)."""
        turn = self.now.root[..., :3].transpose(1, 2) @ self.before.root[..., :3]
        return torch.einsum("hij,hj->hi", turn[frame], directions)


def _apply(transforms: Tensor, points: Tensor) -> Tensor:
    """(H, 3, 4) maps of points (H, 3)."""
    return torch.einsum("hkl,hl->hk", transforms[..., :3], points) + transforms[..., 3]
