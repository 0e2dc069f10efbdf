"""FLAME's mathematics as pure, batched, differentiable functions.

Source: Li et al., "Learning a model of facial shape and expression from 4D scans", 2017, after SMPL
(Loper et al., 2015). Metres and radians; rotations are axis-angle; the dtype is that of the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...face_track import FaceTrack
from ...formats.head_model import PARENTS, HeadModel


@dataclass(frozen=True)
class FlameTensors:
    """A head model's arrays as tensors of one dtype on one device."""

    v_template: Tensor  # (V, 3)
    shapedirs: Tensor  # (V, 3, S)
    expressiondirs: Tensor  # (V, 3, E)
    posedirs: Tensor  # (36, 3V)
    J_regressor: Tensor  # (5, V)
    weights: Tensor  # (V, 5)
    eyelids: Tensor  # (2, V, 3)

    @classmethod
    def from_head(cls, head: HeadModel, dtype: torch.dtype = torch.float32, device: str = "cpu") -> FlameTensors:
        """Copy a head's arrays; a head without eyelids gets zeros."""
        eyelids = head.eyelids if head.eyelids is not None else np.zeros((2, *head.v_template.shape), np.float32)
        arrays = (
            head.v_template,
            head.shapedirs,
            head.expressiondirs,
            head.posedirs,
            head.J_regressor,
            head.weights,
            eyelids,
        )
        return cls(*(torch.as_tensor(array, dtype=dtype, device=device) for array in arrays))


@dataclass(frozen=True)
class Posed:
    """What `forward` returns, for a batch of B frames."""

    vertices: Tensor  # (B, V, 3) posed, in the rig's frame
    shaped: Tensor  # (B, V, 3) with identity, expression, eyelids and correctives, before posing
    joints: Tensor  # (B, 5, 3) at rest, for the shaped head
    transforms: Tensor  # (B, 5, 4, 4) rig_from_rest of each joint


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """Axis-angle (..., 3) to rotation matrices (..., 3, 3), smooth at zero (Rodrigues)."""
    squared = (axis_angle * axis_angle).sum(-1)
    small = squared < 1e-8
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    # Taylor series near zero keep the value and the gradient exact there.
    a = torch.where(small, 1 - squared / 6, angle.sin() / angle)[..., None, None]
    b = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / (angle * angle))[..., None, None]
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return torch.eye(3, dtype=x.dtype, device=x.device) + a * cross + b * (cross @ cross)


def forward(
    flame: FlameTensors,
    expr: Tensor,
    pose: Tensor,
    translation: Tensor | None = None,
    shape: Tensor | None = None,
    eyelids: Tensor | None = None,
) -> Posed:
    """Pose a batch of heads.

    Args:
        expr: (B, E'), E' ≤ E coefficients; pose: (B, 5, 3) axis-angle of root, neck, jaw, left and right eye.
        translation: (B, 3) metres; shape: (B, S') or (S',), S' ≤ S; eyelids: (B, 2), 0 open to 1 shut.

    As in FLAME the joints are regressed from identity and expression; eyelids, like the pose correctives,
    move vertices only.
    """
    batch = len(expr)
    shaped = flame.v_template + torch.einsum("be,vce->bvc", expr, flame.expressiondirs[..., : expr.shape[-1]])
    if shape is not None and shape.shape[-1]:
        shape = shape.expand(batch, -1)
        shaped = shaped + torch.einsum("bs,vcs->bvc", shape, flame.shapedirs[..., : shape.shape[-1]])
    joints = torch.einsum("jv,bvc->bjc", flame.J_regressor, shaped)
    rotations = rotation_matrices(pose)  # (B, 5, 3, 3)
    features = (rotations[:, 1:] - torch.eye(3, dtype=expr.dtype, device=expr.device)).reshape(batch, 36)
    shaped = shaped + (features @ flame.posedirs).reshape(batch, -1, 3)
    if eyelids is not None:
        shaped = shaped + torch.einsum("be,evc->bvc", eyelids, flame.eyelids)
    transforms = joint_transforms(joints, rotations)
    blended = torch.einsum("vj,bjkl->bvkl", flame.weights, transforms[:, :, :3])
    vertices = torch.einsum("bvkl,bvl->bvk", blended[..., :3], shaped) + blended[..., 3]
    if translation is not None:
        vertices = vertices + translation[:, None]
        moved = torch.zeros_like(transforms)
        moved[:, :, :3, 3] = translation[:, None]
        transforms = transforms + moved
    return Posed(vertices, shaped, joints, transforms)


def joint_transforms(joints: Tensor, rotations: Tensor) -> Tensor:
    """rig_from_rest of each joint (B, 5, 4, 4): each turns about its own rest place, then follows its parent."""
    chain: list[Tensor] = []
    for index, parent in enumerate(PARENTS):
        rotation, joint = rotations[:, index], joints[:, index]
        offset = joint - (rotation @ joint[..., None])[..., 0]
        local = torch.cat([rotation, offset[..., None]], -1)
        bottom = local.new_tensor([[0, 0, 0, 1]]).expand(len(local), 1, 4)
        local = torch.cat([local, bottom], 1)
        chain.append(local if parent < 0 else chain[parent] @ local)
    return torch.stack(chain, 1)


def pose_of(track: FaceTrack) -> np.ndarray:
    """(N, 5, 3) axis-angle of root, neck, jaw, left eye and right eye."""
    eyes = track.eyes_pose.reshape(-1, 2, 3)
    return np.concatenate([np.stack([track.rotation, track.neck_pose, track.jaw_pose], 1), eyes], 1)


def pose_track(flame: FlameTensors, track: FaceTrack) -> Posed:
    """Pose every frame of a track (mind the memory: N x V x 3)."""
    tensor = {"dtype": flame.v_template.dtype, "device": flame.v_template.device}
    return forward(
        flame,
        torch.as_tensor(track.expr, **tensor),
        torch.as_tensor(pose_of(track), **tensor),
        torch.as_tensor(track.translation, **tensor),
        torch.as_tensor(track.shape, **tensor) if track.shape.size else None,
        torch.as_tensor(track.eyelids, **tensor),
    )
