"""The default head as somebody else would have built it: other triangles, another person's shape, nothing named.

Its surface is the default head's own, simplified by collapsing edges, so that where each point of the default head
lies on it is known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from erlnet_blender.formats.head_model import HeadModel


def collapsed(triangles: np.ndarray, vertices: np.ndarray, part: np.ndarray, rounds: int, seed: int):
    """(V', V) means of merged vertices and the triangles that are left; only vertices of one part (V,) merge."""
    random = np.random.default_rng(seed)
    owner, triangles = np.arange(len(vertices)), triangles.copy()
    place = vertices.copy()
    for _ in range(rounds):
        edges = np.unique(np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
        length = np.linalg.norm(place[edges[:, 0]] - place[edges[:, 1]], axis=1)
        edges = edges[(length < 0.012) & (part[edges[:, 0]] == part[edges[:, 1]])]
        free, target = np.ones(len(vertices), bool), np.arange(len(vertices))
        neighbours: dict[int, set[int]] = {}
        for a, b, c in triangles.tolist():
            for v, others in ((a, (b, c)), (b, (c, a)), (c, (a, b))):
                neighbours.setdefault(v, set()).update(others)
        for a, b in edges[random.permutation(len(edges))].tolist():
            if free[a] and free[b] and len(neighbours[a] & neighbours[b]) <= 2:
                target[b] = a
                place[a] = (place[a] + place[b]) / 2
                free[[a, b, *neighbours[a], *neighbours[b]]] = False
        owner, triangles = target[owner], target[triangles]
        a, b, c = triangles.T
        triangles = triangles[(a != b) & (b != c) & (c != a)]
    kept, rows = np.unique(owner, return_inverse=True)
    means = np.zeros((len(kept), len(vertices)), np.float32)
    means[rows, np.arange(len(vertices))] = 1
    means /= means.sum(1, keepdims=True)
    return means, np.searchsorted(kept, triangles)


def remeshed(head: HeadModel, person: bool = True, rounds: int = 5, seed: int = 0) -> HeadModel:
    """The skin and the eyeballs of `head` in other triangles, with all its bases but no names, landmarks or UV.

    Args:
        person: whether it is somebody else: larger, with another jaw and nose, off by a centimetre.
    """
    mouth = head.regions["mouth_bag"] | (head.regions["nostrils"] > 0.5)
    eyes = head.regions["eyeballs"]
    used = np.flatnonzero((head.regions["skin"] | eyes) & ~head.regions["ears"])
    new = np.full(len(head.v_template), -1)
    new[used] = np.arange(len(used))
    triangles = new[head.faces[(new[head.faces] >= 0).all(1)]]
    part = (eyes * 2 + mouth + 4 * (head.weights[:, 2] > 0.5))[used]
    means, triangles = collapsed(triangles, head.v_template[used].astype(float), part, rounds, seed)
    template = means @ head.v_template[used]
    joints = head.J_regressor.astype(float) @ head.v_template
    move = other_person if person else (lambda points: points)
    bases = np.concatenate([head.shapedirs, head.expressiondirs], 2)
    moved, moved_joints = move(template), move(joints)
    # The least regressor that gives these joints, and does not let them move with the bases.
    flat = (means @ bases[used].reshape(len(used), -1)).reshape(len(means), -1)
    system = np.concatenate([moved, np.ones((len(means), 1)), flat], 1).T.astype(float)
    follow = (head.J_regressor @ bases.reshape(len(head.v_template), -1)).T
    goal = np.concatenate([moved_joints.T, np.ones((1, 5)), follow])
    posedirs = head.posedirs.reshape(36, -1, 3)[:, used]
    return replace(
        head,
        v_template=moved,
        faces=triangles,
        shapedirs=flat.reshape(len(means), 3, -1)[..., : head.shapedirs.shape[-1]],
        expressiondirs=flat.reshape(len(means), 3, -1)[..., head.shapedirs.shape[-1] :],
        posedirs=np.einsum("wv,pvc->pwc", means, posedirs).reshape(36, -1),
        J_regressor=np.linalg.lstsq(system, goal, rcond=None)[0].T,
        weights=means @ head.weights[used],
        eyelids=None if head.eyelids is None else np.einsum("wv,evc->ewc", means, head.eyelids[:, used]),
        uv=None,
        uv_faces=None,
        landmark_faces=None,
        landmark_bary=None,
        regions={},
        meta={"id": f"remeshed-{seed}-{person}", "name": "Remeshed"},
    )


def other_person(points: np.ndarray) -> np.ndarray:
    """Smooth and invertible: 5 % larger, a wider jaw, a longer nose turned up, off by a centimetre."""
    x, y, z = points.T
    jaw = np.exp(-(((y + 0.07) / 0.035) ** 2)) * np.clip(z / 0.03 + 1, 0, 1)
    nose = np.exp(-((x / 0.014) ** 2 + ((y + 0.012) / 0.016) ** 2 + ((z - 0.07) / 0.03) ** 2))
    moved = np.stack([x * (1 + 0.08 * jaw), y + 0.003 * nose - 0.004 * jaw, z + 0.005 * nose + 0.003 * jaw], 1)
    return 1.05 * moved + [0.002, 0.012, -0.008]
