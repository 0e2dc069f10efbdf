"""INSTA's folders: a head that stands still, a camera that moves about it, and the posed FLAME mesh of every frame.

transforms_train.json, _test, _val   fl_x, fl_y, cx, cy, w, h; frames: file_path, mesh_path, exp_path, transform_matrix
                                     (camera-to-world, OpenCV)
meshes/00000.obj                     FLAME's vertices, posed; flame/exp/00000.txt the expression coefficients
"""

from __future__ import annotations

import numpy as np

from ....formats.head_model import HeadModel
from .conventions import Convention, settle
from .folder import Folder
from .footage import Dialect, Footage, Progress, Take, split_takes
from .gaussian_avatars import made_track
from .mesh_pose import pose_meshes
from .nerf_index import entries, first_frame, frame_rate, lens_of, matrices_of
from .pictures import PNG, Cutout
from .torso import head_poses


def _recognises(folder: Folder) -> bool:
    return {"mesh_path", "exp_path"} <= first_frame(folder).keys()


def _read(folder: Folder, head: HeadModel, progress: Progress) -> Footage:
    found = entries(folder)
    pictures, meshes, expressions, lenses, told = [], [], [], [], set()
    for frame, _, where in found:
        name = frame.get("file_path")
        picture = folder.file(name, where)
        pictures.append(picture if picture.suffix else picture.with_suffix(".png"))
        meshes.append(folder.existing(frame.get("mesh_path", ""), where, "mesh"))
        expressions.append(folder.existing(frame.get("exp_path", ""), where, "expression"))
        lens, about = lens_of(folder, frame, where, pictures[-1])
        lenses.append(lens)
        told.add(about)
    # A moment is a mesh; val and test list the same ones.
    moments = {mesh: number for number, mesh in enumerate(sorted(set(meshes)))}
    expression_of = dict(zip(meshes, expressions, strict=True))
    fps, rate = frame_rate(folder, found[0][0], found[0][2])
    columns = [folder.column(expression_of[mesh], "expression coefficients") for mesh in moments]
    if len({len(column) for column in columns}) != 1:
        raise folder.refuse("The frames have different numbers of expression coefficients")
    empty = made_track({"expr": np.stack(columns)}, np.zeros(0), head, fps, folder.path, "INSTA")
    track, residual_mm = pose_meshes(folder, list(moments), head, empty, progress)
    heads = head_poses(head, track)[[moments[mesh] for mesh in meshes]]
    cameras, reading = settle(folder, Convention(True, True), matrices_of(folder, found), lenses, heads)
    takes, splits = split_takes([
        Take(picture, Cutout(PNG), camera, moments[mesh], split)
        for picture, camera, mesh, (_, split, _) in zip(pictures, cameras, meshes, found, strict=True)
    ])  # fmt: skip
    notes = [
        reading, *sorted(told), f"alpha: {PNG} (INSTA cuts the clothes away)", splits, rate,
        f"head: identity, jaw, eyes and eyelids are read off the meshes, to {residual_mm:.2f} mm RMS",
    ]  # fmt: skip
    return Footage(takes, track, fps, notes)


INSTA = Dialect("INSTA", "transforms*.json with mesh_path and exp_path", _recognises, True, _read)
