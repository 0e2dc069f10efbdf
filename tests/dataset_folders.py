"""Datasets as other projects lay them out, made from cameras and FLAME parameters that are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from erlnet_blender.camera import Camera
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.neural.flame.lbs import FlameTensors, pose_track, rotation_matrices

SIZE = 64
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
SKIN = (200, 150, 120)
HEAD, NECK, TORSO, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)


@dataclass(frozen=True)
class Film:
    """N frames of a head before M cameras; all that a dataset can say of it.

    Args:
        vertices: (N, V, 3) in the world; cameras: M, in the world; track: in the world.
    """

    head: HeadModel
    track: FaceTrack
    cameras: list[Camera]
    vertices: np.ndarray
    drawn: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, init=False)

    def pixels(self, frame: int, camera: int = 0) -> np.ndarray:
        """(V, 2) where the vertices are seen."""
        return project(self.cameras[camera], self.vertices[frame])

    def parts(self, frame: int, camera: int = 0) -> np.ndarray:
        """(H, W, 3) a parsing picture: head blue, neck green, torso red, the rest white."""
        if (frame, camera) in self.drawn:
            return self.drawn[frame, camera]
        picture = Image.new("RGB", (SIZE, SIZE), WHITE)
        draw, at = ImageDraw.Draw(picture), self.pixels(frame, camera)
        share = 1 - self.head.weights[:, 0]
        means = share[self.head.faces].mean(1)
        for corners, mean in zip((at[self.head.faces] - 0.5).reshape(-1, 6).tolist(), means, strict=True):
            draw.polygon(corners, fill=HEAD if mean > 0.9 else TORSO if mean < 0.1 else NECK)
        return self.drawn.setdefault((frame, camera), np.asarray(picture))

    def alpha(self, frame: int, camera: int = 0) -> np.ndarray:
        """(H, W) bool: what shows the person."""
        return self.parts(frame, camera).min(-1) < 128


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(P, 2) pixels of points (P, 3) in the camera's world."""
    matrix = np.linalg.inv(camera.rig_from_camera)
    x, y, z = (points @ matrix[:3, :3].T + matrix[:3, 3]).T
    return np.stack([camera.centre_x - camera.focal_x * x / z, camera.centre_y + camera.focal_y * y / z], 1)


def looking(azimuth: float, elevation: float, distance_m: float = 1.3, target: tuple = (0.01, -0.02, 0.0)) -> Camera:
    """A camera that looks at the head from azimuth and elevation (radians); its middle is not the picture's."""
    back = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    right = np.cross([0, 1, 0], back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(back, right), back], 1)
    matrix[:3, 3] = np.array(target) + distance_m * back
    return Camera(matrix, 150.0, 152.0, 31.0, 33.5, SIZE, SIZE)


def with_identities(head: HeadModel) -> HeadModel:
    """The rough head with two identity components and eyelids, all of them smooth."""
    place = head.v_template
    wide = np.stack([place[:, 0], 0 * place[:, 1], 0 * place[:, 2]], 1) * 0.05
    deep = np.stack([0 * place[:, 0], 0.03 * place[:, 1], 0.08 * place[:, 2]], 1)
    return replace(head, shapedirs=np.stack([wide, deep], -1))


def film(head: HeadModel, frames: int = 6, cameras: int = 1, seed: int = 3, neck: bool = True) -> Film:
    """A performance with everything that a tracker finds."""
    random = np.random.default_rng(seed)

    def any_pose(size: float, lift: float = 0.0) -> np.ndarray:
        return random.uniform(-size, size, (frames, 3)) + [lift, 0, 0]

    track = FaceTrack(
        random.uniform(0, 1, (frames, head.expressiondirs.shape[-1])), 25.0, head.id,
        jaw_pose=np.abs(any_pose(0.2)) * [1, 0, 0], neck_pose=any_pose(0.15) if neck else np.zeros(0),
        rotation=any_pose(0.3, 0.1), translation=any_pose(0.02), eyes_pose=random.uniform(-0.2, 0.2, (frames, 6)),
        shape=random.uniform(-1, 1, head.shapedirs.shape[-1]),
    )  # fmt: skip
    places = [looking(random.uniform(-0.5, 0.5), random.uniform(-0.2, 0.2)) for _ in range(cameras)]
    return Film(head, track, places, posed(head, track))


def posed(head: HeadModel, track: FaceTrack) -> np.ndarray:
    """(N, V, 3) vertices in the track's world."""
    return pose_track(FlameTensors.from_head(head, torch.float64), track).vertices.numpy()


def split_of(frame: int, frames: int) -> str:
    """The last third is held out."""
    return "test" if frame >= frames - frames // 3 else "train"


def root_matrices(shot: Film) -> np.ndarray:
    """(N, 4, 4) world_from_root: turned about the root's joint, then moved."""
    head, track = shot.head, shot.track
    expression = np.einsum("vce,ne->nvc", head.expressiondirs, track.expr)
    shaped = head.v_template + head.shapedirs @ track.shape + expression
    joint = np.einsum("v,nvc->nc", head.J_regressor[0].astype(float), shaped)
    turn = rotation_matrices(torch.as_tensor(track.rotation, dtype=torch.float64)).numpy()
    matrices = np.tile(np.eye(4), (len(track), 1, 1))
    matrices[:, :3, :3] = turn
    matrices[:, :3, 3] = joint - np.einsum("nij,nj->ni", turn, joint) + track.translation
    return matrices


def write_gaussian_avatars(folder: Path, shot: Film) -> None:
    """VHAP's export: laid over white, with soft masks, c2w OpenGL."""
    frames: dict[str, list] = {"train": [], "test": [], "val": []}
    count = len(shot.track)
    for frame in range(count):
        one = shot.track[frame]
        path = folder / f"flame_param/{frame:05d}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        names = ("rotation", "translation", "neck_pose", "jaw_pose", "eyes_pose", "expr")
        offset = np.full((1, len(shot.head.v_template), 3), 0.0004, np.float32)
        np.savez(path, shape=one.shape, static_offset=offset, **{name: getattr(one, name) for name in names})
        for number, camera in enumerate(shot.cameras):
            name = f"{frame:05d}_{number:02d}.png"
            alpha = 255 * shot.alpha(frame, number).astype(float)
            alpha[alpha.argmax(0), range(SIZE)] *= 0.5  # soft at the top
            share = alpha[..., None] / 255
            over_white = np.round(share * SKIN + (1 - share) * 255).astype(np.uint8)
            _save(folder / "images" / name, over_white)
            _save(folder / "fg_masks" / name, np.round(alpha).astype(np.uint8))
            split = "val" if number + 1 == len(shot.cameras) > 1 else split_of(frame, count)
            frames[split].append({
                "timestep_index": frame + 7, "camera_index": number, "file_path": f"images/{name}",
                "fg_mask_path": f"fg_masks/{name}", "flame_param_path": f"flame_param/{frame:05d}.npz",
                "transform_matrix": camera.rig_from_camera.tolist(), **_lens(camera),
            })  # fmt: skip
    for split, listed in frames.items():
        _index(folder / f"transforms_{split}.json", {**_lens(shot.cameras[0]), "frames": listed})
    everything = [entry for part in frames.values() for entry in part]
    _index(folder / "transforms.json", {**_lens(shot.cameras[0]), "frames": everything})


def write_insta(folder: Path, shot: Film) -> None:
    """A head at rest, a camera about it, c2w OpenCV; val is a part of test."""
    listed = []
    camera = shot.cameras[0]
    for frame, matrix in enumerate(root_matrices(shot)):
        inverse = np.linalg.inv(matrix)
        name = f"{frame:05d}"
        mesh = shot.vertices[frame] @ inverse[:3, :3].T + inverse[:3, 3]
        lines = [f"v {x:.8f} {y:.8f} {z:.8f}" for x, y, z in mesh]
        lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in shot.head.faces]
        _text(folder / f"meshes/{name}.obj", "\n".join(lines))
        _text(folder / f"flame/exp/{name}.txt", "\n".join(f"{value:.8f}" for value in shot.track.expr[frame]))
        _save(folder / f"images/{name}.png", _cut_out(shot, frame))
        listed.append({
            "transform_matrix": (inverse @ camera.rig_from_camera @ _FLIP).tolist(), "file_path": f"images/{name}.png",
            "mesh_path": f"meshes/{name}.obj", "exp_path": f"flame/exp/{name}.txt",
        })  # fmt: skip
    lens = {key: float(value) for key, value in _lens(camera).items()}
    train = [entry for n, entry in enumerate(listed) if split_of(n, len(listed)) == "train"]
    for name, part in {"": listed, "_train": train, "_test": listed[len(train) :], "_val": listed[-2:]}.items():
        _index(folder / f"transforms{name}.json", {**lens, "integer_depth_scale": 0.001, "frames": part})


def write_imavatar(folder: Path, shot: Film) -> None:
    """A head four times its size, w2c, intrinsics as shares with fx below zero."""
    camera, track = shot.cameras[0], shot.track
    world_mat = np.linalg.inv(camera.rig_from_camera)[:3]
    world_mat[:, 3] *= 4
    frames = []
    for frame in range(len(track)):
        one = track[frame]
        name = str(frame + 1)
        _save(folder / f"image/{name}.png", _whole(shot, frame))
        _save(folder / f"mask/{name}.png", 255 * shot.alpha(frame).astype(np.uint8))
        pose = np.concatenate([one.rotation[0], one.neck_pose[0], one.jaw_pose[0], one.eyes_pose[0]])
        frames.append({"file_path": f"./image/{name}", "world_mat": world_mat.tolist(), "pose": pose.tolist(),
                       "expression": one.expr[0].tolist(), "bbox": [0, 0, 1, 1]})  # fmt: skip
    lens = [-camera.focal_x / SIZE, camera.focal_y / SIZE, camera.centre_x / SIZE, camera.centre_y / SIZE]
    _index(folder / "flame_params.json", {"frames": frames, "shape_params": track.shape.tolist(), "intrinsics": lens})


def write_bfm(folder: Path, shot: Film, face_rect: bool = False, parsing: bool = True) -> None:
    """RAD-NeRF's folder, or AD-NeRF's: poses of another head's frame, which is turned, moved and larger."""
    camera = replace(shot.cameras[0], focal_y=shot.cameras[0].focal_x)
    other = np.eye(4)
    other[:3, :3] = rotation_matrices(torch.tensor([0.08, 0.0, 0.02])).numpy()
    other[:3, 3] = [0.002, -0.03, 0.02]
    frames, count = [], len(shot.track)
    background = Image.effect_noise((SIZE, SIZE), 8).convert("RGB")
    _save(folder / "bc.jpg", np.asarray(background))
    for frame, matrix in enumerate(root_matrices(shot)):
        world_from_camera = np.linalg.inv(matrix @ other) @ camera.rig_from_camera
        world_from_camera[:3, 3] *= 1.06
        whole = np.where(shot.alpha(frame)[..., None], SKIN, np.asarray(background)).astype(np.uint8)
        _save(folder / ("com_imgs" if face_rect else "gt_imgs") / f"{frame}.jpg", whole)
        if parsing:
            _save(folder / f"parsing/{frame}.png", shot.parts(frame))
        rect = {"face_rect": [20, 20, 20, 20]} if face_rect else {}
        frames.append({"img_id": frame, "aud_id": frame, "transform_matrix": world_from_camera.tolist(), **rect})
    first = sum(split_of(frame, count) == "train" for frame in range(count))
    lens = {"focal_len": camera.focal_x, "cx": camera.centre_x, "cy": camera.centre_y}
    _index(folder / "transforms_train.json", {**lens, "frames": frames[:first]})
    _index(folder / "transforms_val.json", {**lens, "frames": frames[first:]})


def write_nerface(folder: Path, shot: Film) -> None:
    """NeRFace's own folder: a world half as large, 76 expressions of another model, an empty background."""
    camera, frames = shot.cameras[0], []
    background = np.asarray(Image.effect_noise((SIZE, SIZE), 8).convert("RGB"))
    _save(folder / "bg/00000.png", background)
    for frame, matrix in enumerate(root_matrices(shot)):
        world_from_camera = np.linalg.inv(matrix) @ camera.rig_from_camera
        world_from_camera[:3, 3] *= 0.5
        _save(folder / f"train/f_{frame:04d}.png", np.where(shot.alpha(frame)[..., None], SKIN, background))
        frames.append({"file_path": f"./train/f_{frame:04d}", "expression": [0.1] * 76,
                       "transform_matrix": world_from_camera.tolist()})  # fmt: skip
    lens = [camera.focal_x, camera.focal_y, camera.centre_x / SIZE, camera.centre_y / SIZE]
    _index(folder / "transforms_train.json", {"camera_angle_x": 0.42, "intrinsics": lens, "frames": frames})


WRITERS: dict[str, Callable[[Path, Film], None]] = {
    "gaussian_avatars": write_gaussian_avatars, "insta": write_insta, "imavatar": write_imavatar,
}  # fmt: skip


def _cut_out(shot: Film, frame: int) -> np.ndarray:
    return np.dstack([_whole(shot, frame), 255 * shot.alpha(frame).astype(np.uint8)])


def _whole(shot: Film, frame: int) -> np.ndarray:
    """The person before a coloured slope."""
    slope = np.stack([np.full((SIZE, SIZE), 40), *np.mgrid[0:SIZE, 0:SIZE] * 3], -1)
    return np.where(shot.alpha(frame)[..., None], SKIN, slope).astype(np.uint8)


def _lens(camera: Camera) -> dict:
    return {"fl_x": camera.focal_x, "fl_y": camera.focal_y, "cx": camera.centre_x, "cy": camera.centre_y,
            "w": camera.width, "h": camera.height}  # fmt: skip


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=95)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _index(path: Path, data: dict) -> None:
    _text(path, json.dumps(data))
