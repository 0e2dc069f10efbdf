"""NeRFace's own folders: head poses and expressions of a face model of its own (76 of them), and no FLAME.

transforms_train.json, _val, _test   camera_angle_x or intrinsics (fx, fy in pixels, cx, cy as shares of the picture);
                                     frames: file_path (no suffix), expression, transform_matrix (camera-to-world,
                                     OpenGL)
bg/00000.png …                       the empty background, where the pictures have no alpha
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....formats.head_model import HeadModel
from .conventions import Convention, Lens, settle
from .folder import Folder, number, numbers
from .footage import Dialect, Footage, Progress, Take, split_takes
from .nerf_index import entries, first_frame, frame_rate, lens_of, matrices_of
from .pictures import BACKGROUND, MASK, PNG, Cutout


def _recognises(folder: Folder) -> bool:
    frame = first_frame(folder)
    return {"expression", "transform_matrix", "file_path"} <= frame.keys() and "pose" not in frame


def _read(folder: Folder, head: HeadModel, progress: Progress) -> Footage:
    found = entries(folder)
    pictures = [_picture(folder, frame.get("file_path"), where) for frame, _, where in found]
    backgrounds = sorted((folder.path / "bg").glob("*.png")) if folder.has("bg") else []
    lenses = [_lens(folder, f, where, picture) for (f, _, where), picture in zip(found, pictures, strict=True)]
    still = np.tile(np.eye(4), (len(found), 1, 1))
    cameras, reading = settle(folder, Convention(True, False), matrices_of(folder, found), lenses, still)
    moments = {picture: moment for moment, picture in enumerate(sorted(set(pictures), key=_natural))}
    takes, splits = split_takes([
        Take(picture, _cutout(folder, picture, backgrounds), camera, moments[picture], split)
        for picture, camera, (_, split, _) in zip(pictures, cameras, found, strict=True)
    ])  # fmt: skip
    fps, rate = frame_rate(folder, found[0][0], found[0][2])
    notes = [
        reading, "head: poses are those of a head of NeRFace's own that stands still, its expressions are not FLAME's",
        "principal point: the dataset's, or the picture's middle", f"alpha: {takes[0].cutout.kind}", splits, rate,
        "scale: the dataset's is not metres, the tracked head says how large the world is",
    ]  # fmt: skip
    return Footage(takes, None, fps, notes)


def _picture(folder: Folder, name: object, where: str) -> Path:
    bare = folder.file(name, where)
    return bare if bare.suffix.lower() in (".png", ".jpg") else bare.with_name(f"{bare.name}.png")


def _lens(folder: Folder, frame: dict[str, Any], where: str, picture: Path) -> Lens:
    if not frame.get("intrinsics"):
        return lens_of(folder, frame, where, picture)[0]
    fx, fy, cx, cy = numbers(folder, frame["intrinsics"], (4,), "intrinsics", where)
    size = lens_of(folder, {**frame, "fl_x": 1.0}, where, picture)[0].size
    focal = [number(folder, abs(float(value)), "a focal length", where, 1, 1e6) for value in (fx, fy)]
    return Lens(*focal, float(cx * size[0]), float(cy * size[1]), *size)


def _cutout(folder: Folder, picture: Path, backgrounds: list[Path]) -> Cutout:
    mask = folder.file(f"mask/{picture.name}")
    if mask.is_file():
        return Cutout(MASK, mask)
    return Cutout(BACKGROUND, backgrounds[0]) if backgrounds else Cutout(PNG)


def _natural(path: Path) -> tuple[str, int, str]:
    """Folders in their order, numbers in names as numbers."""
    digits = "".join(char for char in path.stem if char.isdigit())
    return str(path.parent), int(digits[:18] or 0), path.name


NERFACE = Dialect("NeRFace", "transforms_*.json with expression and transform_matrix", _recognises, False, _read)
