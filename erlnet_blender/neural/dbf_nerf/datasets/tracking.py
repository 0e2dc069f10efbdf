"""Footage without FLAME coefficients: how the face moves, frame by frame, from landmarks; how the head does, as given.

Datasets of the AD-NeRF family say where the camera is about a head of another model (BFM), and nothing of FLAME. The
identity is found in a few frames as in a photograph (`tracking.photo`) and then held fixed. In those frames the head is
also placed freely before the dataset's own lens; the similarity that carries the other model's head there is one for
all frames, so that head poses stay as smooth as they were tracked. Last, expression, jaw, eyelids, gaze and a little of
the pose are fitted to the landmarks of every frame, by Levenberg and Marquardt's method within limits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from ....camera import Camera
from ....errors import ErlnetError
from ....face_track import FaceTrack
from ....formats.head_model import JOINTS, HeadModel
from ...flame.bounded import limits, minimise
from ...flame.correspondence import correspondence
from ...flame.lbs import FlameTensors, forward, rotation_matrices
from ...flame.registration import Similarity
from ...flame.surface import restricted, vertex_normals
from ...tracking.landmarks import LANDMARKS, OVAL, Face, largest_face
from ...tracking.photo import NOISE, fit_photo
from .footage import Progress
from .torso import placed

_IDENTITY_FRAMES = 6
_INDEPENDENT_LANDMARKS = 120.0
_OUTLINE = 0.1  # of the weight: the outline slides over the skin as the head turns
_EXPRESSION_SIGMA, _LID_SIGMA = 0.4, 0.5
_JAW_SIGMA_RAD, _GAZE_SIGMA_RAD = np.deg2rad([8.0, 1.0, 1.0]), np.deg2rad(12.0)
_JAW_LOW, _JAW_HIGH, _GAZE_LIMIT = [0.0, -0.1, -0.1], [0.6, 0.1, 0.1], 0.6
_TURN_SIGMA_RAD, _SHIFT_SIGMA_M = np.deg2rad(1.0), 0.003
_FREE = 100.0
_PLACE_SIGMA_M, _ORIGIN_SIGMA_M, _SCALE_SIGMA = 0.02, 0.08, 0.1
_CHUNK, _ROUNDS, _FREE_ROUNDS = 64, 8, 25
_SETTLED = 1e-3
_STEP = 1e-6
_EYES = [JOINTS.index("left_eye"), JOINTS.index("right_eye")]
_JAW = JOINTS.index("jaw")


def track_frames(
    picture: Callable[[int], np.ndarray],
    cameras: list[Camera],
    head: HeadModel,
    fps: float,
    progress: Progress,
    find: Callable[[np.ndarray, object], Face] = largest_face,
) -> tuple[FaceTrack, list[Camera], list[str]]:
    """The head and its face in every frame.

    Args:
        picture: gives frame n as (H, W, 3) uint8, for n up to the number of cameras.
        cameras: each frame's, in the frame of a head that stands still, of any model and size.
        find: the landmarks of a picture.

    Returns:
        the track in a world like the cameras' but in true metres, the cameras in it, and notes.

    Raises:
        ErlnetError: too few frames show a face, or MediaPipe is not installed.
    """
    faces: list[Face | None] = []
    for number in range(len(cameras)):
        faces.append(_face(find, picture(number), number))
        progress(0.6 * number / len(cameras), "finding faces")
    seen = np.array([number for number, face in enumerate(faces) if face is not None])
    if 2 * len(seen) < len(faces) or not len(seen):
        what = f"A face was found in {len(seen)} of {len(faces)} pictures"
        raise ErlnetError(what, "", "use footage of one face from the front")
    found = [face for face in faces if face is not None]
    few = np.unique(np.linspace(0, len(found) - 1, min(_IDENTITY_FRAMES, len(found))).round().astype(int))
    shape = np.zeros(0)
    if head.shapedirs.shape[-1]:
        shape = np.mean([fit_photo(found[number], head).track.shape for number in few], 0)
    fit = _Fit(head, shape)
    free = fit.placed_freely([found[number] for number in few], [cameras[seen[number]] for number in few])
    start, cameras = _common_place(free, [cameras[seen[number]] for number in few], cameras)
    parts = []
    for first in range(0, len(found), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        own = [cameras[number] for number in seen[chunk]]
        poses = np.stack([np.linalg.inv(camera.rig_from_camera) @ start for camera in own])
        parts.append(fit.solve(found[chunk], own, poses, _TURN_SIGMA_RAD, _SHIFT_SIGMA_M, _ROUNDS))
        progress(0.6 + 0.4 * first / len(found), "fitting faces")
    values, poses, off = (np.concatenate(part) for part in zip(*parts, strict=True))
    track = fit.track(values, poses, [cameras[number] for number in seen], fps)
    notes = [
        f"face: expression, jaw, eyelids and gaze are fitted to landmarks on the head {head.id!r}, the identity to "
        f"{len(few)} frames, to {100 * float(np.sqrt((off**2).mean())):.1f} % of the distance between the eyes"
    ]
    if len(seen) < len(faces):
        track = _filled(track, seen, len(faces))
        notes.append(f"face: none was found in {len(faces) - len(seen)} pictures, they get what is between others")
    return track, cameras, notes


def _face(find: Callable[[np.ndarray, object], Face], picture: np.ndarray, number: int) -> Face | None:
    try:
        return find(picture, f"frame {number}")
    except ErlnetError as error:
        if error.__cause__ is not None:  # MediaPipe is not there
            raise
        return None


class _Fit:
    """A head of fixed identity, fitted to landmarks seen through pinhole cameras."""

    def __init__(self, head: HeadModel, shape: np.ndarray) -> None:
        points = correspondence(head).landmarks
        self.ids = np.flatnonzero(points.exist)
        points = points[self.ids]
        flame = restricted(head, points)
        self.head, self.shape = head, shape
        identity = torch.as_tensor(shape, dtype=torch.float64)
        self.flame: FlameTensors = replace(
            flame, v_template=flame.v_template + flame.shapedirs[..., : len(shape)] @ identity
        )
        self.rest = self.flame.v_template[: len(self.ids)]
        self.middle = self.rest[self.ids < LANDMARKS].mean(0)
        normals = points.on(vertex_normals(head.v_template.astype(np.float64), head.faces), head.faces)
        self.normals = torch.as_tensor(normals)
        self.outline = torch.as_tensor(np.isin(self.ids, OVAL))
        low, high = limits(head)
        lids = 2 if head.eyelids is not None else 0
        self.sizes = {"expr": len(low), "jaw": 3, "lids": lids, "gaze": 4, "turn": 3, "shift": 3}
        self._low = self._row(expr=low, jaw=_JAW_LOW, lids=0.0, gaze=-_GAZE_LIMIT, turn=-1.0, shift=-_FREE)
        self._high = self._row(expr=high, jaw=_JAW_HIGH, lids=1.0, gaze=_GAZE_LIMIT, turn=1.0, shift=_FREE)

    def _row(self, **parts: object) -> Tensor:
        rows = [torch.as_tensor(parts[name], dtype=torch.float64).expand(size) for name, size in self.sizes.items()]
        return torch.cat(rows)

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.sizes, values.split(list(self.sizes.values()), -1), strict=True))

    def _pixels(self, values: Tensor, poses: Tensor, lenses: Tensor) -> Tensor:
        """(B, L, 2) where the landmarks are seen; values (B, n), poses (B, 4, 4), lenses (B, 4)."""
        parts = self._split(values)
        pose = torch.zeros(len(values), len(JOINTS), 3, dtype=values.dtype)
        pose[:, _JAW] = parts["jaw"]
        pose[:, _EYES, :2] = parts["gaze"].reshape(-1, 2, 2)
        lids = parts["lids"] if parts["lids"].shape[1] else None
        posed = forward(self.flame, parts["expr"], pose, None, None, lids).vertices[:, : len(self.ids)]
        turned = (posed - self.middle) @ (rotation_matrices(parts["turn"]) @ poses[:, :3, :3]).mT
        seen = turned + (self._centre(poses) + parts["shift"])[:, None]
        plane = seen[..., :2] / (-seen[..., 2:]).clamp_min(1e-3)
        return lenses[:, None, 2:] + lenses[:, None, :2] * plane * plane.new_tensor([1.0, -1.0])

    def _centre(self, poses: Tensor) -> Tensor:
        """(B, 3) the face's middle before the camera."""
        return poses[:, :3, :3] @ self.middle + poses[:, :3, 3]

    def solve(
        self, faces: list[Face], cameras: list[Camera], poses: np.ndarray, turn_rad: float, shift_m: float, rounds: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fit B frames, each by itself.

        Args:
            poses: (B, 4, 4) camera_from_head to begin with; turn_rad, shift_m: how far they may be off.

        Returns:
            the unknowns (B, n), the poses (B, 4, 4) they come to, and the RMS distance (B,) of the landmarks as a share
            of the distance between the eyes.
        """
        given = torch.as_tensor(poses)
        lenses = torch.tensor([[c.focal_x, c.focal_y, c.centre_x, c.centre_y] for c in cameras], dtype=torch.float64)
        unit = torch.tensor([face.interocular for face in faces], dtype=torch.float64)[:, None, None]
        goal = torch.as_tensor(np.stack([face.points[self.ids, :2] for face in faces]))
        ahead = torch.nn.functional.normalize(-self._centre(given), dim=1)
        facing = torch.einsum("lc,bkc,bk->bl", self.normals, given[:, :3, :3], ahead)
        weight = (facing / 0.3).clamp(0.02, 1) * torch.where(self.outline, _OUTLINE, 1.0)
        weight = (weight * _INDEPENDENT_LANDMARKS / weight.sum(1, keepdim=True)).sqrt()[..., None] / (NOISE * unit)
        sigma = self._row(expr=_EXPRESSION_SIGMA, jaw=_JAW_SIGMA_RAD, lids=_LID_SIGMA, gaze=_GAZE_SIGMA_RAD,
                          turn=turn_rad, shift=shift_m)  # fmt: skip

        def residuals(values: Tensor) -> Tensor:
            return torch.cat([((self._pixels(values, given, lenses) - goal) * weight).flatten(1), values / sigma], 1)

        values = self._fitted(residuals, torch.zeros(len(faces), len(sigma), dtype=torch.float64), rounds)
        parts = self._split(values)
        moved = torch.eye(4, dtype=torch.float64).repeat(len(faces), 1, 1)
        moved[:, :3, :3] = rotation_matrices(parts["turn"]) @ given[:, :3, :3]
        moved[:, :3, 3] = self._centre(given) + parts["shift"] - moved[:, :3, :3] @ self.middle
        off = ((self._pixels(values, given, lenses) - goal) / unit)[:, self.ids < LANDMARKS]
        return values.numpy(), moved.numpy(), off.square().sum(-1).mean(1).sqrt().numpy()

    def _fitted(self, residuals: Callable[[Tensor], Tensor], values: Tensor, rounds: int) -> Tensor:
        """Levenberg-Marquardt on every row by itself."""
        damping = torch.full((len(values), 1), 1e-2, dtype=values.dtype)
        still = residuals(values)
        for _ in range(rounds):
            steps = _STEP * torch.eye(values.shape[1], dtype=values.dtype)
            slopes = torch.stack([(residuals(values + step) - still) / _STEP for step in steps], -1)
            H, g = slopes.mT @ slopes, -(slopes.mT @ still[..., None])[..., 0]
            scaled = H + torch.diag_embed(damping * H.diagonal(dim1=-2, dim2=-1))
            tried = values + minimise(scaled, g, self._low - values, self._high - values)
            moved = residuals(tried)
            cost, lower = still.square().sum(1, keepdim=True), moved.square().sum(1, keepdim=True)
            better = lower < cost
            values, still = torch.where(better, tried, values), torch.where(better, moved, still)
            damping = torch.where(better, damping / 5, damping * 5)
            if bool(((cost - lower).abs() < _SETTLED * cost).all()):
                break
        return values

    def placed_freely(self, faces: list[Face], cameras: list[Camera]) -> np.ndarray:
        """(K, 4, 4) camera_from_head by the landmarks alone."""
        poses = np.tile(np.eye(4), (len(faces), 1, 1))
        middle = self.middle.numpy()
        for pose, face, camera in zip(poses, faces, cameras, strict=True):
            # As from afar: how large the face is tells how far it is.
            plane = face.points[self.ids] * [1, -1, -1]
            near = Similarity.between(self.rest.numpy(), plane)
            depth = (camera.focal_x + camera.focal_y) / 2 / near.scale
            x, y = near(middle)[:2] - [camera.centre_x, -camera.centre_y]
            pose[:3, :3] = near.rotation
            pose[:3, 3] = [x * depth / camera.focal_x, y * depth / camera.focal_y, -depth] - near.rotation @ middle
        return self.solve(faces, cameras, poses, _FREE, _FREE, _FREE_ROUNDS)[1]

    def track(self, values: np.ndarray, poses: np.ndarray, cameras: list[Camera], fps: float) -> FaceTrack:
        """The unknowns of all frames as a track in the cameras' world."""
        parts = {name: value.numpy() for name, value in self._split(torch.as_tensor(values)).items()}
        eyes = np.zeros((len(values), 2, 3))
        eyes[..., :2] = parts["gaze"].reshape(-1, 2, 2)
        told = json.dumps({"footage": "landmarks"})
        lids = parts["lids"] if parts["lids"].size else np.zeros(0)
        track = FaceTrack(parts["expr"], fps, self.head.id, jaw_pose=parts["jaw"], eyes_pose=eyes.reshape(-1, 6),
                          eyelids=lids, shape=self.shape, source=told)  # fmt: skip
        return placed(self.head, track, np.stack([camera.rig_from_camera for camera in cameras]) @ poses)


def _common_place(free: np.ndarray, few: list[Camera], every: list[Camera]) -> tuple[np.ndarray, list[Camera]]:
    """world_from_head (4, 4) that suits the freely placed heads, and all cameras in a world of true metres.

    The cameras' head and ours differ by a turn, an offset b and a scale s: s t_free = R b + t, with R, t each
    camera's; b is a few centimetres and s near what the distances say.
    """
    camera_from_world = np.linalg.inv(np.stack([camera.rig_from_camera for camera in few]))
    turns = camera_from_world[:, :3, :3]
    turn = Rotation.from_matrix(turns.transpose(0, 2, 1) @ free[:, :3, :3]).mean().as_matrix()
    distance, ours = (np.linalg.norm(matrices[:, :3, 3], axis=1) for matrices in (camera_from_world, free))
    usual = float(np.median(distance / ours))
    # In units of the usual scale, so that the world's own does not matter.
    rows = np.concatenate([free[:, :3, 3, None], -turns], -1).reshape(-1, 4) / _PLACE_SIGMA_M
    goals = camera_from_world[:, :3, 3].reshape(-1) / usual / _PLACE_SIGMA_M
    prior = np.diag([1 / _SCALE_SIGMA, *[1 / _ORIGIN_SIGMA_M] * 3])
    rows, goals = np.concatenate([rows, prior]), np.concatenate([goals, prior[:, 0]])
    scale, *offset = np.linalg.lstsq(rows, goals, rcond=None)[0]
    world_from_head = np.eye(4)
    world_from_head[:3, :3], world_from_head[:3, 3] = turn, np.array(offset) / scale
    scaled = []
    for camera in every:
        matrix = camera.rig_from_camera.copy()
        matrix[:3, 3] /= scale * usual
        scaled.append(replace(camera, rig_from_camera=matrix))
    return world_from_head, scaled


def _filled(track: FaceTrack, seen: np.ndarray, count: int) -> FaceTrack:
    """All frames, those in between interpolated; rotations too, which differ little from one to the next."""
    channels = {}
    for name in ("expr", "jaw_pose", "rotation", "translation", "eyes_pose", "eyelids"):
        value = getattr(track, name)
        channels[name] = np.stack([np.interp(np.arange(count), seen, column) for column in value.T], 1)
    return replace(track, neck_pose=np.zeros(0), **channels)
