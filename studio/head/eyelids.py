"""Lids that slide over the ball: blink, squint and wide eyes (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .face import EYE_RADIUS, sides
from .mouth import CORNEA
from .rings import BROW, EYE_LOWER, EYE_RIM, EYE_UPPER, FOREHEAD, JAW_LINE, LID_BELOW, LID_CREASE, LID_FOLD, NOSE
from .subdivision import Subdivision
from .surface import Membrane

LEFT, RIGHT = 0, 1
MEETING = 0.82  # where the lids meet, from the upper margin (0) to the lower one (1)
SHUT_CLEARANCE = 0.08  # extra distance of the shut lid from the ball: halfway it moves along the chord
SKIN_OVER_BALL = 0.05
_AROUND = (50, 101, 118, 117, 119, 230, 229, 228, 31, 231, 232, 226, 35, 243, 244, 61, 0)


def slide(point: np.ndarray, target: np.ndarray, centre: np.ndarray, amount: float, lift: float) -> np.ndarray:
    """(3,) the offset that carries `point` along the ball `amount` of the way to `target` (slerp)."""
    start, end = point - centre, target - centre
    r0, r1 = np.linalg.norm(start), np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / (r0 * r1), -1, 1))
    if angle < 1e-5:
        return start / r0 * lift
    direction = (np.sin((1 - amount) * angle) * start / r0 + np.sin(amount * angle) * end / r1) / np.sin(angle)
    return centre + direction * (r0 * (1 - amount) + r1 * amount + lift) - point


def lid_motion(cage: Cage, membrane: Membrane, side: int, upper: float, lower: float) -> np.ndarray:
    """(V, 3) cage offsets: each lid moves so much of its way to the line where they meet (negative opens)."""
    points, mirror = cage.points, cage.mirror
    centre, rims = cage.neutral.eye_centres[side], cage.eye_rims[side]
    up, low, crease, fold, below, rim = (
        sides(ring, mirror)[side] for ring in (EYE_UPPER, EYE_LOWER, LID_CREASE, LID_FOLD, LID_BELOW, EYE_RIM)
    )
    handles: dict[int, np.ndarray] = {}
    for k in range(9):
        moves = (np.zeros(3), np.zeros(3))
        if k not in (0, 8):
            meeting = points[low[k]] * MEETING + points[up[k]] * (1 - MEETING)
            moves = (
                slide(points[up[k]], meeting, centre, upper, SHUT_CLEARANCE * max(upper, 0)),
                slide(points[low[k]], meeting, centre, lower, SHUT_CLEARANCE * max(lower, 0)),
            )
        for vertex, move in zip((up[k], low[k]), moves, strict=True):
            column = rim.index(vertex)
            for ring, share in zip(rims, (1.0, 1.0, 0.9, 0.35), strict=True):
                handles.setdefault(ring[column], move * share)
        if crease[k] is not None:
            outwards = points[crease[k]] - centre
            handles[crease[k]] = moves[0] * 0.42 + outwards / np.linalg.norm(outwards) * 0.08 * upper
            handles[fold[k]] = moves[0] * 0.07
        if below[k] is not None:
            handles[below[k]] = moves[1] * 0.4
    still = {v for v in (*BROW, *NOSE, *FOREHEAD, *JAW_LINE, *_AROUND)}
    still = still if side == RIGHT else {int(mirror[v]) for v in still}
    still |= set(sides(EYE_RIM, mirror)[1 - side]) | {v for ring in cage.rings[1:] for v in ring}
    for vertex in still:
        handles.setdefault(vertex, np.zeros(3))
    return membrane.spread(handles)


def lid_paths(cage: Cage, subdivision: Subdivision, side: int) -> tuple[list[int], list[int]]:
    """Fine vertices on the upper and the lower margin, both from the outer to the inner corner."""
    up, low = (sides(ring, cage.mirror)[side] for ring in (EYE_UPPER, EYE_LOWER))
    return subdivision.along(up), subdivision.along(low)


def ball_radius(offsets: np.ndarray) -> np.ndarray:
    """(N,) the ball's radius, with its cornea, in the directions of the offsets from its centre (gaze ahead)."""
    theta = np.arccos(np.clip(offsets[:, 2] / np.linalg.norm(offsets, axis=1), -1, 1))
    return EYE_RADIUS + CORNEA * np.exp(-((theta / 0.50) ** 4))


def keep_off_ball(rest: np.ndarray, motion: np.ndarray, centre: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Bulge a lid's motion so that the straight way of each skin vertex stays outside the ball.

    Args:
        rest: (N, 3); motion: (N, 3) offsets when shut; skin: (N,) vertices that must stay outside.
    """
    motion = motion.copy()
    near = np.nonzero(skin & (np.linalg.norm(rest - centre, axis=1) < 2.5) & (rest[:, 2] > centre[2]))[0]
    for _ in range(4):
        for t in (0.25, 0.5, 0.75, 1.0):
            offset = rest[near] + t * motion[near] - centre
            radius = np.linalg.norm(offset, axis=1)
            # What starts nearer than the margin asked for (the lid's inner side) only keeps its distance.
            wanted = np.minimum(ball_radius(offset) + SKIN_OVER_BALL, np.linalg.norm(rest[near] - centre, axis=1))
            short = np.clip(wanted - radius, 0, None) / t
            motion[near] += offset / radius[:, None] * short[:, None]
    return motion
