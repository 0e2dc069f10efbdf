"""Joints that move with the expression, as in FLAME's own models.

FLAME regresses its joints from the shaped vertices, so an expression moves them a little: a joint at
J turns about J + D e, with D = J_regressor · expressiondirs. A bone can do that as a chain of three:
a pivot bone moved by D e, the joint's own bone that turns, and a skin bone moved back by D e, which
deforms. D e comes from Transformation constraints, one an expression, each mapping a hidden bone
whose x is the expression's coefficient. Heads whose joints stand still need none of this.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..formats.head_model import JOINTS, PARENTS, HeadModel
from .controls import expression_key
from .drivers import sum_driver

# A joint that no coefficient of 1 moves further than this stands still, metres.
STILL_M = 1e-6
# The widest coefficient that the shape keys take.
COEFFICIENT_LIMIT = 10.0


def moving_joints(head: HeadModel) -> dict[int, np.ndarray]:
    """The joints that expressions move: index to (3, E) metres for a coefficient of 1."""
    moves = np.einsum("jv,vce->jce", head.J_regressor.astype(np.float64), head.expressiondirs.astype(np.float64))
    return {joint: move for joint, move in enumerate(moves) if np.abs(move).max() > STILL_M}


def skin_bone(joint: int, moving: dict[int, np.ndarray]) -> str | None:
    """The bone that deforms for a joint, and that child joints hang on; None for the parent of the root."""
    if joint < 0:
        return None
    return f"DEF-{JOINTS[joint]}" if joint in moving else JOINTS[joint]


def pivot_bone(joint: int) -> str:
    """The hidden bone at the place of a joint that moves."""
    return f"MCH-{JOINTS[joint]}_pivot"


def base_bone(joint: int, moving: dict[int, np.ndarray]) -> str | None:
    """The bone that a joint's own bone hangs on."""
    return pivot_bone(joint) if joint in moving else skin_bone(PARENTS[joint], moving)


def driven_bones(moving: dict[int, np.ndarray]) -> list[str]:
    """The hidden bones whose x is the coefficient of an expression that moves a joint."""
    if not moving:
        return []
    largest = np.max([np.abs(move).max(0) for move in moving.values()], axis=0)
    return [f"MCH-{expression_key(int(index))}" for index in np.flatnonzero(largest > 0)]


def add_pivots(rig: bpy.types.Object, moving: dict[int, np.ndarray], sources: dict[str, list]) -> None:
    """Constrain the pivot and skin bones of the joints that move.

    Args:
        sources: shape key to what it sums, as `drags.sources_of_keys` gives it.
    """
    bones = rig.pose.bones
    for name in driven_bones(moving):
        sum_driver(bones[name], "location", rig, sources[name.removeprefix("MCH-")], index=0)
    for joint, move in moving.items():
        pivot = bones[pivot_bone(joint)]
        for index in np.flatnonzero(np.abs(move).max(0) > 0):
            _follow_expression(pivot, rig, expression_key(int(index)), move[:, index])
        back = bones[f"DEF-{JOINTS[joint]}"].constraints.new("COPY_LOCATION")
        back.name = "Back from the pivot"
        back.target, back.subtarget = rig, pivot.name
        back.target_space = back.owner_space = "LOCAL"
        back.invert_x = back.invert_y = back.invert_z = True


def _follow_expression(pivot: bpy.types.PoseBone, rig: bpy.types.Object, key: str, move: np.ndarray) -> None:
    constraint = pivot.constraints.new("TRANSFORM")
    constraint.name = key
    constraint.target, constraint.subtarget = rig, f"MCH-{key}"
    constraint.target_space = constraint.owner_space = "LOCAL"
    constraint.map_from = constraint.map_to = "LOCATION"
    constraint.mix_mode = "ADD"
    constraint.from_min_x, constraint.from_max_x = -COEFFICIENT_LIMIT, COEFFICIENT_LIMIT
    for axis, metres in zip("xyz", move.tolist(), strict=True):
        setattr(constraint, f"map_to_{axis}_from", "X")
        setattr(constraint, f"to_min_{axis}", -COEFFICIENT_LIMIT * metres)
        setattr(constraint, f"to_max_{axis}", COEFFICIENT_LIMIT * metres)
