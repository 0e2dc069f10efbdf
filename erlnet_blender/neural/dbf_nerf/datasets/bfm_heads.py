"""The AD-NeRF family: AD-NeRF, RAD-NeRF, ER-NeRF, SyncTalk, GaussianTalker. Head poses of BFM's head, and no FLAME.

transforms_train.json, _val   focal_len, cx, cy; frames: img_id, aud_id, transform_matrix (camera-to-world, OpenGL, in
                              the frame of the head, translation in metres); AD-NeRF also face_rect
ori_imgs/ gt_imgs/ com_imgs/  0.jpg … the whole picture; the latter two with the background bc.jpg
parsing/                      0.png … head blue, neck green, torso red, background white
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ....formats.head_model import HeadModel
from .conventions import Convention, Lens, settle
from .folder import MAX_SIDE, Folder, number
from .footage import Dialect, Footage, Progress, Take, numbered, split_takes
from .nerf_index import entries, first_frame, frame_rate, matrices_of
from .pictures import BACKGROUND, PARSING, Cutout, picture_size

_FOLDERS = ("ori_imgs", "gt_imgs", "com_imgs")
_MOST_IDS = 10_000_000


def _is_family(folder: Folder) -> bool:
    return {"focal_len", "img_id"} <= first_frame(folder).keys()


def _recognises_ad(folder: Folder) -> bool:
    return _is_family(folder) and "face_rect" in first_frame(folder)


def _read(folder: Folder, head: HeadModel, progress: Progress) -> Footage:
    found = entries(folder)
    ids = [int(number(folder, frame.get("img_id"), "img_id", where, 0, _MOST_IDS)) for frame, _, where in found]
    place = numbered(ids)
    pictures = next((name for name in _FOLDERS if (folder.path / name).is_dir()), None)
    if pictures is None:
        raise folder.refuse(f"None of the folders {', '.join(_FOLDERS)} is here", "", "copy the dataset again")
    cut, kind = _cutting(folder)
    size = picture_size(_numbered_file(folder, pictures, ids[0]))
    lenses, takes = [], []
    for frame, _, where in found:
        focal = number(folder, frame.get("focal_len"), "focal_len", where, 1, 1e6)
        centre = [
            number(folder, frame.get(name, side / 2), name, where, -MAX_SIDE, 2 * MAX_SIDE)
            for name, side in zip(("cx", "cy"), size, strict=True)
        ]
        lenses.append(Lens(focal, focal, *centre, *size))
    still = np.tile(np.eye(4), (len(found), 1, 1))
    cameras, reading = settle(folder, Convention(True, False), matrices_of(folder, found), lenses, still)
    for camera, (_, split, _), image in zip(cameras, found, ids, strict=True):
        picture = _numbered_file(folder, pictures, image)
        cutout = Cutout(kind, cut if kind == BACKGROUND else folder.file(f"parsing/{image}.png"))
        takes.append(Take(picture, cutout, camera, place[image], split))
    takes, splits = split_takes(takes)
    fps, rate = frame_rate(folder, found[0][0], found[0][2])
    kept = "head, neck and torso are kept" if kind == PARSING else "what differs from bc.jpg is kept"
    notes = [
        reading, "head: poses are those of a BFM head that stands still, there are no coefficients of FLAME",
        "principal point: the dataset's (cx, cy)", f"pictures: {pictures}", f"alpha: {kind}, {kept}", splits, rate,
        "scale: translations are taken as they are (they were divided by 10, which makes metres); the tracked head "
        "corrects it, the training programs' own scale 4 is not in the files",
    ]  # fmt: skip
    return Footage(takes, None, fps, notes)


def _numbered_file(folder: Folder, inside: str, image: int) -> Path:
    files = [folder.file(f"{inside}/{image}{suffix}") for suffix in (".jpg", ".png")]
    return next((file for file in files if file.is_file()), files[0])


def _cutting(folder: Folder) -> tuple[Path, str]:
    """What cuts the person out: parsing pictures, or else the empty background."""
    if (folder.path / "parsing").is_dir():
        return folder.path / "parsing", PARSING
    background = next((name for name in ("bc.jpg", "bc.png") if folder.has(name)), None)
    if background is None:
        raise folder.refuse("Neither parsing pictures nor an empty background (bc.jpg) are here", "", "make either")
    return folder.file(background), BACKGROUND


AD_NERF = Dialect("AD-NeRF", "transforms_*.json with focal_len, img_id and face_rect", _recognises_ad, False, _read)
RAD_NERF = Dialect(
    "RAD-NeRF, ER-NeRF, SyncTalk or GaussianTalker",
    "transforms_*.json with focal_len and img_id",
    _is_family,
    False,
    _read,
)
