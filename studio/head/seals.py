"""Lips and lids that meet exactly on the fine mesh, where subdivision alone leaves a slit (cm)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .cage import Cage
from .expressions import SEAL_DEG
from .eyelids import SHUT_CLEARANCE, keep_off_ball, lid_paths
from .face import LIP_GAP, sides
from .rings import LID_BELOW, LID_CREASE, LOWER_INNER, LOWER_LIP, UPPER_INNER, UPPER_LIP
from .skinning import before_jaw, jaw_blends, jaw_posed
from .subdivision import Subdivision

WIDEST_SEAL_DEG = 12.0
REACH = 0.35  # how far a correction at the rim is carried into the lip


def lip_paths(subdivision: Subdivision) -> tuple[list[int], list[int]]:
    """Fine vertices on the upper and the lower line of contact, corner to corner."""
    return subdivision.along(UPPER_INNER), subdivision.along(LOWER_INNER)


def lip_members(cage: Cage, subdivision: Subdivision) -> tuple[np.ndarray, np.ndarray]:
    """(V',) 0..1 how far a fine vertex belongs to the upper and to the lower lip."""
    members = []
    for rings, bag in ((UPPER_LIP, range(1, 10)), (LOWER_LIP, range(11, 20))):
        vertices = [v for ring in rings for v in ring[1:-1]] + [cage.bag[depth][k] for depth in (1, 2) for k in bag]
        members.append(subdivision.matrix @ cage.indicator(vertices))
    return members[0], members[1]


def carry(
    points: np.ndarray,
    offsets: np.ndarray,
    path: list[int],
    wanted: np.ndarray,
    member: np.ndarray,
    whole: float = 0.0,
) -> np.ndarray:
    """Set offsets on `path` to `wanted` (P, 3) and fade the change out over the vertices of `member` (V',).

    Up to the distance `whole` from the path the change is taken over whole, as is right between several rows.
    """
    result = offsets.copy()
    change = wanted - offsets[path]
    active = np.nonzero(member > 0.02)[0]
    distance, nearest = cKDTree(points[path]).query(points[active], k=3)
    weight = 1 / (distance + 1e-4)
    weight /= weight.sum(1, keepdims=True)
    fade = member[active] * np.exp(-((np.clip(distance[:, 0] - whole, 0, None) / REACH) ** 2))
    result[active] += fade[:, None] * (weight[..., None] * change[nearest]).sum(1)
    result[path] = wanted
    return result


def seal_lips(
    points: np.ndarray, offsets: np.ndarray, cage: Cage, subdivision: Subdivision, jaw: np.ndarray, degrees: float
) -> np.ndarray:
    """Offsets (V', 3) for which the lips touch (LIP_GAP) when the jaw is open by `degrees`."""
    paths, members = lip_paths(subdivision), lip_members(cage, subdivision)
    posed = jaw_posed(points + offsets, jaw, degrees)
    middle = 0.5 * (posed[paths[0]] + posed[paths[1]])
    half = np.zeros_like(middle)
    half[1:-1, 1] = LIP_GAP / 2
    for path, member, goal in zip(paths, members, (middle + half, middle - half), strict=True):
        wanted = before_jaw(goal, jaw[path], degrees) - points[path]
        offsets = carry(points, offsets, path, wanted, member)
    return offsets


def hold_seal(
    points: np.ndarray, closing: np.ndarray, kept: np.ndarray, cage: Cage, subdivision: Subdivision, jaw: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Make the seal of `mouth_close`, right at SEAL_DEG, right at every angle of the jaw up to WIDEST_SEAL_DEG.

    `mouth_close` grows with the angle, the lips part along an arc: what is left over is of second order in the angle
    and is taken by a pose corrective along 1 - cos. Both are solved for together, by least squares over the angles.

    Args:
        points: (V', 3); closing: (V', 3) offsets of `mouth_close`; kept: (V', 3) what 1 - cos already moves.

    Returns:
        (V', 3) the offsets of `mouth_close`, and (V', 3) what is to be added to `kept`.
    """
    paths, members = lip_paths(subdivision), lip_members(cage, subdivision)
    # Unknowns of a facing pair: mouth_close and corrective of the upper, then of the lower vertex.
    rows, residues = [], []
    for degrees in np.arange(1.0, WIDEST_SEAL_DEG + 0.5):
        share, bend = degrees / SEAL_DEG, 1 - np.cos(np.radians(degrees))
        posed = [
            jaw_posed(p[path], jaw[path], degrees) for path in paths for p in (points + share * closing + bend * kept,)
        ]
        gap = posed[1] - posed[0]
        gap[1:-1, 1] += LIP_GAP
        upper, lower = (jaw_blends(jaw[path], degrees) for path in paths)
        rows.append(np.concatenate([share * upper, bend * upper, -share * lower, -bend * lower], 2))
        residues.append(gap)
    system, wanted = np.concatenate(rows, 1), np.concatenate(residues, 1)
    # A trace of damping shares the change between the lips.
    normal = system.transpose(0, 2, 1) @ system + 1e-7 * np.eye(12)
    solved = np.linalg.solve(normal, system.transpose(0, 2, 1) @ wanted[..., None])[..., 0]
    bending = np.zeros_like(closing)
    for path, member, part in zip(paths, members, (solved[:, :6], solved[:, 6:]), strict=True):
        closing = carry(points, closing, path, closing[path] + part[:, :3], member)
        bending = carry(points, bending, path, bending[path] + part[:, 3:], member)
    return closing, bending


def shut_lids(points: np.ndarray, offsets: np.ndarray, cage: Cage, subdivision: Subdivision, side: int) -> np.ndarray:
    """Blink offsets (V', 3) of one eye for which the margins meet and no straight way crosses the ball."""
    centre, rims = cage.neutral.eye_centres[side], cage.eye_rims[side]
    crease, below = (sides(ring, cage.mirror)[side] for ring in (LID_CREASE, LID_BELOW))
    outer = cage.indicator(list(range(468)))
    offsets = keep_off_ball(points, offsets, centre, subdivision.matrix @ outer > 0.45)
    upper, lower = lid_paths(cage, subdivision, side)
    inner_columns = (range(1, 8), range(9, 16))
    members = []
    for columns, row in zip(inner_columns, (crease, below), strict=True):
        vertices = [ring[k] for ring in rims for k in columns] + [v for v in row if v is not None]
        members.append(np.clip(subdivision.matrix @ cage.indicator(vertices), 0, 1))
    shut = [points[path] + offsets[path] for path in (upper, lower)]
    middle = 0.5 * (shut[0] + shut[1])
    away = middle - centre
    radius = np.linalg.norm(away, axis=1, keepdims=True)
    floor = np.linalg.norm(points[upper] - centre, axis=1, keepdims=True) + 0.5 * SHUT_CLEARANCE
    inner = np.ones(len(upper), bool)
    inner[[0, -1]] = False
    middle[inner] = (centre + away / radius * np.maximum(radius, floor))[inner]
    middle[[0, -1]] = points[[upper[0], upper[-1]]]
    for path, member in zip((upper, lower), members, strict=True):
        offsets = carry(points, offsets, path, middle - points[path], member)
    return offsets
