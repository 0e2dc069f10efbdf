"""Heads posed in batches, for the tests of the default head."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.neural.flame.lbs import FlameTensors, forward


@dataclass(frozen=True)
class Pose:
    """Expressions by name, jaw in degrees about x, gaze (pitch, yaw) in degrees, lids left and right."""

    expression: dict[str, float] = field(default_factory=dict)
    jaw: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    lids: tuple[float, float] = (0.0, 0.0)


def posed(head: HeadModel, flame: FlameTensors, poses: list[Pose]) -> np.ndarray:
    """(B, V, 3) metres, by FLAME's mathematics with all correctives."""
    angles = torch.zeros(len(poses), 5, 3)
    for row, pose in enumerate(poses):
        angles[row, 2, 0] = float(np.radians(pose.jaw))
        angles[row, 3:, :2] = torch.tensor(np.radians(pose.gaze), dtype=torch.float32)
    expr = torch.as_tensor(np.stack([head.expression(pose.expression) for pose in poses]))
    lids = torch.tensor([pose.lids for pose in poses], dtype=torch.float32)
    return forward(flame, expr, angles, eyelids=lids).vertices.numpy()
