"""GaussianAvatars' and VHAP's export: RGBA or masked pictures of one or more cameras, FLAME parameters frame by frame.

transforms_train.json, _val, _test   frames: file_path, fg_mask_path, flame_param_path, timestep_index, transform_matrix
                                     (camera-to-world, OpenGL), fl_x … of each picture
flame_param/00000.npz                rotation, translation, neck_pose, jaw_pose, eyes_pose, shape, expr, static_offset

Several sequences are joined by a folder of indexes beside them, whose names lead through the folder above: then that
is what the user chooses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....errors import ErlnetError
from ....face_track import CHANNELS, FaceTrack
from ....formats.head_model import HeadModel
from ....formats.npz import read_npz
from .conventions import Convention, settle
from .folder import Folder, number
from .footage import Dialect, Footage, Progress, Take, numbered, split_takes
from .nerf_index import entries, first_frame, frame_rate, lens_of, matrices_of
from .pictures import MASK, PNG, Cutout
from .torso import head_poses

_PARAMETERS = ("expr", "jaw_pose", "neck_pose", "rotation", "translation", "eyes_pose", "eyelids", "shape")
_MOST_TIMESTEPS = 1_000_000
_JOINED = "sequences_trainval.txt"


def _home(folder: Folder) -> Folder | None:
    """Where the index is: here, or in the folder inside that joins several sequences beside it (../NAME/images/…)."""
    if "flame_param_path" in first_frame(folder):
        return folder
    joins = [path.parent for path in sorted(folder.path.glob(f"*/{_JOINED}")) if path.is_file()]
    inner = Folder(joins[0], folder.path) if len(joins) == 1 else None
    return inner if inner is not None and "flame_param_path" in first_frame(inner) else None


def _recognises(folder: Folder) -> bool:
    return _home(folder) is not None


def _read(folder: Folder, head: HeadModel, progress: Progress) -> Footage:
    folder = _home(folder) or folder
    found = entries(folder)
    steps = [int(number(folder, f.get("timestep_index"), "timestep_index", w, 0, _MOST_TIMESTEPS)) for f, _, w in found]
    place = numbered(steps)
    files: dict[int, Path] = {}
    lenses, cutouts, pictures, told = [], [], [], set()
    for (frame, _, where), step in zip(found, steps, strict=True):
        pictures.append(folder.file(frame.get("file_path"), where))
        lens, about = lens_of(folder, frame, where, pictures[-1])
        lenses.append(lens)
        told.add(about)
        mask = frame.get("fg_mask_path")
        cutouts.append(Cutout(MASK, folder.file(mask, where)) if mask is not None else Cutout(PNG))
        files.setdefault(place[step], folder.file(frame.get("flame_param_path"), where))
    fps, rate = frame_rate(folder, found[0][0], found[0][2])
    track, offset_mm = _track([files[number] for number in range(len(files))], head, fps, progress)
    heads = head_poses(head, track)[[place[step] for step in steps]]
    cameras, reading = settle(folder, Convention(True, False), matrices_of(folder, found), lenses, heads)
    takes, splits = split_takes([
        Take(picture, cutout, camera, place[step], split)
        for picture, cutout, camera, step, (_, split, _) in zip(pictures, cutouts, cameras, steps, found, strict=True)
    ])  # fmt: skip
    kinds = " and ".join(sorted({cutout.kind for cutout in cutouts}))
    notes = [reading, *sorted(told), f"alpha: {kinds}", splits, rate]
    if offset_mm > 0:
        notes.append(f"head: its static_offset ({offset_mm:.1f} mm RMS) is left out, coefficients alone drive the mesh")
    return Footage(takes, track, fps, notes)


def _track(files: list[Path], head: HeadModel, fps: float, progress: Progress) -> tuple[FaceTrack, float]:
    """The frames' parameters as one track, and how large the offsets are that a track has no place for, in mm."""
    parts: list[dict[str, Any]] = []
    offset_mm = 0.0
    for count, file in enumerate(files):
        arrays = read_npz(file, "FLAME parameters", 64 << 20, (*_PARAMETERS, "static_offset"))
        if count == 0 and "static_offset" in arrays:
            offset = np.asarray(arrays["static_offset"], np.float64).reshape(-1, 3)
            offset_mm = 1000 * float(np.sqrt((offset**2).sum(1).mean()))
        parts.append({name: np.asarray(value) for name, value in arrays.items() if name in _PARAMETERS})
        if "expr" not in parts[-1] or parts[-1].keys() != parts[0].keys():
            raise ErlnetError("No expr in this frame, or other parameters than in the first", file, "export it again")
        progress(count / len(files), "reading FLAME parameters")
    joined: dict[str, Any] = {}
    for name in parts[0]:
        rows = [part[name].reshape(-1) for part in parts]
        if any(row.shape != rows[0].shape or row.dtype.kind not in "fiu" for row in rows):
            raise ErlnetError(f"The frames' {name} are not numbers of one length", files[0].parent, "export them again")
        joined[name] = np.stack(rows)
    shape = joined.pop("shape", np.zeros((1, 0))).mean(0)
    return made_track(joined, shape, head, fps, files[0].parent, "GaussianAvatars"), offset_mm


def made_track(
    channels: dict[str, np.ndarray], shape: np.ndarray, head: HeadModel, fps: float, where: object, dialect: str
) -> FaceTrack:
    """A track of the head; coefficients that are zero throughout and that the head does not have are dropped.

    Raises:
        ErlnetError: the head has fewer coefficients, or there is NaN among them.
    """
    have = {"expr": head.expressiondirs.shape[-1], "shape": head.shapedirs.shape[-1]}
    for name, values in (("expr", channels["expr"]), ("shape", shape[None])):
        most = have[name]
        if np.abs(values[:, most:]).max(initial=0) > 0:
            what = f"The dataset has {values.shape[1]} {name} coefficients, the head {head.id!r} has {most}"
            raise ErlnetError(what, where, "name the head that was tracked with --head HEAD.npz (or --from-head)")
    known = {name: value for name, value in channels.items() if name in CHANNELS}
    known["expr"] = known["expr"][:, : have["expr"]]
    try:
        source = f'{{"footage": "{dialect}"}}'
        track = FaceTrack(fps=fps, head_id=head.id, shape=shape[: have["shape"]], source=source, **known)
    except ErlnetError as error:
        raise ErlnetError(error.what, where, "track it again") from error
    if not np.isfinite(track.shape).all():
        raise ErlnetError("The identity coefficients hold NaN or infinity", where, "track it again")
    return track


GAUSSIAN_AVATARS = Dialect(
    "GaussianAvatars or VHAP", "transforms*.json with flame_param_path", _recognises, True, _read
)
