"""Datasets of other projects as captures: the same pixels, masks and splits; one sentence for what cannot be used."""

import json
import os
import struct
import zlib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from erlnet_blender import cli
from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.dbf_nerf.dataset import CaptureDataset
from erlnet_blender.neural.dbf_nerf.datasets import as_capture, dialect_of
from erlnet_blender.neural.dbf_nerf.datasets.torso import head_poses
from erlnet_blender.neural.dbf_nerf.datasets.tracking import track_frames
from erlnet_blender.neural.flame.correspondence import correspondence
from erlnet_blender.neural.tracking.landmarks import Face, largest_face

from ..dataset_folders import (
    SKIN,
    WRITERS,
    Film,
    film,
    looking,
    posed,
    project,
    split_of,
    with_identities,
    write_bfm,
    write_gaussian_avatars,
    write_imavatar,
    write_insta,
    write_nerface,
)
from .rough_head import rough_head


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def rough():
    return with_identities(rough_head())


@pytest.fixture(scope="module")
def short(rough) -> Film:
    return film(rough, 3, neck=False)


def off_px(capture: CaptureDataset, shot: Film, head, chosen) -> float:
    """The largest distance in pixels between vertices as the dataset and as the capture shows them."""
    vertices, cameras, worst = posed(head, capture.track), len(shot.cameras), 0.0
    assert len(capture.shots) == cameras * len(shot.track)
    for number, seen in enumerate(capture.shots):
        found = project(seen.camera, vertices[seen.timestep])
        worst = max(worst, float(np.abs(found - shot.pixels(number // cameras, number % cameras))[chosen].max()))
    return worst


def skull(head):
    return head.weights[:, 0] < 1e-6


@pytest.mark.parametrize("torso", ["still", "tracked"])
@pytest.mark.parametrize("name", WRITERS)
def test_tracked_datasets_show_the_same_pixels(tmp_path, rough, name, torso):
    shot = film(rough, neck=name != "insta")
    if name == "imavatar":
        shot = replace(shot, track=replace(shot.track, translation=np.zeros(0)))
        shot = replace(shot, vertices=posed(rough, shot.track))
    WRITERS[name](tmp_path / "data", shot)
    capture, notes = as_capture(tmp_path / "data", tmp_path / "capture", rough, torso=torso)
    everything = np.ones(len(rough.v_template), bool)
    assert off_px(capture, shot, rough, skull(rough) if torso == "still" else everything) < 0.1
    assert capture.track.head_id == rough.id
    assert np.allclose(capture.track.shape, shot.track.shape, atol=0.03)
    assert np.allclose(capture.track.jaw_pose, shot.track.jaw_pose, atol=0.01)
    assert [seen.split for seen in capture.shots if seen.split != "val"]
    if name != "imavatar":
        assert [seen.split for seen in capture.shots] == [split_of(seen.timestep, 6) for seen in capture.shots]
    else:
        assert [seen.split for seen in capture.shots] == ["train"] * 5 + ["test"]
    for seen in capture.shots:
        alpha = capture.picture(seen)[..., 3]
        assert ((alpha > 0) == shot.alpha(seen.timestep)).all()
    assert any(line.startswith("torso: ") for line in notes)
    if torso == "still":
        assert np.abs(capture.track.rotation).max() == 0
        assert np.abs(capture.track.neck_pose).max() > 0.2
        # One camera, and the torso stands before it but for what the neck's joint moves.
        assert np.ptp([seen.camera.rig_from_camera for seen in capture.shots], 0).max() < 1e-9
        assert np.abs(capture.track.translation.mean(0)).max() < 1e-4


def test_several_cameras_and_what_was_white(tmp_path, rough):
    shot = film(rough, 6, cameras=3)
    write_gaussian_avatars(tmp_path / "data", shot)
    capture, notes = as_capture(tmp_path / "data", tmp_path / "capture", rough)
    assert off_px(capture, shot, rough, skull(rough)) < 0.1
    assert [seen.split for seen in capture.shots[:3]] == ["train", "train", "val"]
    assert [seen.split for seen in capture.shots[-3:]] == ["test", "test", "val"]
    pixels = capture.picture(capture.shots[0])
    soft = (pixels[..., 3] > 0) & (pixels[..., 3] < 255)
    assert soft.sum() > 5
    assert np.abs(pixels[soft][:, :3].astype(int) - SKIN).max() <= 3
    told = "\n".join(notes)
    assert "camera-to-world with OpenGL axes" in told
    assert "static_offset (0.7 mm RMS)" in told
    assert "from the" not in told


def test_axes_are_told_by_where_the_head_is(tmp_path, rough):
    """VHAP writes INSTA's folders with OpenGL's axes, and some turn GaussianAvatars' into OpenCV's or invert them."""
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    shot = film(rough, 4, neck=False)
    write_insta(tmp_path / "insta", shot)
    write_gaussian_avatars(tmp_path / "vhap", shot)
    for name, change in (("insta", lambda m: m @ flip), ("vhap", lambda m: np.linalg.inv(m @ flip))):
        for index in (tmp_path / name).glob("transforms*.json"):
            data = json.loads(index.read_text())
            for frame in data["frames"]:
                frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()
            index.write_text(json.dumps(data))
        capture, notes = as_capture(tmp_path / name, tmp_path / f"{name}.capture", rough)
        assert off_px(capture, shot, rough, skull(rough)) < 0.1
        assert "is usual: that does not show the head" in "\n".join(notes)


def seen_faces(shot: Film) -> list[Face]:
    """The landmarks as a detector without faults would read them."""
    points = correspondence(shot.head).landmarks
    camera, faces = shot.cameras[0], []
    matrix = np.linalg.inv(camera.rig_from_camera)
    for vertices in shot.vertices:
        places = points.on(vertices, shot.head.faces)
        depth = -(places @ matrix[:3, :3].T + matrix[:3, 3])[:, 2]
        z = (depth - depth[:468].mean()) * camera.focal_x / depth.mean()
        faces.append(Face(np.column_stack([project(camera, places), z]), ""))
    return faces


def finder(faces: list[Face], blind: tuple[int, ...] = ()):
    def find(picture: np.ndarray, where: object) -> Face:
        number = int(str(where).split()[-1])
        if number in blind:
            raise ErlnetError("No face was found in the picture", where)
        return faces[number]

    return find


@pytest.fixture(scope="module")
def talking(head) -> Film:
    """The default head, of another identity, saying something before the camera of an AD-NeRF dataset."""
    shot = film(head, 5, seed=5, neck=False)
    expr = np.zeros_like(shot.track.expr)
    expr[:, [6, 7]] = np.linspace(0, 0.7, 5)[:, None]
    lids = np.tile(np.array([0.0, 0.0, 0.9, 0.0, 0.5])[:, None], 2)
    shape = np.zeros(head.shapedirs.shape[-1])
    shape[:3] = [1.0, -0.8, 0.6]
    track = replace(shot.track, expr=expr, eyelids=lids, shape=shape, rotation=0.5 * shot.track.rotation)
    camera = replace(looking(0.1, 0.05, 1.0), focal_x=140.0, focal_y=140.0)
    return Film(head, track, [camera], posed(head, track))


@pytest.mark.parametrize("kind", ["rad", "nerface"])
def test_heads_that_are_not_flame_are_tracked(tmp_path, head, talking, kind):
    {"rad": write_bfm, "nerface": write_nerface}[kind](tmp_path / "data", talking)
    tracker = partial(track_frames, find=finder(seen_faces(talking), blind=(3,) if kind == "rad" else ()))
    capture, notes = as_capture(tmp_path / "data", tmp_path / "capture", tracker=tracker)
    assert dialect_of(tmp_path / "data").name.startswith({"rad": "RAD", "nerface": "NeRFace"}[kind])
    assert capture.track.head_id == head.id
    face = (head.regions["face"] > 0.5) & skull(head)
    everybody = [n for n in range(5) if n != 3 or kind != "rad"]
    vertices = posed(head, capture.track)
    for number in everybody:
        found = project(capture.shots[number].camera, vertices[number])
        assert np.sqrt(((found - talking.pixels(number))[face] ** 2).sum(1).mean()) < 0.25
    expr, smile = capture.track.expr, talking.track.expr[:, 6]
    # Identity and other expressions take their part of it, but no more.
    assert np.corrcoef(expr[everybody][:, [6, 7]].mean(1), smile[everybody])[0, 1] > 0.98
    assert expr[4, [6, 7]].min() > 0.5 * smile[4]
    assert capture.track.eyelids[2].min() > 0.5 > capture.track.eyelids[0].max()
    gaze = capture.track.eyes_pose.reshape(5, 2, 3)[everybody, :, :2].mean(1)
    truth = talking.track.eyes_pose.reshape(5, 2, 3)[everybody, :, :2].mean(1)
    assert np.corrcoef(gaze.ravel(), truth.ravel())[0, 1] > 0.8
    assert np.abs(capture.track.rotation).max() == 0
    assert [shot.split for shot in capture.shots] == ["train"] * 4 + ["test"]
    for shot in capture.shots:
        wrong = (capture.picture(shot)[..., 3] > 0) != talking.alpha(shot.timestep)
        assert wrong.mean() < (1e-9 if kind == "rad" else 0.02)
    assert "cameras: camera-to-world with OpenGL axes" in notes
    assert ("none was found in 1 pictures" in "\n".join(notes)) == (kind == "rad")


def test_another_tracker_takes_part(tmp_path, head, talking):
    """AD-NeRF's folder without parsing pictures: the person is what differs from the background."""
    write_bfm(tmp_path / "data", talking, face_rect=True, parsing=False)

    def tracker(picture, cameras, chosen, fps, progress):
        assert picture(2).shape == (64, 64, 3)
        assert (len(cameras), chosen.id, fps) == (5, head.id, 25.0)
        return talking.track, talking.cameras * 5, ["face: by hand"]

    capture, notes = as_capture(tmp_path / "data", tmp_path / "capture", tracker=tracker)
    assert notes[0] == "dataset: AD-NeRF"
    assert "face: by hand" in notes
    assert off_px(capture, replace(talking, cameras=talking.cameras), head, skull(head)) < 0.1
    for shot in capture.shots:
        assert ((capture.picture(shot)[..., 3] > 0) != talking.alpha(shot.timestep)).mean() < 0.02


def test_a_real_face_is_tracked(tmp_path, head):
    """A photograph, rolled about the camera's axis: the head's poses say so, and landmarks lie where FaceMesh sees."""
    pytest.importorskip("mediapipe")
    data = tmp_path / "data"
    for name in ("ori_imgs", "parsing"):
        (data / name).mkdir(parents=True)
    frames, pictures = [], []
    for number, degrees in enumerate((0.0, 8.0, -8.0)):
        picture = Image.fromarray(skimage.data.astronaut()).rotate(degrees, Image.Resampling.BICUBIC)
        pictures.append(np.asarray(picture))
        picture.save(data / f"ori_imgs/{number}.png")
        parsing = np.full((512, 512, 3), 255, np.uint8)
        parsing[40:500, 60:420] = (0, 0, 255)
        Image.fromarray(parsing).save(data / f"parsing/{number}.png")
        roll = np.eye(4)
        # The picture turns anticlockwise when the camera rolls clockwise.
        angle = -np.radians(degrees)
        roll[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix = np.eye(4)
        matrix[:3, 3] = [0.03, -0.12, 0.9]
        frames.append({"img_id": number, "aud_id": number, "transform_matrix": (matrix @ roll).tolist()})
    index = {"focal_len": 1000.0, "cx": 256.0, "cy": 256.0, "frames": frames}
    (data / "transforms_train.json").write_text(json.dumps(index))
    capture, _ = as_capture(data, tmp_path / "capture")
    points = correspondence(head).landmarks[:468]
    vertices = posed(head, capture.track)
    for shot, picture in zip(capture.shots, pictures, strict=True):
        face = largest_face(picture)
        found = project(shot.camera, points.on(vertices[shot.timestep], head.faces))
        off = np.sqrt(((found - face.points[:468, :2]) ** 2).sum(1).mean()) / face.interocular
        assert off < 0.06
    turned = head_poses(head, capture.track)[:, :3, 1]
    rolls = np.degrees(np.arctan2(-turned[:, 0], turned[:, 1]))
    assert np.ptp(rolls) == pytest.approx(16, abs=3)


def test_sequences_that_were_joined(tmp_path, rough, short):
    """GaussianAvatars trains on a folder of indexes that name files of the sequences beside it."""
    write_gaussian_avatars(tmp_path / "data/EMO-1", short)
    (tmp_path / "data/UNION").mkdir()
    for index in (tmp_path / "data/EMO-1").glob("transforms_*.json"):
        data = json.loads(index.read_text())
        for frame in data["frames"]:
            for name in ("file_path", "fg_mask_path", "flame_param_path"):
                frame[name] = f"../EMO-1/{frame[name]}"
        (tmp_path / "data/UNION" / index.name).write_text(json.dumps(data))
    (tmp_path / "data/UNION/sequences_trainval.txt").write_text("EMO-1\n")
    capture, _ = as_capture(tmp_path / "data", tmp_path / "capture", rough)
    assert off_px(capture, short, rough, skull(rough)) < 0.1
    with pytest.raises(ErlnetError, match="choose the folder above"):
        as_capture(tmp_path / "data/UNION", tmp_path / "other", rough)


def test_other_heads_take_over(tmp_path, head, other_head):
    """Coefficients of one head, and the avatar on another: the face stays where it is seen."""
    shot = film(other_head, 3, seed=1)
    quiet = replace(shot.track, expr=0.2 * shot.track.expr[:, :30], shape=np.zeros(0), jaw_pose=np.zeros(0))
    quiet.translation += np.float32([0.6, 0.3, -0.4])  # a world whose middle is not the head
    cameras = [looking(0.1, 0.0, target=(0.6, 0.28, -0.4)), looking(-0.3, 0.1, target=(0.6, 0.28, -0.4))]
    shot = replace(shot, track=quiet, vertices=posed(other_head, quiet), cameras=cameras)
    write_gaussian_avatars(tmp_path / "data", shot)
    with pytest.raises(ErlnetError, match="which one was not said"):
        as_capture(tmp_path / "data", tmp_path / "capture")
    capture, notes = as_capture(tmp_path / "data", tmp_path / "capture", head, tracked_with=other_head)
    assert capture.track.head_id == head.id
    assert "refitted from" in "\n".join(notes)
    ours, theirs = correspondence(head).landmarks[:468], correspondence(other_head).landmarks[:468]
    vertices = posed(head, capture.track)
    for number, seen in enumerate(capture.shots):
        found = project(seen.camera, ours.on(vertices[seen.timestep], head.faces))
        truth = project(shot.cameras[number % 2], theirs.on(shot.vertices[seen.timestep], other_head.faces))
        assert np.sqrt(((found - truth) ** 2).sum(1).mean()) < 0.5


def test_a_capture_is_used_again_and_ours_where_it_is(tmp_path, rough):
    write_imavatar(tmp_path / "data", film(rough, 3))
    out = tmp_path / "avatar.capture"
    _, notes = as_capture(tmp_path / "data", out, rough)
    before = (out / "transforms.json").stat().st_mtime_ns
    capture, again = as_capture(tmp_path / "data", out, rough)
    assert again == notes
    assert (out / "transforms.json").stat().st_mtime_ns == before
    as_capture(tmp_path / "data", out, rough, torso="tracked")
    assert (out / "transforms.json").stat().st_mtime_ns != before
    capture, notes = as_capture(out, tmp_path / "nowhere", rough)
    assert capture.folder == out
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("keep")
    with pytest.raises(ErlnetError, match="Something else has this name"):
        as_capture(tmp_path / "data", tmp_path / "mine", rough)
    assert os.listdir(tmp_path / "mine") == ["letter.txt"]


def test_the_command_line_converts_a_dataset(tmp_path, rough, capsys):
    write_insta(tmp_path / "data", film(rough, 3, neck=False))
    rough.save(tmp_path / "head.npz")
    words = ["convert", str(tmp_path / "data"), "-o", str(tmp_path / "capture"), "--json"]
    assert cli.main([*words, "--head", str(tmp_path / "head.npz")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == 3
    assert any("OpenCV" in line for line in told["assumed"])
    assert len(CaptureDataset.load(tmp_path / "capture").shots) == 3
    assert cli.main([*words[:3], str(tmp_path / "other")]) == 2
    assert "--head HEAD.npz" in capsys.readouterr().err


# Datasets that cannot be used


def _huge_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _in_index(name, change):
    def spoil(folder):
        for path in folder.glob(name):
            data = json.loads(path.read_text())
            for frame in data["frames"]:
                change(frame)
            path.write_text(json.dumps(data))

    return spoil


def _cut(name):
    def spoil(folder):
        for path in folder.glob(name):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return spoil


def _set(name, content):
    def spoil(folder):
        next(iter(sorted(folder.glob(name)))).write_bytes(content)

    return spoil


def _small(name):
    return lambda folder: Image.new("RGB", (32, 64)).save(sorted(folder.glob(name))[0])


def _without(name):
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def _linked(name):
    def spoil(folder):
        secret = folder.parent / "secret.png"
        path = sorted(folder.glob(name))[0]
        path.replace(secret)
        path.symlink_to(secret)

    return spoil


NAN = [[float("nan")] * 4] * 4
SPOILT = {
    "no picture": (write_gaussian_avatars, _without("images/00001*"), "No such picture"),
    "no mask": (write_gaussian_avatars, _without("fg_masks/00000*"), "No such picture"),
    "no parameters": (write_gaussian_avatars, _without("flame_param/00001*"), "No such FLAME parameters"),
    "cut parameters": (write_gaussian_avatars, _cut("flame_param/00001*"), "Not a readable FLAME parameters"),
    "NaN": (write_gaussian_avatars, _in_index("t*.json", lambda f: f.update(transform_matrix=NAN)), "NaN or infinity"),
    "no rotation": (
        write_insta, _in_index("t*.json", lambda f: f.update(transform_matrix=(2 * np.eye(4)).tolist())), "rotation",
    ),
    "away": (
        write_gaussian_avatars,
        _in_index("t*.json", lambda f: f["transform_matrix"][0].__setitem__(3, 5.0)),
        "do not show an upright head",
    ),
    "text": (write_insta, _in_index("t*.json", lambda f: f.update(fl_x="wide")), "fl_x is wide"),
    "escaping": (write_insta, _in_index("t*.json", lambda f: f.update(mesh_path="../secret.obj")), "leaves the folder"),
    "absolute": (write_imavatar, _in_index("f*.json", lambda f: f.update(file_path="/etc/passwd")), "leaves|picture"),
    "linked": (write_insta, _linked("images/*.png"), "leaves the folder"),
    "zero byte": (write_insta, _in_index("t*.json", lambda f: f.update(file_path="a\0b")), "not the name of a file"),
    "no name": (write_insta, _in_index("t*.json", lambda f: f.pop("file_path")), "not the name of a file"),
    "small": (write_gaussian_avatars, _small("images/*.png"), "The picture is 32 x 64, its camera 64 x 64"),
    "small mask": (write_imavatar, _small("mask/2.png"), "The picture is 32 x 64, its camera 64 x 64"),
    "truncated": (write_gaussian_avatars, _cut("t*.json"), "Not a readable index"),
    "list": (write_gaussian_avatars, _set("transforms_train.json", b"[1, 2]"), "Not the index of a dataset"),
    "huge": (write_insta, _set("images/*.png", _huge_png()), "more than 100 million pixels"),
    "no PNG": (write_imavatar, _set("image/*.png", b"<html>"), "Not a readable picture"),
    "cut PNG": (write_insta, _cut("images/00001.png"), "Not a readable picture"),
    "cut mesh": (write_insta, _cut("meshes/00001.obj"), "Not a readable .obj|vertices|differ"),
    "words": (write_insta, _set("flame/exp/*.txt", b"smile"), "are not numbers"),
    "pose": (write_imavatar, _in_index("f*.json", lambda f: f.update(pose=[0.0] * 6)), "pose has shape"),
    "many": (write_imavatar, _in_index("f*.json", lambda f: f.update(expression=[1.0] * 50)), "the head 'rough' has 2"),
    "nothing": (write_imavatar, _without("f*.json"), "Not a dataset that is known .*GaussianAvatars"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_one_sentence_and_nothing_left(tmp_path, rough, short, name):
    write, spoil, sentence = SPOILT[name]
    write(tmp_path / "data", short)
    spoil(tmp_path / "data")
    there = sorted(os.listdir(tmp_path))
    with pytest.raises(ErlnetError, match=sentence) as caught:
        as_capture(tmp_path / "data", tmp_path / "capture", rough)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == there


def test_pictures_that_nothing_is_cut_out_of(tmp_path, rough):
    write_imavatar(tmp_path / "data", film(rough, 3))
    _without("mask/*")(tmp_path / "data")
    with pytest.raises(ErlnetError, match="no alpha"):
        as_capture(tmp_path / "data", tmp_path / "capture", rough)
    assert not (tmp_path / "capture").exists()


def test_faces_that_nobody_sees(tmp_path, talking):
    write_bfm(tmp_path / "data", talking)
    tracker = partial(track_frames, find=finder(seen_faces(talking), blind=(0, 1, 2)))
    with pytest.raises(ErlnetError, match="A face was found in 2 of 5 pictures"):
        as_capture(tmp_path / "data", tmp_path / "capture", tracker=tracker)
    assert not (tmp_path / "capture").exists()
