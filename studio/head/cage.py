"""The control mesh of the skin: face, nostrils, lid rims, mouth bag, skull, neck and torso in one piece (cm)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from scipy.spatial import cKDTree

from .face import EYE_RADIUS, NeutralFace, sides
from .landmarks import LANDMARKS, MeanFace
from .rings import EYE_RIM, MOUTH_RIM, NOSTRIL, NOSTRIL_TRIANGLES
from .sculpt import formed
from .skull import SKULL_RINGS, SPOKES, skull_rings, torso_rings
from .surface import averaging

# Rings of the mouth bag behind the lips, upper and lower half: depth, spread up or down; then width, and how much the
# ring is a box that has room for the dental arches. The first ones go inward in x, or they would poke through the cheek
# at the corners; the next ones make the vestibule between lips and gums.
_BAG = (
    (0.28, 0.28, 0.03, 0.03, 0.97, 0.0), (0.52, 0.60, 0.25, 0.25, 1.01, 0.0), (0.52, 0.92, 1.25, 1.15, 1.04, 0.1),
    (1.00, 1.30, 1.80, 1.75, 1.26, 0.5), (2.40, 2.60, 2.05, 2.05, 1.44, 0.9), (4.50, 4.60, 2.10, 2.15, 1.52, 1.0),
    (6.80, 6.80, 1.60, 1.70, 1.15, 1.0),
)  # fmt: skip
_BOX_POWER = 0.35


@dataclass(frozen=True)
class Cage:
    """Vertices 0..467 are MediaPipe's landmarks.

    points (V, 3); faces (F, 3); mirror (V,); rings: the outline of the face and all rings behind and below it;
    eye_rims: for left and right eye, rings of 16 from the margin inwards; bag: rings of 20 from the lips inwards;
    bag_end: the vertex that closes it; nostrils: vertices inside the nose.
    """

    points: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    rings: list[list[int]]
    eye_rims: tuple[list[list[int]], list[list[int]]]
    bag: list[list[int]]
    bag_end: int
    nostrils: list[int]
    neutral: NeutralFace

    def indicator(self, vertices: list[int], value: float = 1.0) -> np.ndarray:
        """(V,) `value` at the vertices, 0 elsewhere."""
        mask = np.zeros(len(self.points))
        mask[vertices] = value
        return mask


class _Builder:
    """Collects vertices and triangles while the openings of the face are extruded."""

    def __init__(self, points: np.ndarray, faces: np.ndarray) -> None:
        self.points = list(points)
        self.faces = [tuple(t) for t in faces.tolist()]

    def add_ring(self, points: np.ndarray) -> list[int]:
        start = len(self.points)
        self.points += list(points)
        return list(range(start, len(self.points)))

    def at(self, ring: list[int] | tuple) -> np.ndarray:
        return np.array([self.points[v] for v in ring])

    def join(self, rings: list[list[int]], cap: int | None = None) -> None:
        """Strips between following rings, wound to fit the triangle that already borders the first one."""
        new = []
        for outer, inner in zip(rings, rings[1:], strict=False):
            count = len(outer)
            for k in range(count):
                a, b, c, d = outer[k], outer[(k + 1) % count], inner[(k + 1) % count], inner[k]
                new += [(a, b, c), (a, c, d)] if k % 2 == 0 else [(a, b, d), (b, c, d)]
        if cap is not None:
            last = rings[-1]
            new += [(last[k], last[(k + 1) % len(last)], cap) for k in range(len(last))]
        edge = rings[0][0], rings[0][1]
        if any(edge in ((a, b), (b, c), (c, a)) for a, b, c in self.faces):
            new = [t[::-1] for t in new]
        self.faces += new


def build_cage(mean: MeanFace, neutral: NeutralFace) -> Cage:
    """Extrude the face's openings, add skull and torso, fair the seam."""
    mirror = mean.mirror
    holes = [set(t) for t in NOSTRIL_TRIANGLES] + [{int(mirror[v]) for v in t} for t in NOSTRIL_TRIANGLES]
    kept = np.array([t for t in mean.triangles.tolist() if set(t) not in holes])
    builder = _Builder(neutral.points, kept)
    nostrils = [v for ring in sides(NOSTRIL, mirror) for v in _extrude_nostril(builder, list(ring))]
    rims = tuple(
        _extrude_lid_rim(builder, list(ring), centre)
        for ring, centre in zip(sides(EYE_RIM, mirror), neutral.eye_centres, strict=True)
    )
    bag, bag_end = _extrude_bag(builder, neutral.stomion[1])
    rings = [mean.oval.tolist()]
    rings += [builder.add_ring(ring) for ring in skull_rings(builder.at(rings[0])) + torso_rings()]
    builder.join(rings)
    points, faces = np.array(builder.points), np.array(builder.faces)
    distance, across = cKDTree(points).query(points * [-1, 1, 1])
    across[:LANDMARKS] = mirror
    # The closed lips nearly coincide, so that the nearest vertex may be the wrong lip's: mirror rings by index.
    for ring in bag[1:]:
        across[ring] = [ring[(10 - k) % 20] for k in range(20)]
    if (across[across] != np.arange(len(points))).any():
        raise ValueError(f"the cage is not symmetric (distance {distance.max():.3f} cm)")
    points = 0.5 * (points + points[across] * [-1, 1, 1])
    points = formed(_fair_seam(points, faces, rings))
    return Cage(points, faces, across, rings, rims, bag, bag_end, nostrils, neutral)


def _extrude_nostril(builder: _Builder, ring: list[int]) -> list[int]:
    points = builder.at(ring)
    centre = points.mean(0)
    points = centre + (points - centre) * 1.12
    for vertex, point in zip(ring, points, strict=True):
        builder.points[vertex] = point
    inner = [
        builder.add_ring(centre + (points - centre) * scale + np.array(shift))
        for scale, shift in ((0.94, (0, 0.16, -0.03)), (0.9, (0, 0.55, -0.15)), (0.6, (0, 1.0, -0.3)))
    ]
    end = builder.add_ring(builder.at(inner[-1]).mean(0)[None])
    builder.join([ring, *inner], end[0])
    return [v for r in inner for v in r] + end


def _extrude_lid_rim(builder: _Builder, ring: list[int], centre: np.ndarray) -> list[list[int]]:
    """The lid's thickness, then a strip that goes on behind it along the ball."""
    points = builder.at(ring)
    middle = points.mean(0)

    def at_radius(radius: float, widen: float) -> np.ndarray:
        offset = middle + (points - middle) * widen - centre
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        return centre + offset / length * np.where(length > radius + 0.45, radius + 0.2, radius)

    r = EYE_RADIUS
    rims = [ring] + [builder.add_ring(at_radius(*a)) for a in ((r + 0.02, 0.97), (r - 0.03, 1.12), (r - 0.25, 1.45))]
    builder.join(rims)
    return rims


def _extrude_bag(builder: _Builder, height: float) -> tuple[list[list[int]], int]:
    rim: list[int] = list(MOUTH_RIM)
    points = builder.at(rim)
    angle = np.pi * np.arange(20) / 10
    across, up = -np.cos(angle), np.sin(angle)
    upper = up > -1e-9
    profile = np.sign(up) * np.abs(up) ** 0.5
    box_x, box_y = (np.sign(c) * np.abs(np.round(c, 9)) ** _BOX_POWER for c in (across, up))
    half_width = np.abs(points[:, 0]).max()
    bag: list[list[int]] = [rim]
    for depth_up, depth_low, spread_up, spread_low, width, box in _BAG:
        ring = points.copy()
        spread = np.where(upper, spread_up, spread_low)
        ring[:, 0] = width * (points[:, 0] * (1 - box) + half_width * box_x * box)
        ring[:, 1] = points[:, 1] * (1 - box) + height * box + spread * (profile * (1 - box) + box_y * box)
        ring[:, 2] -= np.where(upper, depth_up, depth_low)
        bag.append(builder.add_ring(ring))
    end = builder.add_ring(builder.at(bag[-1]).mean(0)[None])[0]
    builder.join(bag, end)
    return bag, end


def _fair_seam(points: np.ndarray, faces: np.ndarray, rings: list[list[int]]) -> np.ndarray:
    """Smooth the crossing from face to skull: minimise |L x|^2 + mu |x - x0|^2, with mu large far from the seam."""
    laplacian = (averaging(faces, len(points)) - sp.eye(len(points))).tocsr()
    neighbours = laplacian.indices, laplacian.indptr
    outline = set(rings[0])

    def ring_inside(ring: set[int], excluded: set[int]) -> set[int]:
        found = {int(q) for v in ring for q in neighbours[0][neighbours[1][v] : neighbours[1][v + 1]]}
        return {q for q in found if q < LANDMARKS} - excluded

    first = ring_inside(outline, outline)
    second = ring_inside(first, outline | first)
    hold = np.full(len(points), 1e4)
    for ring, mu in zip(rings[:8], (0.012, 0.004, 0.004, 0.006, 0.012, 0.03, 0.06, 0.15), strict=True):
        hold[ring] = mu
    for ring in rings[8:]:
        hold[ring] = 3.0
    # Nor flatten the crown.
    for k, ring in enumerate(rings[2:8], 2):
        hold[ring[:8] + ring[-7:]] = 0.02 * k
    # The floor of the mouth, seen from below, is one even sheet.
    for ring in rings[3:15]:
        hold[ring[SPOKES // 2 - 5 : SPOKES // 2 + 6]] = 0.02
    lateral = np.abs(points[:, 0]) > 2.0
    for v in first:
        hold[v] = 0.02 if lateral[v] else 0.25
    for v in second:
        hold[v] = 0.12 if lateral[v] and points[v, 1] < 7 else 1e4
    # Fairing must not eat the chin (spoke 18 of the outline).
    for spoke in range(12, 25):
        hold[rings[0][spoke]] = max(0.02, 0.5 * np.exp(-(((spoke - SPOKES // 2) / 4.0) ** 2)))
    active = sorted({v for ring in rings[:16] for v in ring} | first | second)
    rows = sp.csr_matrix(laplacian[active])
    faired = sla.splu(sp.csc_matrix(rows.T @ rows + sp.diags(hold))).solve(hold[:, None] * points)
    for _ in range(3):
        for ring in rings[SKULL_RINGS - 7 :]:
            faired[ring] += 0.15 * (laplacian @ faired)[ring]
    return faired
