"""FLAME's mathematics once more, in NumPy and double precision, for a Blender without torch; and what Blender makes.

`test_rig.test_the_reference_is_the_mathematics` holds it to `neural.flame.lbs`.
"""

from __future__ import annotations

import bpy
import numpy as np

from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import PARENTS, HeadModel
from erlnet_blender.scene.rig import apply_frame, identity_of, mesh_of, set_shape

MM = 1e-3


def rotation_matrix(axis_angle: np.ndarray) -> np.ndarray:
    """(3, 3) of an axis-angle (3,) in radians, by Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle)
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def flame_vertices(head: HeadModel, frame: FaceTrack) -> np.ndarray:
    """(V, 3) of a track of one frame."""
    shaped = head.v_template + head.expressiondirs[..., : frame.expr.shape[1]] @ frame.expr[0].astype(np.float64)
    if frame.shape.size:
        shaped = shaped + head.shapedirs[..., : len(frame.shape)] @ frame.shape.astype(np.float64)
    joints = head.J_regressor @ shaped
    eyes = frame.eyes_pose[0]
    poses = (frame.rotation[0], frame.neck_pose[0], frame.jaw_pose[0], eyes[:3], eyes[3:])
    rotations = [rotation_matrix(pose.astype(np.float64)) for pose in poses]
    features = np.concatenate([(rotation - np.eye(3)).ravel() for rotation in rotations[1:]])
    shaped = shaped + (features @ head.posedirs).reshape(-1, 3)
    if head.eyelids is not None:
        shaped = shaped + np.einsum("e,evc->vc", frame.eyelids[0], head.eyelids)
    vertices = np.zeros_like(shaped)
    turned: list[tuple[np.ndarray, np.ndarray]] = []
    for index, parent in enumerate(PARENTS):
        rotation, offset = rotations[index], joints[index] - rotations[index] @ joints[index]
        if parent >= 0:
            above, above_offset = turned[parent]
            rotation, offset = above @ rotation, above @ offset + above_offset
        turned.append((rotation, offset))
        vertices += head.weights[:, index, None] * (shaped @ rotation.T + offset)
    return vertices + frame.translation[0]


def evaluated_vertices(rig: bpy.types.Object) -> np.ndarray:
    """(V, 3) in rig space, as Blender would draw them."""
    graph = bpy.context.evaluated_depsgraph_get()
    mesh_object = mesh_of(rig).evaluated_get(graph)
    mesh = mesh_object.to_mesh()
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    mesh_object.to_mesh_clear()
    return vertices.reshape(-1, 3)


def distance(rig: bpy.types.Object, head: HeadModel, frame: FaceTrack) -> float:
    """The largest distance of a vertex, metres, of the rig as it is from a track of one frame."""
    return float(np.linalg.norm(evaluated_vertices(rig) - flame_vertices(head, frame), axis=1).max())


def worst_distance(rig: bpy.types.Object, head: HeadModel, track: FaceTrack) -> float:
    """The largest distance of a vertex, metres, over the frames of a track that the rig is set to."""
    worst = 0.0
    for index in range(len(track)):
        apply_frame(rig, track[index])
        worst = max(worst, distance(rig, head, track[index]))
    return worst


def worst_over_identities(rig: bpy.types.Object, head: HeadModel, samples: int, seed: int = 0) -> float:
    """As `worst_distance`, over random identities, expressions (2 sigma) and poses (30 degrees an axis, 10 cm)."""
    random = np.random.default_rng(seed)
    angle, worst = np.pi / 6, 0.0
    for _ in range(samples):
        frame = FaceTrack(
            expr=random.uniform(-2, 2, (1, head.expressiondirs.shape[-1])),
            fps=25,
            head_id=head.id,
            shape=random.uniform(-2, 2, head.shapedirs.shape[-1]),
            jaw_pose=random.uniform(-angle, angle, (1, 3)),
            neck_pose=random.uniform(-angle, angle, (1, 3)),
            rotation=random.uniform(-angle, angle, (1, 3)),
            translation=random.uniform(-0.1, 0.1, (1, 3)),
            eyes_pose=random.uniform(-angle, angle, (1, 6)),
            eyelids=random.uniform(0, 1, (1, 2)),
        )
        set_shape(rig, frame.shape)
        apply_frame(rig, frame)
        worst = max(worst, distance(rig, head, frame))
    assert np.array_equal(identity_of(rig), frame.shape)
    return worst
