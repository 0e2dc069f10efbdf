"""The default hair: short strands grown from the scalp of the default head (cm inside, metres in the file).

`python -m studio.head.hair` writes `default_hair.npz`: strands (N, K, 3) float16 in the rig's rest frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from erlnet_blender.formats.atomic import atomic_path
from erlnet_blender.formats.head_model import HeadModel, default_head_path

from .skull import height_over_hairline
from .surface import smoothstep, vertex_normals

COUNT = 9000
POINTS = 7
CLUMPS = 900
_CROWN = np.array([0.0, 4.0, -4.5])


def _roots(points: np.ndarray, faces: np.ndarray, density: np.ndarray, rng: np.random.Generator):
    corner = points[faces]
    area = 0.5 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    chance = area * density[faces].mean(1)
    triangle = rng.choice(len(faces), COUNT, p=chance / chance.sum())
    uv = rng.random((COUNT, 2))
    uv = np.where(uv.sum(1, keepdims=True) > 1, 1 - uv, uv)
    return faces[triangle], np.concatenate([1 - uv.sum(1, keepdims=True), uv], 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def grow(points: np.ndarray, faces: np.ndarray, scalp: np.ndarray) -> np.ndarray:
    """Strands (COUNT, POINTS, 3), combed to the side on top and down at the sides, clumped, above the scalp (cm)."""
    rng = np.random.default_rng(1)
    normals = vertex_normals(points, faces)
    corners, weights = _roots(points, faces, np.clip(scalp, 0, 1) ** 1.5, rng)
    root = (points[corners] * weights[..., None]).sum(1)
    normal = _unit((normals[corners] * weights[..., None]).sum(1))
    top = smoothstep(6.0, 11.0, root[:, 1])
    over = np.clip(height_over_hairline(root), 0, 9)
    length = ((0.5 + 1.3 * smoothstep(0, 4, over)) * (1 - top) + 4.2 * top) * rng.uniform(0.65, 1.2, COUNT)
    # Side part on the head's left: the top sweeps to the right, at the front also forwards.
    comb_top = np.array([-0.68, 0, -0.25]) + (root[:, 2] > -1)[:, None] * np.array([0, 0, 0.35])
    comb = comb_top * top[:, None] + np.array([0, -1.0, -0.45]) * (1 - top)[:, None]
    _, clump = cKDTree(root[rng.choice(COUNT, CLUMPS)]).query(root)
    comb = comb + 0.28 * rng.normal(size=(CLUMPS, 3))[clump] + 0.13 * rng.normal(size=root.shape)
    comb = _unit(comb - normal * (comb * normal).sum(1, keepdims=True))
    strands = np.zeros((COUNT, POINTS, 3))
    strands[:, 0] = root - 0.03 * normal
    direction = _unit(normal * (top + 0.5)[:, None] + 0.9 * comb)
    for k in range(1, POINTS):
        strands[:, k] = strands[:, k - 1] + direction * (length / (POINTS - 1))[:, None]
        outwards = _unit(strands[:, k] - _CROWN)
        direction = _unit(0.75 * direction + 0.42 * comb - 0.16 * outwards + [0, -0.08, 0])
    tree = cKDTree(points)
    for k in range(2, POINTS):
        distance, nearest = tree.query(strands[:, k])
        height = ((strands[:, k] - points[nearest]) * normals[nearest]).sum(1)
        lift = np.clip(0.08 + 0.05 * k / POINTS - height, 0, None) * (distance < 2.5)
        strands[:, k] += normals[nearest] * lift[:, None]
    return strands


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m studio.head.hair", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=default_head_path().with_name("default_hair.npz"))
    output = parser.parse_args().output
    head = HeadModel.load(default_head_path())
    start, end = head.meta["parts"]["skin"]
    faces = head.faces[(head.faces < end).all(1) & (head.faces >= start).all(1)]
    strands = grow(100.0 * head.v_template[start:end], faces, head.regions["scalp"][start:end].astype(float))
    with atomic_path(output) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, strands=(strands / 100).astype(np.float16), head_id=np.array(head.id))
    print(f"{output.name}: {len(strands)} strands of {POINTS} points, {output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
