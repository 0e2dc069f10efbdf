"""The neutral face on the 468 landmarks: the mean face narrowed, its lips closed and its eyes fitted to balls.

Everything here is in centimetres, Y up, face towards +Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .landmarks import LANDMARKS, MeanFace
from .rings import (
    EYE_LOWER,
    EYE_RIM,
    EYE_UPPER,
    LOWER_INNER,
    LOWER_MIDDLE,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_LIP,
    UPPER_MIDDLE,
    UPPER_OUTER,
)
from .surface import bump, smoothstep
from .tracker_fit import correction

EYE_RADIUS = 1.2
LID_CLEARANCE = 0.13  # lid margins lie this far off the ball
APERTURE = 0.93  # of the open eye; the mean of small crops has 0.75
LIP_GAP = 0.008  # between the closed lips; not zero, or samples of both lips would coincide


@dataclass(frozen=True)
class NeutralFace:
    """points (468, 3); eye_centres (2, 3) of the left and the right ball; stomion height and depth."""

    points: np.ndarray
    eye_centres: np.ndarray
    stomion: np.ndarray


def sides(ring: tuple, mirror: np.ndarray) -> tuple[tuple, tuple]:
    """A ring of right-side landmarks as (left, right)."""
    return tuple(None if v is None else int(mirror[v]) for v in ring), tuple(ring)


def neutral_face(mean: MeanFace) -> NeutralFace:
    """Shape the mean face into the neutral head's face."""
    mirror = mean.mirror
    points = 0.5 * (mean.points + mean.points[mirror] * [-1, 1, 1])
    # The mean of upscaled crops is broad, most of all at the jaw; FaceMesh reads its mouth 9 % too narrow.
    points[:, 0] *= 0.935 * (1 - 0.045 * (1 - smoothstep(-7.5, 0.5, points[:, 1])))
    beside_mouth = bump(np.clip(np.abs(points[:, 1] - points[13, 1]) - 0.6, 0, None), 1.1)
    beside_mouth *= bump(np.clip(np.abs(points[:, 0]) - 2.4, 0, None), 1.2)
    points[:, 0] *= 1 + 0.10 * beside_mouth
    for upper, lower in zip(sides(EYE_UPPER, mirror), sides(EYE_LOWER, mirror), strict=True):
        _open_eye(points, upper, lower)
    _close_lips(points)
    _shape_chin(points)
    _shape_vermilion(points)
    points += correction()
    for upper, lower in zip(sides(EYE_UPPER, mirror), sides(EYE_LOWER, mirror), strict=True):
        _part_inner_lids(points, upper, lower)
    points = 0.5 * (points + points[mirror] * [-1, 1, 1])
    contact = 0.5 * (points[list(UPPER_INNER)] + points[list(LOWER_INNER)])
    points[list(UPPER_INNER)] = points[list(LOWER_INNER)] = contact
    stomion = points[13].copy()
    points[list(UPPER_INNER), 1] += LIP_GAP / 2
    points[list(LOWER_INNER[1:-1]), 1] -= LIP_GAP / 2
    points[[78, 308], 1] -= LIP_GAP / 2
    centres = np.array(
        [
            _fit_eye(points, upper, lower)
            for upper, lower in zip(sides(EYE_UPPER, mirror), sides(EYE_LOWER, mirror), strict=True)
        ]
    )
    _clear_balls(points, centres, {int(v) for ring in sides(EYE_RIM, mirror) for v in ring})
    return NeutralFace(points, centres, stomion)


def _open_eye(points: np.ndarray, upper: tuple, lower: tuple) -> None:
    """Widen the aperture by lifting the upper lid, and the lower one less (in place)."""
    height = points[upper[4], 1] - points[lower[4], 1]
    centre = 0.5 * (points[upper[4]] + points[lower[4]])
    above = points[:, 1] - centre[1]
    amount = np.where(above > 0, 1.0, -0.55) * (APERTURE - height) * 0.7 * np.clip(np.abs(above) / (height / 2), 0, 1)
    amount *= bump(np.clip(np.abs(above) - height / 2, 0, None), 0.5)
    amount *= np.exp(-(((points[:, 0] - centre[0]) / 1.15) ** 4)) * (points[:, 2] > 2.5)
    points[:, 1] += amount


def _part_inner_lids(points: np.ndarray, upper: tuple, lower: tuple) -> None:
    """Towards the nose the lids stay apart up to the corner, which lies beside the ball (in place)."""
    inner = upper[-1]
    points[inner] += np.array([np.sign(points[inner, 0]) * 0.12, -0.04, -0.15])
    for k in range(1, 8):
        towards_nose = bump(np.array(k - 6.4), 1.6)
        points[upper[k], 1] += 0.03 + 0.05 * towards_nose
        points[lower[k], 1] -= 0.03 + 0.05 * towards_nose


def _close_lips(points: np.ndarray) -> None:
    """The mean mouth is open by 7 mm: raise the lower face and snap the inner rings together (in place)."""
    gap = points[13, 1] - points[14, 1]
    raised = smoothstep(0.0, 1.0, (points[13, 1] - 0.15 - points[:, 1]) / 0.8)
    raised *= (points[:, 2] > -1) * smoothstep(4.2, 1.8, np.abs(points[:, 0]))
    raised[[v for ring in UPPER_LIP for v in ring]] = 0
    points[:, 1] += 0.75 * gap * raised
    arch = np.sin(np.pi * np.arange(11) / 10)
    for ring in UPPER_LIP:
        points[list(ring), 1] -= 0.25 * gap * arch
    upper, lower = list(UPPER_INNER), list(LOWER_INNER)
    contact = 0.5 * (points[upper] + points[lower])
    # The line of contact dips under the tubercle and rises beside it.
    contact[:, 1] += -0.07 * bump(contact[:, 0], 0.5) + 0.045 * bump(np.abs(contact[:, 0]) - 1.0, 0.5)
    points[upper] = points[lower] = contact


def _shape_chin(points: np.ndarray) -> None:
    """Bring the chin forward by 4 mm: the mean of crops is weak there (in place)."""
    centre = points[[200, 199, 175]].mean(0)
    points[:, 2] += 0.42 * np.exp(-(((points - centre) * [0.55, 0.65, 0.5]) ** 2).sum(1) / 1.2)


def _shape_vermilion(points: np.ndarray) -> None:
    """Heights of the red of the lips, the cupid's bow, and a bulging profile between the rings (in place)."""
    # The mean face sinks at the corners, more than the closed lips can follow without a sharp groove.
    for vertex, forward in ((61, 0.20), (57, 0.16), (43, 0.08), (291, 0.20), (287, 0.16), (273, 0.08)):
        points[vertex, 2] += forward
    height = points[13, 1]
    corner = points[61].copy()
    for k in range(1, 10):
        for ring, sign in ((UPPER_OUTER, 1), (LOWER_OUTER, -1)):
            x = points[ring[k], 0]
            s = 1 - (x / corner[0]) ** 2
            if sign > 0:
                rise = 0.80 * s**0.75 - 0.10 * bump(x, 0.28) + 0.04 * bump(abs(x) - 0.55, 0.3)
            else:
                rise = -0.98 * s**0.8
            points[ring[k], 1] = height + rise + (corner[1] - height) * (1 - s)
    for outer, middle, inner, bulge, forward in (
        (UPPER_OUTER, UPPER_MIDDLE, UPPER_INNER, 0.26, 0.0),
        (LOWER_OUTER, LOWER_MIDDLE, LOWER_INNER, 0.32, 0.06),
    ):
        # At the corners, too, the rings follow each other, or the skin folds there.
        for k in range(11):
            across = np.sin(np.pi * k / 10) ** 1.1
            for ring, f in zip(middle, (0.36, 0.72), strict=True):
                point = points[outer[k]] * (1 - f) + points[inner[k]] * f
                point[2] += bulge * np.sin(np.pi * f) * across + forward
                points[ring[k]] = point


def _fit_eye(points: np.ndarray, upper: tuple, lower: tuple) -> np.ndarray:
    """Place a ball behind the lids and pull the margins onto it (in place); returns its centre (3,)."""
    margin = points[list(upper[2:7] + lower[2:7])]
    centre = np.array(
        [
            0.5 * (points[upper[0], 0] + points[upper[-1], 0]),
            0.5 * (points[upper[4], 1] + points[lower[4], 1]) - 0.02,
            1.0,
        ]
    )
    for _ in range(60):
        centre[2] += np.linalg.norm(margin - centre, axis=1).mean() - (EYE_RADIUS + LID_CLEARANCE)
    for vertex in upper[1:-1] + lower[1:-1]:
        offset = points[vertex] - centre
        radius = np.linalg.norm(offset)
        points[vertex] = centre + offset / radius * (0.15 * radius + 0.85 * (EYE_RADIUS + LID_CLEARANCE))
    for corner, clearance in ((upper[0], 0.32), (upper[-1], 0.36)):
        offset = points[corner] - centre
        radius = np.linalg.norm(offset)
        points[corner] = centre + offset / radius * min(radius, EYE_RADIUS + clearance)
    return centre


def _clear_balls(points: np.ndarray, centres: np.ndarray, rims: set[int]) -> None:
    """Keep the skin around the eyes off the balls (in place)."""
    others = np.array([v for v in range(LANDMARKS) if v not in rims])
    for centre in centres:
        offset = points[others] - centre
        radius = np.linalg.norm(offset, axis=1)
        inside = radius < EYE_RADIUS + 0.16
        points[others[inside]] = centre + offset[inside] / radius[inside, None] * (EYE_RADIUS + 0.16)
