"""Fewer keys with a bound on the error: which samples of a channel stay keys, and how far each channel may be off.

No bpy. Lines between the keys that stay differ from the lines between all samples by at most the tolerance, at every
time: the difference of two such curves is largest at a sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..formats.head_model import HeadModel
from .controls import EYELIDS, FACE_BONE, expression_key

# Samples between two yields.
BLOCK = 250
# Keys are stored in single precision.
_SAFE = 0.999

# Of the heads in use: how far (V, E + 2) a unit of each expression and eyelid moves each vertex, metres.
_moves: dict[str, np.ndarray] = {}


def reducing(
    frames: np.ndarray, values: np.ndarray, tolerances: np.ndarray, always: np.ndarray
) -> Iterator[np.ndarray | None]:
    """Bool mask (N, C) of the samples that stay keys; yields None now and then on the way to it.

    From each key the next is the last sample before the first one that no line from the key reaches within the
    tolerance of all samples between; all channels go through time together.

    Args:
        frames: (N,) times, rising.
        values: (N, C) samples.
        tolerances: (C,) how far the line between two keys may be from a sample.
        always: (N,) bool, samples that are keys; the first and the last are anyway.
    """
    count, width = values.shape
    keep = np.repeat(always[:, None], width, axis=1)
    keep[[0, -1]] = True
    limits = tolerances * _SAFE
    from_frame, from_value = np.full(width, frames[0]), values[0].astype(float)
    low, high = np.full(width, -np.inf), np.full(width, np.inf)
    for index in range(1, count):
        now = values[index]
        slope = (now - from_value) / (frames[index] - from_frame)
        ends = (slope < low) | (slope > high)
        if ends.any():
            keep[index - 1] |= ends
            from_frame[ends], from_value[ends] = frames[index - 1], values[index - 1, ends]
            low[ends], high[ends] = -np.inf, np.inf
        span = frames[index] - from_frame
        low = np.maximum(low, (now - limits - from_value) / span)
        high = np.minimum(high, (now + limits - from_value) / span)
        if always[index]:
            from_frame[:], from_value = frames[index], now.astype(float)
            low[:], high[:] = -np.inf, np.inf
        if not index % BLOCK:
            yield None
    yield keep


def tolerances(
    head: HeadModel, paths: list[str], values: list[np.ndarray], max_mm: float, max_degrees: float
) -> np.ndarray:
    """(C,) how far the numbers of all properties, one after the other, may be off; 0 for what is neither.

    Args:
        paths: data paths on the rig.
        values: the numbers (N, C') of each.
    """
    face, count = f'pose.bones["{FACE_BONE}"]', head.expressiondirs.shape[-1]
    places = {f'{face}["{expression_key(index)}"]': index for index in range(count)}
    places |= {f'{face}["{name}"]': count + index for index, name in enumerate(EYELIDS)}
    moving = np.zeros(count + len(EYELIDS), bool)
    for path, numbers in zip(paths, values, strict=True):
        if path in places:
            moving[places[path]] = np.ptp(numbers) > 0
    coefficients = coefficient_tolerances(head, moving, max_mm)
    limits = []
    for path, numbers in zip(paths, values, strict=True):
        if path in places:
            limits.append(coefficients[[places[path]]])
        elif path.endswith("location"):
            limits.append(np.full(numbers.shape[1], max_mm * 1e-3 / np.sqrt(3)))
        elif "rotation_" in path:
            limits.append(rotation_tolerances(path, numbers, max_degrees))
        else:
            limits.append(np.zeros(numbers.shape[1]))
    return np.concatenate(limits)


def coefficient_tolerances(head: HeadModel, moving: np.ndarray, max_mm: float) -> np.ndarray:
    """(E + 2,) how far expressions and eyelids may be off, so that no vertex is off by more than `max_mm` in all.

    How far a component moves a vertex is the head's basis; all that move may be off at once, so each gets the same
    share of the millimetres that meet at one vertex. What moves nothing is not bound.

    Args:
        moving: (E + 2,) bool, which of them change at all.
    """
    if head.id not in _moves:
        # Joints that expressions move carry along what turns about them: at most twice as far as they go.
        joints = np.linalg.norm(np.einsum("jv,vxe->jxe", head.J_regressor, head.expressiondirs), axis=1)
        expressions = np.linalg.norm(head.expressiondirs, axis=1) + 2 * joints.sum(0)
        lids = np.zeros((2, len(expressions))) if head.eyelids is None else np.linalg.norm(head.eyelids, axis=2)
        _moves[head.id] = np.concatenate([expressions, lids.T], 1).astype(np.float32)
    moves = _moves[head.id]
    most = moves.max(0).astype(float)
    meeting = (moves @ np.where(moving & (most > 0), 1 / np.maximum(most, 1e-12), 0)).max()
    with np.errstate(divide="ignore"):
        return max_mm * 1e-3 / max(meeting, 1.0) / most


def rotation_tolerances(path: str, values: np.ndarray, max_degrees: float) -> np.ndarray:
    """(C,) how far each number of a rotation may be off, so that the rotation is off by at most `max_degrees`.

    Args:
        path: the data path, which says what kind of numbers they are.
        values: (N, C) the numbers: Euler angles, a quaternion, or angle and axis.
    """
    angle = np.radians(max_degrees)
    if path.endswith("rotation_quaternion"):
        # Four errors of e make 2e at most; the rotation turns twice as far as the quaternion.
        return np.full(4, np.sin(angle / 2) / 2)
    if path.endswith("rotation_axis_angle"):
        # An axis that is off by a turns the result by at most a times the angle.
        axis = angle / 2 / max(np.abs(values[:, 0]).max(), angle) / np.sqrt(3) * 2 / np.pi
        return np.array([angle / 2, axis, axis, axis])
    return np.full(values.shape[1], angle / 3)
