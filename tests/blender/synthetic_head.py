"""A small head in FLAME's format with every kind of offset non-zero, for tests that need no shipped head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from erlnet_blender.formats.head_model import HeadModel

EXPRESSIONS = ["mouth_close", "smile_L", "smile_R", "pucker", "brow_inner_up", "mouth_shift"]


def synthetic_head(
    rings: int = 12,
    seed: int = 1,
    shapes: int = 3,
    named: bool = True,
    joints_move: bool = False,
    names: Sequence[str] = EXPRESSIONS,
) -> HeadModel:
    """A ball of 10 cm with random offsets; every pose corrective of the neck, the jaw and one eye is non-zero."""
    random = np.random.default_rng(seed)
    columns = 2 * rings
    turns = np.arange(columns) * 2 * np.pi / columns
    height, turn = np.meshgrid(np.linspace(0.05, np.pi - 0.05, rings), turns, indexing="ij")
    ball = np.stack([np.sin(height) * np.sin(turn), np.cos(height), np.sin(height) * np.cos(turn)], -1).reshape(-1, 3)
    vertices = 0.1 * ball
    index = np.arange(rings * columns).reshape(rings, columns)
    a, b = index[:-1], index[1:]
    c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    count = len(vertices)
    places = np.array([[0, -0.15, 0], [0, -0.08, -0.02], [0, -0.02, 0.01], [0.03, 0.03, 0.07], [-0.03, 0.03, 0.07]])
    regressor = np.exp(-((vertices[None] - places[:, None]) ** 2).sum(-1) / 0.002)
    weights = np.exp(-((vertices[:, None] - places[None]) ** 2).sum(-1) / 0.01)
    posedirs = random.normal(0, 0.002, (36, 3 * count))
    posedirs[27:] = 0  # the right eye has no correctives
    expressions = random.normal(0, 0.003, (count, 3, len(names)))
    if joints_move:
        expressions += random.normal(0, 0.004, (1, 3, len(names)))
    else:  # as in the shipped head, no expression moves a joint
        moves = np.einsum("jv,vce->jce", regressor, expressions)
        expressions -= np.einsum("vj,jce->vce", np.linalg.pinv(regressor), moves)
    meta = {"id": f"synthetic-{seed}-{rings}{'-moving' * joints_move}", "name": "Synthetic", "licence": "CC0-1.0"}
    if named:
        meta["expression_names"] = list(names)
    return HeadModel(
        v_template=vertices,
        faces=faces,
        shapedirs=random.normal(0, 0.003, (count, 3, shapes)),
        expressiondirs=expressions,
        posedirs=posedirs,
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True),
        parents=np.array([-1, 0, 1, 1, 1]),
        eyelids=random.normal(0, 0.002, (2, count, 3)),
        uv=np.stack([turn.ravel() / 6.3, height.ravel() / 3.2], 1),
        uv_faces=faces,
        meta=meta,
    )


def large_head() -> HeadModel:
    """As large as FLAME: 5,000 vertices, 300 and 100 components without names, all pose correctives."""
    names = [f"e{index}" for index in range(100)]
    head = synthetic_head(rings=50, shapes=300, named=False, joints_move=True, names=names)
    random = np.random.default_rng(2)
    # Offsets as small as FLAME's, so that 400 random coefficients still give a head.
    head.shapedirs *= 0.1
    head.expressiondirs *= 0.2
    head.posedirs[27:] = random.normal(0, 0.002, head.posedirs[27:].shape)
    return head


def random_track(head: HeadModel, frames: int, seed: int = 0, fps: float = 25.0):
    """Poses all over the range that an animator would use."""
    from erlnet_blender.face_track import FaceTrack

    random = np.random.default_rng(seed)

    def pose(scale: float, width: int = 3) -> np.ndarray:
        return random.normal(0, scale, (frames, width))

    return FaceTrack(
        expr=random.normal(0.2, 0.6, (frames, head.expressiondirs.shape[-1])),
        fps=fps,
        head_id=head.id,
        jaw_pose=pose(0.15),
        neck_pose=pose(0.3),
        rotation=pose(0.6),
        translation=pose(0.1),
        eyes_pose=pose(0.2, 6),
        eyelids=random.uniform(0, 1, (frames, 2)),
    )
