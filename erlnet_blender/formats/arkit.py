"""ARKit's 52 face shapes: what each is on a head with named expressions, the way back, and recordings of them.

`SHAPES` says what a head does when one shape has weight 1; several weights add up. That is a linear map, so reading
ARKit weights is exact, and writing them is the least-squares solution within 0..1. What ARKit has no shape for is
first said with shapes that it has (`SAID_WITH`). Names are ARKit's: left and right are the head's own.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ErlnetError
from .atomic import write_bytes

# Angles that a weight of 1 stands for. ARKit gives none; these are wide, comfortable movements of a face.
JAW_OPEN_RAD, JAW_SIDE_RAD, EYE_LOOK_RAD = np.radians(20.0), np.radians(6.0), np.radians(30.0)
# Channels that are no expressions: joint angles in the units above, and the eyelids, 0..1.
JOINT_CHANNELS = ("jaw_open", "left_eye_down", "left_eye_left", "right_eye_down", "right_eye_left")
EYELID_CHANNELS = ("eyelid_left", "eyelid_right")
# The jaw's way to its own left: the expression of this name, or where a head has none, the turn of its joint.
JAW_SIDE = "jaw_side"


def _both(shape: str, expression: str) -> dict[str, dict[str, float]]:
    return {f"{shape}{word}": {f"{expression}_{word[0]}": 1.0} for word in ("Left", "Right")}


# `mouth_close` at 1 seals the lips against 10 degrees of jaw; ARKit's mouthClose seals them at an equal jawOpen.
SHAPES: dict[str, dict[str, float]] = {
    "eyeBlinkLeft": {"eyelid_left": 1.0},
    "eyeLookDownLeft": {"left_eye_down": 1.0},
    "eyeLookInLeft": {"left_eye_left": -1.0},
    "eyeLookOutLeft": {"left_eye_left": 1.0},
    "eyeLookUpLeft": {"left_eye_down": -1.0},
    "eyeSquintLeft": {"squint_L": 1.0},
    "eyeWideLeft": {"eye_wide_L": 1.0},
    "eyeBlinkRight": {"eyelid_right": 1.0},
    "eyeLookDownRight": {"right_eye_down": 1.0},
    "eyeLookInRight": {"right_eye_left": 1.0},
    "eyeLookOutRight": {"right_eye_left": -1.0},
    "eyeLookUpRight": {"right_eye_down": -1.0},
    "eyeSquintRight": {"squint_R": 1.0},
    "eyeWideRight": {"eye_wide_R": 1.0},
    "jawForward": {"jaw_forward": 1.0},
    "jawRight": {JAW_SIDE: -1.0},
    "jawLeft": {JAW_SIDE: 1.0},
    "jawOpen": {"jaw_open": 1.0},
    "mouthClose": {"mouth_close": float(np.degrees(JAW_OPEN_RAD) / 10)},
    "mouthFunnel": {"funnel": 1.0},
    "mouthPucker": {"pucker": 1.0},
    "mouthRight": {"mouth_shift": -1.0},
    "mouthLeft": {"mouth_shift": 1.0},
    **_both("mouthSmile", "smile"),
    **_both("mouthFrown", "frown"),
    **_both("mouthDimple", "dimple"),
    **_both("mouthStretch", "stretch"),
    "mouthRollLower": {"lip_roll_lower": 1.0},
    "mouthRollUpper": {"lip_roll_upper": 1.0},
    "mouthShrugLower": {"chin_raise": 1.0},
    "mouthShrugUpper": {"upper_lip_shrug": 1.0},
    "mouthPressLeft": {"lips_press": 0.5},
    "mouthPressRight": {"lips_press": 0.5},
    **_both("mouthLowerDown", "lower_lip_depress"),
    **_both("mouthUpperUp", "upper_lip_raise"),
    **_both("browDown", "brow_down"),
    "browInnerUp": {"brow_inner_up": 1.0},
    **_both("browOuterUp", "brow_outer_up"),
    "cheekPuff": {"puff_L": 1.0, "puff_R": 1.0},
    **_both("cheekSquint", "cheek_raise"),
    **_both("noseSneer", "nose_wrinkle"),
    "tongueOut": {"tongue_out": 1.0},
}
NAMES = tuple(SHAPES)
# Expressions that ARKit cannot say, in channels that it can: rounded from the non-negative least squares over the
# vertices of the default head. The tongue inside the mouth, sucked cheeks and the throat are lost.
SAID_WITH: dict[str, dict[str, float]] = {
    "f_tuck": {"lip_roll_lower": 1.0, "chin_raise": 0.3, "upper_lip_raise_L": 0.25, "upper_lip_raise_R": 0.25},
    "lip_tighten": {"lips_press": 1.0, "lip_roll_lower": 0.25, "pucker": 0.15},
    "lips_part": {"lower_lip_depress_L": 0.5, "lower_lip_depress_R": 0.5},
    "sharp_lip_pull_L": {"smile_L": 0.65, "upper_lip_raise_L": 0.3},
    "sharp_lip_pull_R": {"smile_R": 0.65, "upper_lip_raise_R": 0.3},
    "brow_together": {"brow_down_L": 0.9, "brow_down_R": 0.9, "brow_inner_up": 0.5},
    "lid_follow_down_L": {"eyelid_left": 0.4},
    "lid_follow_down_R": {"eyelid_right": 0.4},
    "lip_blow": {
        "pucker": 0.7, "lip_roll_upper": 0.3, "lip_roll_lower": 0.3, "lower_lip_depress_L": 0.2,
        "lower_lip_depress_R": 0.2, "puff_L": 0.15, "puff_R": 0.15,
    },
}  # fmt: skip
ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
_FRAME_RATES = (24, 25, 30, 48, 50, 60, 100, 120, 240)
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class FacePoses:
    """N frames of a face: what of a track ARKit can say.

    Args:
        expr: (N, E) expression coefficients.
        jaw_pose: (N, 3) axis-angle, radians.
        eyes_pose: (N, 6) left, right; axis-angle, radians.
        eyelids: (N, 2) left, right; 0 open to 1 shut.
    """

    expr: np.ndarray
    jaw_pose: np.ndarray
    eyes_pose: np.ndarray
    eyelids: np.ndarray


@dataclass(frozen=True)
class Recording:
    """A recording of ARKit weights.

    Args:
        weights: (N, 52) in the order of `NAMES`.
        angles: (N, 9) in the order of `ANGLES`: yaw to the own left, pitch down, roll to the own right; radians.
        fps: frames per second.
        start_s: time of the first frame.
    """

    weights: np.ndarray
    angles: np.ndarray
    fps: float
    start_s: float = 0.0


def _channels() -> list[str]:
    return list(dict.fromkeys(channel for shape in SHAPES.values() for channel in shape))


def can_make(shape: str, names: list[str], has_eyelids: bool) -> bool:
    """Whether a head with these expression names shows anything of an ARKit shape."""
    own = {*names, *JOINT_CHANNELS, JAW_SIDE, *(EYELID_CHANNELS if has_eyelids else ())}
    return any(channel in own for channel in SHAPES[shape])


def weights_of(poses: FacePoses, names: list[str]) -> np.ndarray:
    """(N, 52) ARKit weights, each 0..1, that say the poses best (least squares over the channels of `SHAPES`).

    Args:
        names: the head's expression names, in its order.
    """
    channels = _channels()
    values = {name: poses.expr[:, index].astype(np.float64) for index, name in enumerate(names)}
    values |= {name: poses.eyelids[:, index].astype(np.float64) for index, name in enumerate(EYELID_CHANNELS)}
    for name, others in SAID_WITH.items():
        for other, share in others.items():
            if name in values and other in values:
                values[other] = values[other] + share * values[name]
    gaze = {side: yaw_pitch_roll(poses.eyes_pose[:, 3 * i : 3 * i + 3]) for i, side in enumerate(("left", "right"))}
    for side, angles in gaze.items():
        values[f"{side}_eye_left"], values[f"{side}_eye_down"] = (
            angles[:, 0] / EYE_LOOK_RAD,
            angles[:, 1] / EYE_LOOK_RAD,
        )
    values["jaw_open"] = poses.jaw_pose[:, 0] / JAW_OPEN_RAD
    values[JAW_SIDE] = values.get(JAW_SIDE, 0.0) + poses.jaw_pose[:, 1] / JAW_SIDE_RAD
    # A channel that the head lacks says nothing: neither it nor the shapes that need it take part.
    seen = [channel for channel in channels if channel in values]
    matrix = np.array([[SHAPES[shape].get(channel, 0.0) for shape in NAMES] for channel in seen])
    return _least_squares_in_box(matrix, np.stack([values[channel] for channel in seen], 1))


def poses_of(weights: np.ndarray, names: list[str]) -> FacePoses:
    """What a head does at (N, 52) weights; shapes that it lacks the expressions for do nothing."""
    weights = np.atleast_2d(np.asarray(weights, np.float64))
    values: dict[str, np.ndarray] = {}
    for index, shape in enumerate(SHAPES.values()):
        for channel, gain in shape.items():
            values[channel] = values.get(channel, 0.0) + gain * weights[:, index]
    zeros = np.zeros(len(weights))
    expr = np.stack([values.get(name, zeros) for name in names], 1) if names else np.zeros((len(weights), 0))
    side = zeros if JAW_SIDE in names else values[JAW_SIDE] * JAW_SIDE_RAD
    eyes = [
        axis_angle(np.stack([values[f"{eye}_eye_left"], values[f"{eye}_eye_down"], zeros], 1) * EYE_LOOK_RAD)
        for eye in ("left", "right")
    ]
    jaw = np.stack([values["jaw_open"] * JAW_OPEN_RAD, side, zeros], 1)
    lids = np.stack([values[name] for name in EYELID_CHANNELS], 1)
    return FacePoses(expr, jaw, np.concatenate(eyes, 1), lids)


def _least_squares_in_box(matrix: np.ndarray, goal: np.ndarray, steps: int = 300) -> np.ndarray:
    """(N, S) in 0..1 with `matrix` (C, S) times each closest to its row of `goal` (N, C).

    Projected gradient from zero, which shares evenly what several shapes can say: left and right stay equal.
    """
    weights = np.zeros((len(goal), matrix.shape[1]))
    step = 1.0 / np.linalg.norm(matrix, 2) ** 2
    for _ in range(steps):
        weights = np.clip(weights + step * (goal - weights @ matrix.T) @ matrix, 0.0, 1.0)
    return weights


def rotation_matrices(axis_angles: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotations of (N, 3) axis-angles, radians (Rodrigues)."""
    vectors = np.asarray(axis_angles, np.float64)
    angles = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    # np.sinc is sin(πx)/(πx), so both factors are smooth at 0.
    sine, cosine = np.sinc(angles / np.pi), 0.5 * np.sinc(angles / (2 * np.pi)) ** 2
    return np.eye(3) + sine * cross + cosine * cross @ cross


def yaw_pitch_roll(rotations: np.ndarray) -> np.ndarray:
    """(N, 3) angles about Y, then X, then Z of axis-angles (N, 3) or matrices (N, 3, 3), radians."""
    matrices = rotations if np.ndim(rotations) == 3 else rotation_matrices(rotations)
    yaw = np.arctan2(matrices[:, 0, 2], matrices[:, 2, 2])
    pitch = -np.arcsin(np.clip(matrices[:, 1, 2], -1, 1))
    return np.stack([yaw, pitch, np.arctan2(matrices[:, 1, 0], matrices[:, 1, 1])], 1)


def axis_angle(angles: np.ndarray) -> np.ndarray:
    """(N, 3) axis-angle of (N, 3) yaw, pitch, roll: the inverse of `yaw_pitch_roll`."""
    yaw, pitch, roll = np.asarray(angles, np.float64).T / 2
    # The product of three quaternions: about Y, about X, about Z.
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    w = cy * cp * cr + sy * sp * sr
    vector = np.stack([cy * sp * cr + sy * cp * sr, sy * cp * cr - cy * sp * sr, cy * cp * sr - sy * sp * cr], 1)
    vector *= np.where(w < 0, -1.0, 1.0)[:, None]
    sine = np.linalg.norm(vector, axis=1)
    scale = np.where(sine > 1e-12, 2 * np.arctan2(sine, np.abs(w)) / np.maximum(sine, 1e-12), 2.0)
    return vector * scale[:, None]


def write_csv(path: str | os.PathLike, recording: Recording) -> None:
    """Write a recording in the layout of Epic's Live Link Face app: timecode, count, 52 weights, 9 angles.

    The timecode is hours:minutes:seconds:frames.thousandths of a frame, at the whole frame rate next to `fps`.
    """
    rate = round(recording.fps)
    header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in NAMES), *ANGLES]
    lines = [",".join(header)]
    first = recording.start_s * rate
    for index, row in enumerate(np.concatenate([recording.weights, recording.angles], 1)):
        thousandths = max(0, round(1000 * (first + index)))
        frame, part = divmod(thousandths, 1000)
        seconds, frame = divmod(frame, rate)
        hours, minutes = divmod(seconds // 60, 60)
        lines.append(f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}:{frame:02d}.{part:03d},{len(row)},")
        lines[-1] += ",".join(f"{value:.8f}" for value in row)
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def read_csv(path: str | os.PathLike, fps: float | None = None) -> Recording:
    """Read a recording in the layout of Live Link Face; columns may come in any order, names in any case.

    Args:
        fps: the rate that the timecode counts at; None takes the usual rate next above its largest frame number.

    Raises:
        ErlnetError: missing, too large, no such recording, or damaged; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise ErlnetError("No such recording", path, "check the path")
    if path.stat().st_size > _MAX_BYTES:
        raise ErlnetError(f"The recording is larger than {_MAX_BYTES >> 20} MB", path, "split it")
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ErlnetError(
            f"Not a recording of ARKit weights ({error})", path, "choose a .csv of Live Link Face"
        ) from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    found = {name: header.index(name.lower()) for name in (*NAMES, *ANGLES) if name.lower() in header}
    if "timecode" not in header or not any(name in found for name in NAMES):
        raise ErlnetError("Not a recording of ARKit weights", path, "choose a .csv of Live Link Face")
    body = [(number, row) for number, row in enumerate(rows[1:], 2) if row]
    values, stamps = np.zeros((len(body), len(NAMES) + len(ANGLES))), []
    for index, (number, row) in enumerate(body):
        try:
            stamps.append(_stamp(row[header.index("timecode")]))
            for column, name in enumerate((*NAMES, *ANGLES)):
                values[index, column] = float(row[found[name]]) if name in found else 0.0
        except (ValueError, IndexError) as error:
            raise ErlnetError(
                f"Line {number} of the recording is damaged ({error})", path, "record it again"
            ) from error
    if not body or not np.isfinite(values).all():
        raise ErlnetError("The recording is empty or holds NaN", path, "record it again")
    return _evenly(values, np.array(stamps), fps, path)


def at_rate(recording: Recording, fps: float) -> Recording:
    """The recording at another frame rate, interpolated linearly; first frame on first frame."""
    values = np.concatenate([recording.weights, recording.angles], 1)
    own_s = np.arange(len(values)) / recording.fps
    times_s = np.arange(int(np.floor(own_s[-1] * fps + 1e-6)) + 1) / fps
    values = np.stack([np.interp(times_s, own_s, column) for column in values.T], 1)
    return Recording(values[:, : len(NAMES)], values[:, len(NAMES) :], fps, recording.start_s)


def _stamp(text: str) -> tuple[float, float]:
    """Whole seconds and frames of a timecode such as 01:02:03:24.500."""
    hours, minutes, seconds, frames = text.strip().replace(";", ":").split(":")
    if not np.isfinite(float(frames)):
        raise ValueError(f"timecode {text!r}")
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds), float(frames)


def _evenly(values: np.ndarray, stamps: np.ndarray, fps: float | None, path: Path) -> Recording:
    """The recording at an even rate: an app drops frames, and its timecode tells which."""
    largest = float(stamps[:, 1].max())
    rate = round(fps) if fps else next((rate for rate in _FRAME_RATES if rate > largest), None)
    if rate is None or largest >= rate:
        raise ErlnetError(f"The timecode counts {largest:.0f} frames a second", path, "give the right frame rate")
    times = stamps[:, 0] * rate + stamps[:, 1]
    if (np.diff(times) < 0).any():
        raise ErlnetError("The timecode runs backwards", path, "export the recording again")
    even = times[0] + np.arange(int(np.floor(times[-1] - times[0] + 1e-6)) + 1)
    if len(even) > 100 * len(times):
        raise ErlnetError("The timecode has a gap that is longer than the recording", path, "export it again")
    values = np.stack([np.interp(even, times, column) for column in values.T], 1)
    return Recording(values[:, : len(NAMES)], values[:, len(NAMES) :], float(fps or rate), times[0] / rate)
