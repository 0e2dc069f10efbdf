"""What the transforms.json of several dialects have in common: splits in files of their own, lenses, matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from .conventions import Lens
from .folder import MAX_SIDE, Folder, number, rigid
from .footage import FPS, TEST, TRAIN, VAL
from .pictures import picture_size

_FILES = {split: f"transforms_{split}.json" for split in (TRAIN, VAL, TEST)}


def first_frame(folder: Folder) -> dict[str, Any]:
    """The first frame of the first index that is there, with the index's own values; empty if there is none."""
    for name in (*_FILES.values(), "transforms.json"):
        if folder.has(name):
            data = folder.json(name)
            if data["frames"]:
                return {**data, **data["frames"][0]}
    return {}


def entries(folder: Folder) -> list[tuple[dict[str, Any], str, str]]:
    """Every frame with its index's values, its split, and a name for messages.

    Raises:
        ErlnetError: no index, or no frames in it.
    """
    names = {split: name for split, name in _FILES.items() if folder.has(name)} or {TRAIN: "transforms.json"}
    found = []
    for split, name in names.items():
        data = folder.json(name)
        shared = {key: value for key, value in data.items() if key != "frames"}
        for count, frame in enumerate(data["frames"]):
            found.append(({**shared, **frame}, split, f"{folder.path / name}, frame {count}"))
    if not found:
        raise folder.refuse("The dataset has no pictures")
    return found


def frame_rate(folder: Folder, frame: dict[str, Any], where: str, usual: float = FPS) -> tuple[float, str]:
    """Frames per second, and a line on where that is from."""
    if "fps" in frame:
        return number(folder, frame["fps"], "fps", where, 1, 1000), "frame rate: the dataset's"
    return usual, f"frame rate: {usual:g} per second, the dataset does not say"


def lens_of(folder: Folder, frame: dict[str, Any], where: str, picture: Any) -> tuple[Lens, str]:
    """The frame's lens, and how its principal point was found.

    Args:
        picture: the path of its picture, which is asked for its size where the index is silent.
    """
    if "w" in frame and "h" in frame:
        width, height = (int(number(folder, frame[name], name, where, 1, MAX_SIDE)) for name in ("w", "h"))
    else:
        width, height = picture_size(picture)
    focal_x = _focal(folder, frame, where, ("fl_x", "camera_angle_x"), width)
    focal_y = _focal(folder, frame, where, ("fl_y", "camera_angle_y"), height)
    focal_x, focal_y = focal_x or focal_y, focal_y or focal_x
    if focal_x is None or focal_y is None:
        raise folder.refuse("No focal length (fl_x, camera_angle_x)", where)
    centre, told = (width / 2, height / 2), "principal point: the picture's middle, the dataset does not say"
    if "cx" in frame and "cy" in frame:
        x, y = (number(folder, frame[name], name, where, -MAX_SIDE, 2 * MAX_SIDE) for name in ("cx", "cy"))
        centre, told = (x, y), "principal point: the dataset's (cx, cy)"
    return Lens(focal_x, focal_y, *centre, width, height), told


def _focal(folder: Folder, frame: dict[str, Any], where: str, names: tuple[str, str], side: int) -> float | None:
    length, angle = names
    if length in frame:
        return number(folder, frame[length], length, where, 1, 1e6)
    if angle in frame:
        return side / 2 / np.tan(number(folder, frame[angle], angle, where, 1e-3, 3.0) / 2)
    return None


def matrices_of(folder: Folder, found: list[tuple[dict[str, Any], str, str]]) -> np.ndarray:
    """(N, 4, 4) the frames' transform_matrix."""
    return np.stack([rigid(folder, frame.get("transform_matrix"), where) for frame, _, where in found])
