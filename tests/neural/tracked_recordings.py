"""Folders as users of trackers have them, made from a motion that is known: the demo's sentence, said by the model."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.neural.flame.lbs import FlameTensors, pose_track
from erlnet_blender.neural.flame.refit import refit

RATE_HZ = 16000
FORMATS = ("facetrack", "diffposetalk", "vhap", "tensors", "array", "frames", "vertices")


def with_expressions(head: HeadModel, count: int) -> HeadModel:
    """The head with its first expressions only."""
    return replace(head, expressiondirs=head.expressiondirs[..., :count])


def _on_flame(track: FaceTrack, default: HeadModel, flame: HeadModel, count: int) -> FaceTrack:
    key = (track.expr.tobytes(), track.fps, count)
    if key not in _refitted:
        _refitted[key] = refit(track, default, with_expressions(flame, count)).track
    return _refitted[key]


_refitted: dict[tuple, FaceTrack] = {}


def write_track(kind: str, path: Path, track: FaceTrack, default: HeadModel, flame: HeadModel) -> Path:
    """The default head's `track` in a format; `path` is without suffix. Returns what was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "facetrack":
        track.save(path.with_suffix(".npz"))
        return path.with_suffix(".npz")
    count = 50 if kind == "diffposetalk" else 100
    theirs = _on_flame(track, default, flame, count)
    expr, jaw, turn = theirs.expr, theirs.jaw_pose, theirs.neck_pose
    if kind == "diffposetalk":
        pose, shape = np.concatenate([turn, jaw], 1), np.zeros((len(expr), 100))
        np.savez(path.with_suffix(".npz"), exp=expr, pose=pose, shape=shape)
    elif kind == "vhap":
        np.savez(path.with_suffix(".npz"), expr=expr, jaw_pose=jaw, rotation=turn, neck_pose=0 * turn,
                 translation=0 * turn, eyes_pose=theirs.eyes_pose, shape=np.zeros(300), timestep_id=[0])  # fmt: skip
    elif kind == "tensors":
        values = {"expression_params": torch.from_numpy(expr), "jaw_params": torch.from_numpy(jaw),
                  "global_pose": torch.from_numpy(turn)}  # fmt: skip
        torch.save(values, path.with_suffix(".pt"))
        return path.with_suffix(".pt")
    elif kind == "array":
        np.save(path.with_suffix(".npy"), np.concatenate([expr, turn, jaw], 1))
        return path.with_suffix(".npy")
    elif kind == "frames":
        folder = path / "flame_param"
        folder.mkdir(parents=True)
        for index in range(len(expr)):
            np.savez(folder / f"{index:05d}.npz", expr=expr[index : index + 1], jaw_pose=jaw[index : index + 1],
                     rotation=turn[index : index + 1], shape=np.zeros(300))  # fmt: skip
        return folder
    elif kind == "vertices":
        speaker = path.stem.rsplit("_", 1)[0]
        shape = np.random.default_rng(3).normal(0, 1, 20)
        tensors = FlameTensors.from_head(flame)
        posed = pose_track(tensors, replace(theirs, shape=shape, rotation=turn, neck_pose=0 * turn))
        rest = pose_track(tensors, FaceTrack(np.zeros((1, 100)), 25, flame.id, shape=shape))
        np.save(path.with_suffix(".npy"), posed.vertices.numpy().reshape(len(expr), -1))
        table = {speaker: rest.vertices[0].numpy().astype(np.float64)}
        (path.parent / "templates.pkl").write_bytes(pickle.dumps(table, protocol=2))
        return path.with_suffix(".npy")
    return path.with_suffix(".npz")


def write_sound(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> None:
    """A recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)
