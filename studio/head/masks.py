"""Regions of the skin: anatomy for the rest of the project, and gradual masks that colour it (cm)."""

from __future__ import annotations

import numpy as np

from .cage import Cage
from .details import COLLAR_RING
from .face import sides
from .landmarks import LANDMARKS
from .rings import EYE_RIM, LOWER_INNER, LOWER_LIP, LOWER_OUTER, UPPER_INNER, UPPER_LIP, UPPER_OUTER
from .skull import scalp_mask
from .strands import Strands
from .subdivision import Subdivision
from .surface import smoothstep


def _around(points: np.ndarray, centre: np.ndarray, size: tuple[float, float, float]) -> np.ndarray:
    return np.exp(-(((points - centre) / np.array(size)) ** 2).sum(1))


def skin_regions(
    points: np.ndarray, cage: Cage, subdivision: Subdivision, ring: np.ndarray, brows: Strands
) -> dict[str, np.ndarray]:
    """Masks (V',) on the fine skin: bool where a part begins or ends, float16 where it fades."""
    lift, p = subdivision.matrix, cage.points
    lips = np.zeros(len(p))
    lips[list(UPPER_OUTER + LOWER_OUTER)] = 0.35
    for rows in (UPPER_LIP[1:], LOWER_LIP[1:]):
        lips[[v for row in rows for v in row]] = 1
    lips[[v for r in cage.bag[:2] for v in r]] = 1
    lips[[61, 291, 76, 306]] = 0.25
    lips[list(UPPER_INNER + LOWER_INNER)] = 1
    inside = lift @ cage.indicator([v for r in cage.bag[2:] for v in r] + [cage.bag_end])
    rims = lift @ cage.indicator([v for eye in cage.eye_rims for r in eye for v in r])
    eyes = np.concatenate([p[list(r)] for r in sides(EYE_RIM, cage.mirror)])
    distance = np.min([np.linalg.norm((points - e) * [1, 1, 0.5], axis=1) for e in eyes], axis=0)
    redness = 0.8 * _around(points, p[1] - [0, 0.1, 0.4], (1.3, 1.0, 1.5)) + 0.3 * _around(
        points, p[199], (1.2, 1, 1.5)
    )
    redness += 0.55 * sum(_around(points, p[v], (2.0, 1.5, 2.2)) for v in (50, 280))
    under = 0.6 * sum(_around(points, p[v] - [0, 0.1, 0], (1.3, 0.45, 1.5)) for v in (230, 450))
    under += 0.5 * sum(_around(points, p[v], (0.5, 0.5, 1)) for v in (243, 463))
    lids = 0.7 * sum(_around(points, p[v], (1.6, 0.45, 1.5)) for v in (27, 257))
    hairs = brows.points.reshape(-1, 7, 3)[:, 3:6].mean(1)
    density = np.zeros(len(points))
    near = (np.abs(points[:, 1] - hairs[:, 1].mean()) < 2.5) & (points[:, 2] > 0)
    density[near] = np.exp(-((points[near, None] - hairs[None]) ** 2).sum(-1) / 0.22**2).sum(1)
    torso = ring > COLLAR_RING - 0.3
    gradual = {
        "lips": lift @ lips, "redness": redness, "under_eye": under, "lid_skin": lids, "brow_shadow": density / 6,
        "scalp": scalp_mask(points), "nostrils": lift @ cage.indicator(cage.nostrils), "lid_rim": rims,
    }  # fmt: skip
    regions = {name: np.clip(mask, 0, 1).astype(np.float16) for name, mask in gradual.items()}
    regions["mouth_bag"] = inside > 0.5
    regions["eye_region"] = (distance < 0.9) & (points[:, 2] > 1.5)
    regions["torso"] = torso
    regions["neck"] = (smoothstep(-4.5, -6.5, points[:, 1]) > 0.5) & (ring > 2) & ~torso
    regions["skin"] = ~torso & ~(inside > 0.5)
    regions["face"] = lift @ cage.indicator(list(range(LANDMARKS))) > 0.5
    return regions
