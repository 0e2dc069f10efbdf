"""A small picture of a head in a pose, drawn without a graphics card: what the style library shows.

A sketch for a glance: linear blend skinning without pose correctives, one light, no hair but its shadow on the scalp.
"""

from __future__ import annotations

import numpy as np

from ..face_track import FaceTrack
from ..formats.head_model import HeadModel
from ..formats.style_library import PICTURE_SIZE
from .pose_library import POSES, pose_values
from .rig import quaternion_of

# What is seen, in rig space: centre and half the side, metres.
_CENTRE_M, _HALF_M = (0.0, 0.006), 0.094
_FINER = 3
_LIGHT = np.array((0.35, 0.45, 0.82))
_SKIN = (0.86, 0.67, 0.57)
# region: colour; where regions overlap the later one lies on top.
_PAINT = {
    "torso": (0.36, 0.42, 0.50),
    "scalp": (0.24, 0.18, 0.15),
    "redness": (0.84, 0.56, 0.49),
    "brow_shadow": (0.55, 0.40, 0.33),
    "lips": (0.72, 0.38, 0.36),
    "mouth_bag": (0.25, 0.09, 0.09),
    "gums": (0.68, 0.33, 0.33),
    "tongue": (0.70, 0.38, 0.38),
    "teeth": (0.95, 0.93, 0.88),
    "brows": (0.28, 0.19, 0.15),
    "lashes": (0.16, 0.11, 0.10),
    "eyeballs": (0.95, 0.94, 0.93),
}
_IRIS, _PUPIL, _IRIS_DEG, _PUPIL_DEG = (0.33, 0.42, 0.48), (0.07, 0.06, 0.06), 28.0, 12.0
_ROOT, _NECK, _JAW, _LEFT_EYE, _RIGHT_EYE = range(5)


def typical_frame(track: FaceTrack) -> FaceTrack:
    """The one frame whose face is nearest to the mean of all."""
    face = np.concatenate([track.expr, track.jaw_pose, track.eyelids], 1)
    return track[int(np.argmin(np.square(face - face.mean(0)).sum(1)))]


def posed(head: HeadModel, amounts: dict[str, float]) -> FaceTrack:
    """One frame with the poses of the library (`pose_library.POSES`) added up, each as far as its amount says."""
    names = head.expression_names
    expr, jaw_deg, eyelid = np.zeros((1, len(names)), np.float32), 0.0, 0.0
    for name, amount in amounts.items():
        pose = POSES[name]
        for expression, value in pose_values(pose, names).items():
            expr[0, names.index(expression)] += amount * value
        jaw_deg, eyelid = jaw_deg + amount * pose.jaw_deg, eyelid + amount * pose.eyelid
    jaw = np.array([[np.radians(jaw_deg), 0, 0]], np.float32)
    lids = np.full((1, 2), min(1.0, eyelid), np.float32)
    return FaceTrack(expr=np.clip(expr, 0, 1), fps=25.0, head_id=head.id, jaw_pose=jaw, eyelids=lids)


def draw_head(head: HeadModel, frame: FaceTrack) -> np.ndarray:
    """(96, 96, 4) uint8 sRGB and alpha, the top row first: the head from the front in the pose of a track's frame."""
    vertices = _pose(head, frame)
    corners = vertices[head.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    seen = normals[:, 2] > 0
    shade = 0.45 + 0.6 * np.clip(normals[seen] @ _LIGHT, 0, 1)
    colours = np.clip(_colours(head, vertices)[head.faces[seen]].mean(1) * shade[:, None], 0, 1)
    return _splat(corners[seen], colours)


def _pose(head: HeadModel, frame: FaceTrack) -> np.ndarray:
    """(V, 3) the vertices in the pose; the identity is the head's own."""
    expr = frame.expr[0, : head.expressiondirs.shape[-1]]
    vertices = head.v_template + head.expressiondirs @ expr
    if head.eyelids is not None:
        vertices = vertices + np.tensordot(frame.eyelids[0], head.eyelids, 1)
    joints, weights = head.J_regressor @ head.v_template, head.weights
    eyes = frame.eyes_pose[0]
    turns = (
        (_LEFT_EYE, eyes[:3], [_LEFT_EYE]),
        (_RIGHT_EYE, eyes[3:], [_RIGHT_EYE]),
        (_JAW, frame.jaw_pose[0], [_JAW]),
        (_NECK, frame.neck_pose[0], [_NECK, _JAW, _LEFT_EYE, _RIGHT_EYE]),
    )
    for joint, axis_angle, moved in turns:
        turn = np.array(quaternion_of(axis_angle).to_matrix(), np.float32)
        share = weights[:, moved].sum(1, keepdims=True)
        vertices = vertices + share * ((vertices - joints[joint]) @ turn.T + joints[joint] - vertices)
    return np.asarray(vertices, np.float32)


def _colours(head: HeadModel, vertices: np.ndarray) -> np.ndarray:
    """(V, 3) sRGB."""
    colours = np.tile(np.array(_SKIN, np.float32), (len(vertices), 1))
    for region, colour in _PAINT.items():
        if region in head.regions:
            share = np.clip(head.regions[region].astype(np.float32), 0, 1)[:, None]
            colours += share * (np.array(colour, np.float32) - colours)
    balls = head.regions.get("eyeballs")
    for joint in (_LEFT_EYE, _RIGHT_EYE) if balls is not None else ():
        ball = np.flatnonzero(balls.astype(bool) & (head.weights[:, joint] > 0.5))
        if not len(ball):
            continue
        out = vertices[ball] - vertices[ball].mean(0)
        rest = head.v_template[ball] - head.v_template[ball].mean(0)
        from_axis = np.degrees(np.arccos(np.clip(rest[:, 2] / np.linalg.norm(out, axis=1), -1, 1)))
        colours[ball[from_axis < _IRIS_DEG]] = _IRIS
        colours[ball[from_axis < _PUPIL_DEG]] = _PUPIL
    return colours


def _splat(corners: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Triangles (F, 3, 3) seen from the front, orthographically, as points that are closer than pixels."""
    side = PICTURE_SIZE * _FINER
    scale = side / (2 * _HALF_M)
    size = np.ptp(corners[:, :, :2], axis=1).max(1) * scale
    points, paints = [], []
    for count in (2, 4, 8, 16, 32, 64):
        chosen = (size < count) & (size >= count / 2) if count > 2 else size < count
        grid = [(a, b, count - a - b) for a in range(count + 1) for b in range(count + 1 - a)]
        weights = (np.array(grid, np.float32) + 1 / 3) / (count + 1)
        points.append((weights @ corners[chosen]).reshape(-1, 3))
        paints.append(np.repeat(colours[chosen], len(weights), axis=0))
    points, paints = np.concatenate(points), np.concatenate(paints)
    column = ((points[:, 0] - _CENTRE_M[0] + _HALF_M) * scale).astype(int)
    row = ((_CENTRE_M[1] + _HALF_M - points[:, 1]) * scale).astype(int)
    inside = np.flatnonzero((column >= 0) & (column < side) & (row >= 0) & (row < side))
    # Far ones first: of several in a pixel the last stays.
    order = inside[np.argsort(points[inside, 2], kind="stable")]
    picture = np.zeros((side, side, 4), np.float32)
    picture[row[order], column[order], :3], picture[row[order], column[order], 3] = paints[order], 1
    small = picture.reshape(PICTURE_SIZE, _FINER, PICTURE_SIZE, _FINER, 4).mean((1, 3))
    small[..., :3] /= np.maximum(small[..., 3:], 1e-6)
    return (small * 255 + 0.5).astype(np.uint8)
