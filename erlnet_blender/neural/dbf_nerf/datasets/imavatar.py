"""IMavatar's folders, also of NeRFace's people: FLAME parameters and cameras in one flame_params.json a clip.

flame_params.json   frames: file_path (no suffix), world_mat 3 x 4 (world-to-camera, of a head four times its size),
                    expression 50, pose 15 (root, neck, jaw, eyes); shape_params 100; intrinsics fx, fy, cx, cy as
                    shares of the picture, fx below zero
image/ mask/        pictures of the same names
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ....formats.head_model import HeadModel
from .conventions import Convention, Lens, settle
from .folder import Folder, number, numbers, rigid
from .footage import FPS, TEST, TRAIN, Dialect, Footage, Progress, Take, split_takes
from .gaussian_avatars import made_track
from .pictures import MASK, PNG, Cutout, picture_size
from .torso import head_poses

INDEX = "flame_params.json"
_SCALE = 4.0
_OLD_SIZE = 512
"""Of the pictures that early files give their intrinsics for, in pixels."""


def _recognises(folder: Folder) -> bool:
    clips = _clips(folder)
    data = folder.json(clips[0]) if clips else {}
    return "shape_params" in data and "intrinsics" in data


def _clips(folder: Folder) -> list[str]:
    """The index, or those of the folders in this one."""
    if folder.has(INDEX):
        return [INDEX]
    inner = sorted(path.name for path in folder.path.iterdir() if path.is_dir() and (path / INDEX).is_file())
    return [f"{name}/{INDEX}" for name in inner]


def _read(folder: Folder, head: HeadModel, progress: Progress) -> Footage:
    rows: dict[str, list[np.ndarray]] = {"expr": [], "pose": []}
    pictures, cutouts, lenses, matrices, splits = [], [], [], [], []
    shape = np.zeros(0)
    for clip in _clips(folder):
        data, index = folder.json(clip), folder.path / clip
        shape = numbers(folder, data.get("shape_params"), (-1,), "shape_params", index)
        lens = None
        for count, frame in enumerate(data["frames"]):
            where = f"{index}, frame {count}"
            picture = _picture(folder, clip, frame.get("file_path"), where)
            lens = lens or _lens(folder, data.get("intrinsics"), picture, index)
            mask = _mask(picture)
            matrix = rigid(folder, frame.get("world_mat"), where)
            matrix[:3, 3] /= _SCALE
            rows["expr"].append(numbers(folder, frame.get("expression"), (-1,), "expression", where))
            rows["pose"].append(numbers(folder, frame.get("pose"), (15,), "pose", where))
            pictures.append(picture)
            cutouts.append(Cutout(MASK, mask) if mask.is_file() else Cutout(PNG))
            lenses.append(lens)
            matrices.append(matrix)
            splits.append(TEST if "test" in Path(clip).parent.name.lower() else TRAIN)
        progress(len(pictures) / (len(pictures) + 1), "reading FLAME parameters")
    if not pictures or len({len(row) for row in rows["expr"]}) != 1:
        raise folder.refuse("No frames, or frames with different numbers of expressions")
    pose = np.stack(rows["pose"])
    channels = {"expr": np.stack(rows["expr"]), "rotation": pose[:, :3], "neck_pose": pose[:, 3:6],
                "jaw_pose": pose[:, 6:9], "eyes_pose": pose[:, 9:]}  # fmt: skip
    track = made_track(channels, shape, head, FPS, folder.path, "IMavatar")
    cameras, reading = settle(folder, Convention(False, False), np.stack(matrices), lenses, head_poses(head, track))
    takes, told = split_takes([
        Take(picture, cutout, camera, step, split)
        for step, (picture, cutout, camera, split) in enumerate(zip(pictures, cutouts, cameras, splits, strict=True))
    ])  # fmt: skip
    notes = [
        reading, "scale: the head is four times its size in the dataset's world, cameras are brought to a quarter",
        "principal point: the dataset's", f"alpha: {' and '.join(sorted({cutout.kind for cutout in cutouts}))}",
        told, f"frame rate: {FPS:g} per second, the dataset does not say",
    ]  # fmt: skip
    return Footage(takes, track, FPS, notes)


def _picture(folder: Folder, clip: str, name: object, where: str) -> Path:
    """The picture that a frame calls by its name without suffix, seen from its clip's folder."""
    bare = folder.file(f"{Path(clip).parent.as_posix()}/{name}" if isinstance(name, str) else name, where)
    return bare if bare.suffix.lower() in (".png", ".jpg") else bare.with_name(f"{bare.name}.png")


def _mask(picture: Path) -> Path:
    return picture.parent.with_name("mask") / f"{picture.stem}.png"


def _lens(folder: Folder, intrinsics: object, picture: Path, where: object) -> Lens:
    """In pixels; fx is below zero since the camera looks along -z, which `settle` sees by the head."""
    fx, fy, cx, cy = numbers(folder, intrinsics, (4,), "intrinsics", where)
    width, height = picture_size(picture)
    unit = np.array([width, height]) / (_OLD_SIZE if cy > 1 else 1)
    focal = np.abs([fx, fy]) * unit
    for value in focal:
        number(folder, float(value), "a focal length", where, 1, 1e6)
    return Lens(*(float(value) for value in (*focal, *(unit * [cx, cy]))), width, height)


IMAVATAR = Dialect(
    "NeRFace or IMavatar", "flame_params.json with shape_params and intrinsics", _recognises, True, _read
)
