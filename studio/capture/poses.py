"""What the captured head does: random faces, gazes, neck turns and cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from erlnet_blender.camera import Camera
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.scene.framing import AIM_M, DISTANCE_M, LENS_MM, SENSOR_MM

from ..head.expressions import SIGNED

NECK_DEG = np.array([14.0, 25.0, 10.0])  # pitch, yaw, roll
GAZE_DEG = np.array([12.0, 20.0])  # pitch, yaw
CAMERA_YAW_DEG, CAMERA_PITCH_DEG = (-35.0, 35.0), (-12.0, 15.0)
JAW_DEG = 20.0

# What speech mixes; the head's other expressions come singly and in moods.
SPEECH = (
    "mouth_close",
    "lips_press",
    "pucker",
    "funnel",
    "stretch",
    "f_tuck",
    "upper_lip_raise",
    "lower_lip_depress",
    "smile",
    "lip_roll_upper",
    "lip_roll_lower",
    "lips_part",
    "tongue_up",
    "tongue_out",
)
MOODS = (
    ("smile", "cheek_raise", "squint"),
    ("smile", "upper_lip_raise", "lower_lip_depress"),
    ("frown", "brow_down", "lips_press"),
    ("brow_inner_up", "frown"),
    ("brow_inner_up", "brow_outer_up", "eye_wide"),
    ("brow_down", "nose_wrinkle", "upper_lip_raise"),
    ("squint", "brow_down"),
    ("dimple", "smile"),
    ("brow_inner_up", "brow_together", "chin_raise", "frown"),
    ("brow_together", "brow_down", "nostril_flare", "lip_tighten"),
    ("lid_follow_down",),
)


@dataclass(frozen=True)
class Shoot:
    """F poses, their cameras and what each is for."""

    track: FaceTrack
    cameras: list[Camera]
    splits: list[str]


def orbit_camera(yaw_deg: float, pitch_deg: float, size: int) -> Camera:
    """A square camera on the sphere round the head, looking at `AIM_M`."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], 1)
    pose[:3, 3] = AIM_M + DISTANCE_M * back
    focal = LENS_MM / SENSOR_MM * size
    return Camera(pose, focal, focal, size / 2, size / 2, size, size)


def shoot(head: HeadModel, train: int, test: int, sweep: int, size: int, seed: int) -> Shoot:
    """Random training and test poses, then a turn of the neck from one side to the other before a fixed camera.

    The test poses do not depend on how many training poses there are.
    """
    makers = [(_Maker(head, seed), train, "train"), (_Maker(head, seed + 1), test, "test")]
    rows, cameras, splits = [], [], []
    for maker, count, split in makers:
        for number in range(count):
            rows.append(maker.pose(number))
            yaw, pitch = maker.random.uniform(*CAMERA_YAW_DEG), maker.random.uniform(*CAMERA_PITCH_DEG)
            cameras.append(orbit_camera(yaw, pitch, size))
            splits.append(split)
    for step in range(sweep):
        yaw = NECK_DEG[1] * (2 * step / max(sweep - 1, 1) - 1)
        rows.append(_row(np.zeros(len(head.expression_names), np.float32), 4.0, [0, yaw, 0], [0, 0], [0, 0]))
        cameras.append(orbit_camera(10.0, 2.0, size))
        splits.append("sweep")
    channels = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    track = FaceTrack(fps=25.0, head_id=head.id, source='{"made_by": "studio.capture"}', **channels)
    return Shoot(track, cameras, splits)


def _row(expr: np.ndarray, jaw_deg: float, neck_deg: object, gaze_deg: object, lids: object) -> dict[str, np.ndarray]:
    neck = Rotation.from_euler("YXZ", np.asarray(neck_deg, float)[[1, 0, 2]], degrees=True).as_rotvec()
    eye = Rotation.from_euler("YX", np.asarray(gaze_deg, float)[[1, 0]], degrees=True).as_rotvec()
    return {
        "expr": expr,
        "jaw_pose": np.array([np.radians(jaw_deg), 0, 0]),
        "neck_pose": neck,
        "eyes_pose": np.concatenate([eye, eye]),
        "eyelids": np.asarray(lids, float),
    }


class _Maker:
    """Random poses from one seed."""

    def __init__(self, head: HeadModel, seed: int) -> None:
        self.names = head.expression_names
        self.random = np.random.default_rng(seed)

    def pose(self, number: int) -> dict[str, np.ndarray]:
        """A pose; every third shows one expression by itself, in turn, so that each is seen."""
        random, values = self.random, dict.fromkeys(self.names, 0.0)
        kind = number % 3
        jaw = random.uniform(0, JAW_DEG) if random.random() < 0.6 else random.uniform(0, 4)
        if kind == 0:
            name = self.names[(number // 3) % len(self.names)]
            values[name] = random.uniform(0.5, 1.0) * (random.choice([-1, 1]) if name in SIGNED else 1)
            jaw *= random.choice([0, 0.5])
        elif kind == 1:
            for name in random.choice(SPEECH, random.integers(1, 4), replace=False):
                self._raise(values, name, random.uniform(0.2, 1.0))
            jaw *= 0.7
        else:
            for name in MOODS[random.integers(len(MOODS))]:
                self._raise(values, name, random.uniform(0.1, 1.0))
            if random.random() < 0.5:
                self._raise(values, random.choice(SPEECH), random.uniform(0.2, 0.9))
        if "mouth_close" in values:
            if random.random() < 0.15:
                values["mouth_close"], jaw = 1.0, random.uniform(0, 12)
            values["mouth_close"] *= jaw / 10  # as much as seals the lips at this opening
        for name in ("brow_inner_up", "brow_outer_up"):
            if random.random() < 0.25:
                self._raise(values, name, random.uniform(0, 1))
        lids = random.choice([0, 1, random.uniform(0, 1)], p=[0.6, 0.15, 0.25]) * np.ones(2)
        if random.random() < 0.1:
            lids[random.integers(2)] = 0
        neck = random.uniform(-1, 1, 3) * NECK_DEG
        expr = np.array([values[name] for name in self.names], np.float32)
        return _row(expr, jaw, neck, random.uniform(-1, 1, 2) * GAZE_DEG, lids)

    def _raise(self, values: dict[str, float], name: str, value: float) -> None:
        """Set an expression, or both sides of it, not quite alike."""
        if name in values:
            values[name] = max(values[name], value)
        for side in ("_L", "_R"):
            if name + side in values:
                values[name + side] = max(values[name + side], min(1.0, value * self.random.uniform(0.75, 1.15)))
