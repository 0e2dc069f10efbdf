"""Hair of the looks: strands grown from the scalp of the default head (cm inside, metres in the files).

`python -m studio.head.hair` writes `default_hair.npz` (a short cut) and `bob_hair.npz` (to the chin, swept back):
strands (N, K, 3) float16 in the rig's rest frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from erlnet_blender.formats.atomic import atomic_path
from erlnet_blender.formats.head_model import HeadModel, default_head_path

from .skull import height_over_hairline
from .surface import bump, smoothstep, vertex_normals

COUNT = 9000
_MIDDLE = np.array([0.0, 3.0, -4.5])
_ROOT_DEPTH = 0.03


@dataclass(frozen=True)
class Ground:
    """What hair grows on and must not enter: points (V, 3) of skin and ears (cm), normals, triangles of the skin."""

    points: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    tree: cKDTree

    @classmethod
    def of(cls, head: HeadModel) -> Ground:
        """The ground of a head whose file tells its parts."""
        points, normals, skin = [], [], None
        for part in ("skin", "ears"):
            start, end = head.meta["parts"][part]
            faces = head.faces[(head.faces < end).all(1) & (head.faces >= start).all(1)] - start
            points.append(100.0 * head.v_template[start:end].astype(float))
            normals.append(vertex_normals(points[-1], faces))
            skin = faces if part == "skin" else skin
        assert skin is not None
        inside = head.regions["mouth_bag"][: len(points[0])].astype(bool)
        outside = np.concatenate([~inside, np.ones(len(points[1]), bool)])
        together, directions = np.concatenate(points), np.concatenate(normals)
        # Points that hair never meets are moved out of reach, so that indices stay those of the skin.
        return cls(together, directions, skin, cKDTree(np.where(outside[:, None], together, 1e3)))

    def roots(self, density: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """COUNT places (N, 3) on the skin and its normals there, spread as `density` (V,) tells."""
        corner = self.points[self.faces]
        area = 0.5 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
        chance = area * density[self.faces].mean(1)
        triangle = rng.choice(len(self.faces), COUNT, p=chance / chance.sum())
        uv = rng.random((COUNT, 2))
        uv = np.where(uv.sum(1, keepdims=True) > 1, 1 - uv, uv)
        weights = np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1)[..., None]
        corners = self.faces[triangle]
        return (self.points[corners] * weights).sum(1), _unit((self.normals[corners] * weights).sum(1))

    def height(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Height (N,) over the nearest tangent plane, its normal (N, 3), the distance of its vertex (N,)."""
        distance, nearest = self.tree.query(points)
        normal = self.normals[nearest]
        return ((points - self.points[nearest]) * normal).sum(1), normal, distance


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _wobble(points: np.ndarray, wavelength: float, seed: int) -> np.ndarray:
    """(N,) a smooth random field of unit deviation, the sum of eight plane waves."""
    rng = np.random.default_rng(seed)
    waves = _unit(rng.normal(size=(8, 3))) * (2 * np.pi / wavelength) * rng.uniform(0.6, 1.5, (8, 1))
    return np.sin(points @ waves.T + rng.uniform(0, 2 * np.pi, 8)).sum(1) / 2.0


def _azimuth(points: np.ndarray) -> np.ndarray:
    """(N,) degrees from the front round the middle of the skull, both sides alike."""
    return np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] + 4.5))


def _scalp(points: np.ndarray, raggedness: float, recession: float = 0.0) -> np.ndarray:
    """(N,) density of hair: none below the hairline, full 1.2 cm above it, patchy between.

    Args:
        recession: cm by which the hairline stands back beside the forehead's middle.
    """
    over = (
        height_over_hairline(points)
        - recession * bump(_azimuth(points) - 38.0, 11.0)
        + raggedness * (0.6 * _wobble(points, 1.6, 3) + 0.5 * _wobble(points, 0.7, 4))
    )
    near = (points[:, 1] > -8) & (np.linalg.norm(points - [0, 4, -4.5], axis=1) < 13)
    fade = smoothstep(-0.25, 1.0, over)
    return np.where(near, fade**1.3, 0.0)


def _sideburns(points: np.ndarray, end: float) -> np.ndarray:
    """(N,) density of hair in front of the ears down to the height `end`."""
    azimuth = _azimuth(points) + 1.5 * _wobble(points, 0.9, 5)
    across = bump(azimuth - 67.0, 5.5) + 0.5 * bump(azimuth - 60.0, 6.0) * (points[:, 1] > 2.2)
    return across * smoothstep(end, end + 2.5, points[:, 1]) * (points[:, 1] < 6)


def grown(
    ground: Ground,
    root: np.ndarray,
    normal: np.ndarray,
    length: np.ndarray,
    comb: Callable[[np.ndarray, int], np.ndarray],
    clearance: np.ndarray,
    joints: int,
    stiffness: float = 0.6,
    lift: np.ndarray | float = 0.5,
    weight: float = 0.0,
) -> np.ndarray:
    """Strands (N, joints, 3) that leave along the normal and follow the comb, always above the ground.

    Args:
        length: (N,) cm; clearance: (N,) how high over the ground the strand's layer lies at its tip.
        comb: directions (N, 3) wanted at places (N, 3), and the joint's number.
        lift: how much a strand rises at its root; weight: how readily it sinks back to its layer.
    """
    strands = np.zeros((len(root), joints, 3))
    strands[:, 0] = root - _ROOT_DEPTH * normal
    step = (length / (joints - 1))[:, None]
    lift = np.broadcast_to(np.asarray(lift, float), len(root))[:, None]
    direction = _unit(lift * normal + 0.9 * _unit(comb(root, 0)))
    for k in range(1, joints):
        place = strands[:, k - 1] + step * direction
        height, away, distance = ground.height(place)
        wanted = 0.06 + (clearance - 0.06) * (k / (joints - 1)) ** 0.7
        place = place + away * (np.clip(wanted - height, 0, None) * (distance < 3.0))[:, None]
        # Being pushed off the ground must not make a strand longer.
        direction = _unit(place - strands[:, k - 1])
        strands[:, k] = strands[:, k - 1] + step * direction
        wish = _unit(comb(strands[:, k], k))
        height, away, _ = ground.height(strands[:, k])
        # Weight lays hair down: nothing combs it off the head, and what stands above its layer sinks.
        sinking = np.clip(height - wanted, 0, 1.2) * smoothstep(-6.0, 0.0, strands[:, k, 1])
        wish = wish - away * (np.clip((wish * away).sum(1), 0, None) + weight * sinking)[:, None]
        direction = _unit(stiffness * direction + (1 - stiffness) * wish)
    return strands


def _clumped(strands: np.ndarray, clump: np.ndarray, guide: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Draw each strand's tip towards its guide's; `strength` (N,) 0..1."""
    along = np.linspace(0, 1, strands.shape[1]) ** 1.5
    apart = strands - strands[guide[clump]]
    return strands - apart * (strength[:, None] * along)[..., None]


def _clumps(root: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    guide = rng.choice(len(root), count, replace=False)
    return cKDTree(root[guide]).query(root)[1], guide


def _above(ground: Ground, strands: np.ndarray, least: float) -> np.ndarray:
    """The strands with every point but the root at least this high (cm) over the ground."""
    result = strands.copy()
    for k in range(1, strands.shape[1]):
        height, away, distance = ground.height(strands[:, k])
        result[:, k] += away * (np.clip(least - height, 0, None) * (distance < 2.5))[:, None]
    return result


def _cut_where_sunk(ground: Ground, strands: np.ndarray, deepest: float = -0.05) -> np.ndarray:
    """Strands that would enter the head, as behind an ear, end before they do."""
    result, joints = strands.copy(), strands.shape[1]
    sunk = np.zeros(strands.shape[:2], bool)
    for k in range(1, joints):
        height, _, distance = ground.height(strands[:, k])
        sunk[:, k] = (height < deepest) & (distance < 1.5)
    for strand in np.flatnonzero(sunk.any(1)):
        last = max(int(sunk[strand].argmax()) - 1, 1)
        at = np.linspace(0, last, joints)
        result[strand] = np.stack([np.interp(at, np.arange(joints), strands[strand, :, a]) for a in range(3)], 1)
    return result


def short_cut(ground: Ground) -> np.ndarray:
    """Combed to the side on top, short and downwards at the sides, with sideburns and a tapered nape."""
    rng = np.random.default_rng(1)
    density = np.maximum(_scalp(ground.points, 0.5, 0.9), 2.2 * _sideburns(ground.points, -0.8))
    root, normal = ground.roots(density, rng)
    top = smoothstep(5.5, 10.5, root[:, 1] + 0.5 * _wobble(root, 2.5, 6))
    over = np.clip(height_over_hairline(root), 0, 9)
    side = 0.45 + 1.55 * smoothstep(0, 5, over)
    length = (side * (1 - top) + 4.0 * top * (0.62 + 0.38 * smoothstep(0, 2.5, over))) * rng.uniform(0.6, 1.15, COUNT)
    strays = rng.random(COUNT) < 0.025
    length[strays] *= 1.25
    clump, guide = _clumps(root, 700, rng)
    clump_turn, own_turn = 0.26 * rng.normal(size=(700, 3))[clump], 0.10 * rng.normal(size=root.shape)
    own_turn[strays] *= 4
    front = smoothstep(-2.0, 2.5, root[:, 2])[:, None]

    def comb(place: np.ndarray, joint: int) -> np.ndarray:
        # The parting is on the head's left; the fringe is swept up and across, not down the forehead.
        swept = np.array([-0.80, 0.0, -0.32]) + front * np.array([0.05, 0.12, 0.22])
        down = np.array([0, -1.0, -0.50])
        wanted = swept * top[:, None] + down * (1 - top)[:, None] + clump_turn + own_turn
        away = _unit(place - _MIDDLE)
        return _unit(wanted - 0.85 * away * (wanted * away).sum(1, keepdims=True)) - 0.10 * away * (joint > 2)

    clearance = 0.10 + rng.uniform(0.0, 0.25, COUNT) + top * rng.uniform(0.05, 0.75, COUNT)
    strands = grown(ground, root, normal, length, comb, clearance, 7, lift=0.25 + 1.0 * top)
    return _above(ground, _clumped(strands, clump, guide, rng.uniform(0.1, 0.55, COUNT) * ~strays * top), 0.03)


def bob(ground: Ground) -> np.ndarray:
    """To the chin, swept back from the forehead and over the ears, parted on the head's right."""
    rng = np.random.default_rng(7)
    density = np.maximum(_scalp(ground.points, 0.35), 0.5 * _sideburns(ground.points, 1.2))
    root, normal = ground.roots(density, rng)
    parting = -2.0
    azimuth = _azimuth(root)
    # All ends near one level: strands from higher up are longer.
    level = np.interp(azimuth, [0, 60, 110, 180], [-6.8, -6.6, -7.2, -8.2])
    level = level + 0.7 * _wobble(root, 3.0, 8)
    arc = np.abs(root[:, 1] - level) + 4.2 * smoothstep(6.0, 12.0, root[:, 1]) + 3.0 * smoothstep(80, 30, azimuth)
    layer = rng.random(COUNT)
    length = np.clip(arc, 1.2, 21.0) * (1 - 0.16 * layer**2) * rng.uniform(0.90, 1.04, COUNT)
    strays = rng.random(COUNT) < 0.03
    clump, guide = _clumps(root, 420, rng)
    clump_turn, own_turn = 0.10 * rng.normal(size=(420, 3))[clump], 0.05 * rng.normal(size=root.shape)
    own_turn[strays] *= 4
    side = np.where(root[:, 0] > parting, 1.0, -1.0)[:, None]

    def comb(place: np.ndarray, joint: int) -> np.ndarray:
        high = smoothstep(5.0, 10.5, place[:, 1])[:, None]
        before = smoothstep(-5.0, 0.0, place[:, 2])[:, None]
        over = np.concatenate([0.75 * side, np.zeros_like(side), np.full_like(side, -0.75)], 1)
        down = np.array([0, -1.0, 0.0]) + before * np.array([0, 0.15, -0.80])
        wanted = over * high + down * (1 - high) + clump_turn + own_turn
        away = _unit((place - _MIDDLE) * [1, 0.6, 1])
        # The ends turn in towards the neck.
        turned_in = smoothstep(-3.5, -7.5, place[:, 1])[:, None] * np.array([1.0, 0, 1.0])
        return _unit(wanted) - 0.55 * away * turned_in

    clearance = 0.15 + 1.35 * layer + 0.3 * strays
    strands = grown(ground, root, normal, length, comb, clearance, 14, 0.5, 0.30 + 0.4 * layer, 1.0)
    strands = _above(ground, _clumped(strands, clump, guide, rng.uniform(0.15, 0.6, COUNT) * ~strays), 0.04)
    return _cut_where_sunk(ground, strands)


STYLES = {"default_hair": short_cut, "bob_hair": bob}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studio.head.hair", description=__doc__)
    parser.add_argument("styles", nargs="*", default=list(STYLES), help=f"of {', '.join(STYLES)}; by default all")
    parser.add_argument("-o", "--output", type=Path, default=default_head_path().parent, help="folder")
    arguments = parser.parse_args()
    head = HeadModel.load(default_head_path())
    ground = Ground.of(head)
    for style in arguments.styles:
        strands = STYLES[style](ground)
        output = arguments.output / f"{style}.npz"
        with atomic_path(output) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, strands=(strands / 100).astype(np.float16), head_id=np.array(head.id))
        count, joints, _ = strands.shape
        print(f"{output.name}: {count} strands of {joints} points, {output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
