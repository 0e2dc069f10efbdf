"""A head in FLAME's format of a few hundred vertices, made from rings: enough for the renderer's tests."""

from __future__ import annotations

import numpy as np

from erlnet_blender.formats.head_model import PARENTS, HeadModel


def lathe(profile: list[tuple[float, float]], around: int) -> tuple[np.ndarray, np.ndarray]:
    """Rings of (radius, height) joined to an outward-facing closed surface."""
    angle = 2 * np.pi * np.arange(around) / around
    rings = [np.stack([r * np.sin(angle), np.full(around, y), r * np.cos(angle)], 1) for r, y in profile]
    faces = []
    for ring in range(len(profile) - 1):
        for k in range(around):
            a, b = ring * around + k, ring * around + (k + 1) % around
            c, d = a + around, b + around
            faces += [(a, b, d), (a, d, c)]
    return np.concatenate(rings), np.array(faces)


def ball(radius: float, centre: tuple[float, float, float], around: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of rings."""
    tilt = np.linspace(-np.pi / 2 + 0.05, np.pi / 2 - 0.05, around // 2 + 1)
    vertices, faces = lathe([(radius * np.cos(t), radius * np.sin(t)) for t in tilt], around)
    return vertices + np.asarray(centre), faces


def rough_head() -> HeadModel:
    """An egg on a neck on a cone, with eyeballs and a tooth ball, one expression, a jaw and eyelids."""
    heights = np.linspace(-0.30, 0.115, 34)
    shoulder = np.interp(heights, [-0.30, -0.17, -0.15], [0.16, 0.09, 0.055])
    skull = np.sqrt(np.clip(1 - ((heights - 0.01) / 0.11) ** 2, 0.004, 1)) * 0.085
    radius = np.where(heights > -0.07, np.maximum(skull, 0.01), np.maximum(shoulder, 0.055))
    skin, faces = lathe(list(zip(radius, heights, strict=True)), 32)
    pieces, triangles, names = [skin], [faces], ["skin"] * len(skin)
    for x in (0.032, -0.032):
        vertices, more = ball(0.013, (x, 0.03, 0.075))
        triangles.append(more + len(names))
        pieces.append(vertices)
        names += ["eyeballs"] * len(vertices)
    vertices, more = ball(0.014, (0.0, -0.045, 0.062))
    triangles.append(more + len(names))
    pieces.append(vertices)
    names += ["teeth"] * len(vertices)
    place, label = np.concatenate(pieces), np.array(names)
    count = len(place)
    head_share = np.clip((place[:, 1] + 0.15) / 0.07, 0, 1)
    jaw = np.clip((-0.02 - place[:, 1]) / 0.03, 0, 1) * np.clip(place[:, 2] / 0.03, 0, 1) * (head_share > 0.99)
    jaw[label != "skin"] = 0
    weights = np.zeros((count, 5))
    weights[:, 0], weights[:, 1], weights[:, 2] = 1 - head_share, head_share - jaw, jaw
    for joint, sign in ((3, 1), (4, -1)):
        eye = (label == "eyeballs") & (sign * place[:, 0] > 0)
        weights[eye] = np.eye(5)[joint]
    expressions = np.zeros((count, 3, 2))
    cheek = np.exp(-((np.linalg.norm(place - [0.05, -0.02, 0.07], axis=1) / 0.02) ** 2))
    expressions[:, :, 0] = (cheek * (label == "skin"))[:, None] * [0.008, 0.0, 0.004]
    brow = np.exp(-((np.linalg.norm(place - [0.0, 0.06, 0.08], axis=1) / 0.02) ** 2))
    expressions[:, 1, 1] = brow * (label == "skin") * 0.01
    lids = np.zeros((2, count, 3))
    regressor = np.zeros((5, count))
    for joint, target in enumerate(
        [(0, -0.2, 0), (0, -0.11, -0.02), (0, 0, 0), (0.032, 0.03, 0.075), (-0.032, 0.03, 0.075)]
    ):
        rows = np.concatenate([place[::7].T, np.ones((1, len(place[::7])))])
        regressor[joint, ::7] = np.linalg.lstsq(rows, np.array([*target, 1.0]), rcond=None)[0]
    return HeadModel(
        v_template=place,
        faces=np.concatenate(triangles),
        shapedirs=np.zeros((count, 3, 1)),
        expressiondirs=expressions,
        posedirs=np.zeros((36, 3 * count)),
        J_regressor=regressor,
        weights=weights,
        parents=np.array(PARENTS),
        eyelids=lids,
        regions={
            "skin": label == "skin",
            "eyeballs": label == "eyeballs",
            "teeth": label == "teeth",
            "neck": (head_share > 0) & (head_share < 1),
            "scalp": np.clip((place[:, 1] - 0.05) / 0.03, 0, 1) * (label == "skin"),
        },
        meta={"id": "rough", "name": "rough", "expression_names": ["cheek", "brow_inner_up"]},
    )
