"""An ear as a polar height field (cm): helix, antihelix, concha, tragus and lobe are ridges and bowls.

Its rim turns back and runs into the head over a fillet: where a spoke of the ear meets the skin, a curve leads from the
ear to a place on the skin beside it, so that no joint shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from .surface import bump, smoothstep

AROUND = 48
_OUTLINE = (
    (0, 30, 60, 90, 120, 150, 180, 205, 230, 270, 310, 340),
    (3.10, 3.2, 2.95, 2.5, 2.15, 2.30, 2.85, 2.70, 1.75, 1.15, 1.55, 2.5),
)
# The back of the ear: how far it draws together, and how deep it lies.
_BACK = ((1.0, -0.20), (0.97, -0.40), (0.86, -0.58), (0.70, -0.85), (0.58, -1.2), (0.5, -1.8))
_FILLET = (0.0, 0.25, 0.5, 0.75, 1.0)
_SPREAD = 0.42  # how far on the skin the fillet reaches
ORIGIN = (0.85, -4.35)  # height and depth of the ear's middle


@dataclass(frozen=True)
class Ears:
    """points (2N, 3) of the left and the right ear, faces (M, 3); free (2N,) 0 where it lies on the head, 1 off it."""

    points: np.ndarray
    faces: np.ndarray
    free: np.ndarray


def _window(degrees: np.ndarray, start: float, end: float, softness: float) -> np.ndarray:
    """About 1 from `start` to `end` (degrees, may pass 360), 0 elsewhere."""
    middle = (start + end) / 2 if end > start else (start + end + 360) / 2
    half = ((end - start) % 360) / 2
    away = np.abs((degrees - middle + 180) % 360 - 180)
    return 1 / (1 + np.exp((away - half) / softness))


def _relief(u: float, degrees: np.ndarray, back: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Height of the ear's face at radius `u` (0..1 of the outline)."""
    helix, antihelix = _window(degrees, 292, 150, 11), _window(degrees, 20, 195, 10)
    height = (0.44 * bump(u - 0.92, 0.085) - 0.16 * bump(u - 0.775, 0.065)) * helix
    height += 0.36 * bump(u - 0.59, 0.105) * antihelix
    height -= 0.16 * bump(np.hypot(back - 0.50, up - 1.75), 0.38)  # triangular fossa
    height -= 0.80 * np.exp(-(np.hypot((back - 0.12) / 0.80, (up + 0.05) / 0.88) ** 3.2))  # concha
    height -= 0.30 * np.exp(-(np.hypot((back - 0.35) / 0.8, (up - 0.75) / 0.45) ** 2.5))
    crus = 0.26 * bump(up - 0.42 - 0.25 * (back + 0.6), 0.16)
    height += crus / (1 + np.exp((back - 0.25) / 0.12)) * (back > -1.2)
    height += 0.50 * bump(np.hypot((back + 0.80) / 0.38, (up + 0.26) / 0.52), 1.0)  # tragus
    height += 0.30 * bump(np.hypot((back - 0.35) / 0.42, (up + 1.05) / 0.3), 1.0)  # antitragus
    height += 0.20 * bump(np.hypot((back + 0.05) / 0.75, (up + 2.0) / 0.65), 1.0)  # lobe
    return height - 0.22 * np.clip((u - 0.93) / 0.07, 0, 1) ** 2


def _free_rings() -> np.ndarray:
    """(R, AROUND, 3) rings as back, up, outwards: the ear's face from its middle to the rim, then its back."""
    degrees = np.arange(AROUND) * 360 / AROUND
    angle = np.radians(degrees)
    keys, values = (np.array(a, float) for a in _OUTLINE)
    outline = CubicSpline(np.r_[keys, 360], np.r_[values, values[0]], bc_type="periodic")(degrees)
    rings = []
    for u in np.concatenate([np.linspace(0.06, 0.66, 8), np.linspace(0.73, 1.0, 9)]):
        back, up = np.sin(angle) * outline * u, np.cos(angle) * outline * u
        rings.append(np.stack([back, up, _relief(u, degrees, back, up)], 1))
    for scale, depth in _BACK:
        rings.append(
            np.stack([np.sin(angle) * outline * scale, np.cos(angle) * outline * scale, np.full(AROUND, depth)], 1)
        )
    rings = np.array(rings)
    rings[..., 2] += 0.035 * rings[..., 0] ** 2 - 0.02 * np.clip(rings[..., 1], 0, None) ** 2
    return rings


def _placed(rings: np.ndarray, origin: np.ndarray, flare_deg: float, tilt_deg: float, scale: float) -> np.ndarray:
    f, t = np.radians(flare_deg), np.radians(tilt_deg)
    back, outwards, up = (
        np.array([np.sin(f), 0, -np.cos(f)]),
        np.array([np.cos(f), 0, np.sin(f)]),
        np.array([0, 1.0, 0]),
    )
    leaning_back, leaning_up = np.cos(t) * back + np.sin(t) * up, -np.sin(t) * back + np.cos(t) * up
    return origin + scale * rings @ np.stack([leaning_back, leaning_up, outwards])


class _Skin:
    """The side of the head under an ear: heights over it and the nearest places on it."""

    def __init__(self, points: np.ndarray, normals: np.ndarray) -> None:
        side = points[:, 0] > 3
        self.points, self.normals = points[side], normals[side]
        self.tree = cKDTree(self.points)

    def foot(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nearest places (N, 3) on a smooth local fit of the skin, and its normals there (N, 3)."""
        distance, near = self.tree.query(places, k=12)
        weight = np.exp(-((distance / np.maximum(distance[:, 3:4], 0.4)) ** 2))[..., None]
        weight /= weight.sum(1, keepdims=True)
        normal = (weight * self.normals[near]).sum(1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        # Each neighbour's tangent plane says how high the place lies; they agree on a smooth surface.
        height = ((places[:, None] - self.points[near]) * self.normals[near]).sum(-1)
        height = (weight[..., 0] * height).sum(1)
        return places - height[:, None] * normal, normal

    def height(self, places: np.ndarray) -> np.ndarray:
        foot, normal = self.foot(places)
        return ((places - foot) * normal).sum(1)


def _grown_in(rings: np.ndarray, skin: _Skin) -> tuple[np.ndarray, np.ndarray]:
    """Bend the rings behind the rim over a fillet onto the skin; also (R, AROUND) 0 on the skin, 1 free."""
    faces = len(rings) - len(_BACK)
    heights = np.array([skin.height(ring) for ring in rings])
    middle = rings[faces - 1].mean(0)
    fillet, last = [], []
    for spoke in range(AROUND):
        line, height = rings[faces - 3 :, spoke], heights[faces - 3 :, spoke]
        crossing = int(np.argmax(height < 0.02)) if (height < 0.02).any() else len(line) - 1
        crossing = max(crossing, 1)
        a, b = height[crossing - 1], height[crossing]
        t = np.clip((a - 0.02) / max(a - b, 1e-6), 0, 1)
        place = line[crossing - 1] * (1 - t) + line[crossing] * t
        fillet.append(place)
        last.append(crossing)
    ground, normal = skin.foot(np.array(fillet))
    for _ in range(3):
        ground = 0.5 * ground + 0.25 * (np.roll(ground, 1, 0) + np.roll(ground, -1, 0))
    ground, normal = skin.foot(ground)
    away = ground - middle
    away -= (away * normal).sum(1, keepdims=True) * normal
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    end, end_normal = skin.foot(ground + _SPREAD * away)
    end -= 0.02 * end_normal
    grown, free = list(rings[: faces - 2]), [np.ones(AROUND)] * (faces - 2)
    start = np.empty_like(ground)
    tail = []
    for spoke in range(AROUND):
        line = rings[faces - 3 :, spoke][: last[spoke]]
        line = np.concatenate([line, ground[spoke][None]])
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
        stop = max(length[-1] - _SPREAD, 0.35 * length[-1])
        at = np.linspace(0, stop, 6)
        tail.append(np.stack([np.interp(at, length, line[:, k]) for k in range(3)], 1)[1:])
        start[spoke] = tail[-1][-1]
    grown += list(np.stack(tail, 1))
    free += [np.ones(AROUND)] * 5
    for t in _FILLET[1:]:
        grown.append((1 - t) ** 2 * start + 2 * t * (1 - t) * ground + t**2 * end)
        free.append(np.full(AROUND, 1 - t))
    return np.array(grown), np.array(free)


def sunk_under_ears(points: np.ndarray) -> np.ndarray:
    """(V', 3) the skin with hollows where the ears' bowls will lie, or it would show in them."""
    under = np.hypot((points[:, 1] - ORIGIN[0] - 0.1) / 1.0, (points[:, 2] - ORIGIN[1] + 0.35) / 0.8)
    depth = 0.75 * bump(under, 1.0) * (np.abs(points[:, 0]) > 3)
    return points - depth[:, None] * np.sign(points[:, :1]) * [1, 0, 0]


def placed_ears(
    points: np.ndarray, normals: np.ndarray, flare_deg: float = 12, tilt_deg: float = -12, scale: float = 0.90
) -> Ears:
    """Both ears, grown onto the skin (V', 3) with its normals."""
    skin = _Skin(points, normals)
    guess = np.array([[9.0, *ORIGIN]])
    origin = skin.foot(guess)[0][0] + np.array([0.36, 0, 0])
    origin[1:] = ORIGIN
    rings, free = _grown_in(_placed(_free_rings(), origin, flare_deg, tilt_deg, scale), skin)
    left = np.concatenate([rings.reshape(-1, 3), rings[0].mean(0)[None]])
    free = np.r_[free.ravel(), 1.0] * smoothstep(0.05, 0.7, skin.height(left))
    faces = []
    for i in range(len(rings) - 1):
        for j in range(AROUND):
            a, b = i * AROUND + j, i * AROUND + (j + 1) % AROUND
            c, d = b + AROUND, a + AROUND
            faces += [(a, b, c), (a, c, d)]
    faces += [(len(left) - 1, (j + 1) % AROUND, j) for j in range(AROUND)]
    one = np.array(faces)
    return Ears(
        np.concatenate([left, left * [-1, 1, 1]]), np.concatenate([one, one[:, ::-1] + len(left)]), np.r_[free, free]
    )
