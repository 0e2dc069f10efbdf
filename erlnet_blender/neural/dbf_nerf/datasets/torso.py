"""Where the torso is, which trackers of heads do not say.

They turn FLAME as a whole, or the camera about it, and so would turn the shoulders with the face. DBF-NeRF's static
branch owns the torso in the rig's frame, and the head turns by the neck joint. Hence the head's motion, which is known,
is divided anew: the root stands still, the neck turns, and what is left, how the neck's joint moves from place to
place, moves the root, since a person who sways takes the shoulders along. The skull stays where it was in every
picture. What the torso's own bearing is nobody knows; it is taken to be the head's on average.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ....camera import Camera
from ....face_track import FaceTrack
from ....formats.head_model import JOINTS, HeadModel
from ...flame.correspondence import correspond
from ...flame.refit import refit
from .footage import Footage, Progress, Take, rest_joints

ROOT, NECK = JOINTS.index("root"), JOINTS.index("neck")


def head_poses(head: HeadModel, track: FaceTrack) -> np.ndarray:
    """(N, 4, 4) world_from_head: where root and neck carry what follows the neck joint."""
    joints = rest_joints(head, track)
    root, neck = (Rotation.from_rotvec(pose).as_matrix() for pose in (track.rotation, track.neck_pose))
    at = joints[:, ROOT] + track.translation
    return _pivoted(root @ neck, joints[:, NECK], at + _turned(root, joints[:, NECK] - joints[:, ROOT]))


def placed(head: HeadModel, track: FaceTrack, poses: np.ndarray) -> FaceTrack:
    """The track with the head at these poses (N, 4, 4), its whole motion in the root and none in the neck."""
    joint = rest_joints(head, track)[:, ROOT]
    rotation = Rotation.from_matrix(poses[:, :3, :3]).as_rotvec()
    translation = _turned(poses[:, :3, :3], joint) + poses[:, :3, 3] - joint
    return replace(track, rotation=rotation, neck_pose=np.zeros(0), translation=translation)


def on_other_head(
    takes: list[Take], source: HeadModel, target: HeadModel, track: FaceTrack, progress: Progress
) -> tuple[list[Take], FaceTrack, str]:
    """The same performance by another head, as large in the pictures and in the same place, and a line on how well.

    The target's size may be another: then the world is made larger, which no picture shows.
    """
    found = refit(track, source, target, progress)
    similarity = correspond(source, target).similarity
    poses, turn = head_poses(source, track), np.eye(4)
    turn[:3, :3] = similarity.rotation.T
    turn[:3, 3] = -similarity.rotation.T @ similarity.offset
    poses[:, :3, 3] *= similarity.scale
    takes = [replace(take, camera=_at(take.camera, _scaled(take.camera, similarity.scale))) for take in takes]
    line = f"head: refitted from {source.id!r} to {target.id!r}, to {found.rms_mm:.2f} mm RMS of the face's motion"
    return takes, placed(target, found.track, poses @ turn), line


def from_the_camera(footage: Footage, head: HeadModel, track: FaceTrack) -> tuple[Footage, FaceTrack]:
    """The same in the frame of the camera, which is taken to stand still; there must be one picture a moment.

    Returns:
        the footage with all cameras at the origin, and the track with the head's whole motion in its root.
    """
    cameras = {take.timestep: take.camera for take in footage.takes}
    camera_from_world = np.linalg.inv(np.stack([cameras[moment].rig_from_camera for moment in range(len(track))]))
    moved = placed(head, track, camera_from_world @ head_poses(head, track))
    takes = [replace(take, camera=_at(take.camera, np.eye(4))) for take in footage.takes]
    return replace(footage, takes=takes), moved


def with_still_torso(takes: list[Take], head: HeadModel, track: FaceTrack) -> tuple[list[Take], FaceTrack]:
    """Cameras round a rig whose root does not turn, and the track of that rig."""
    poses, joints = head_poses(head, track), rest_joints(head, track)
    bearing = Rotation.from_matrix(poses[:, :3, :3]).mean().as_matrix()
    necks = _turned(poses[:, :3, :3], joints[:, NECK]) + poses[:, :3, 3]
    world_from_rig = np.eye(4)
    world_from_rig[:3, :3] = bearing
    world_from_rig[:3, 3] = necks.mean(0) - bearing @ joints[:, NECK].mean(0)
    turns = bearing.T @ poses[:, :3, :3]
    still = replace(
        track,
        rotation=np.zeros(0),
        neck_pose=Rotation.from_matrix(turns).as_rotvec(),
        translation=(necks - world_from_rig[:3, 3]) @ bearing - joints[:, NECK],
    )
    rig_from_world = np.linalg.inv(world_from_rig)
    moved = [replace(take, camera=_at(take.camera, rig_from_world @ take.camera.rig_from_camera)) for take in takes]
    return moved, still


def _scaled(camera: Camera, scale: float) -> np.ndarray:
    matrix = np.array(camera.rig_from_camera, np.float64)
    matrix[:3, 3] *= scale
    return matrix


def _at(camera: Camera, matrix: np.ndarray) -> Camera:
    return replace(camera, rig_from_camera=matrix)


def _turned(rotations: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nj->ni", rotations, points)


def _pivoted(rotations: np.ndarray, pivots: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N, 4, 4) turn, and carry a pivot to its place."""
    matrices = np.tile(np.eye(4), (len(rotations), 1, 1))
    matrices[:, :3, :3] = rotations
    matrices[:, :3, 3] = places - _turned(rotations, pivots)
    return matrices
