"""A head from one photograph: a real one, and faces of which the truth is known."""

import json
import sys

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from erlnet_blender import cli
from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats import picture
from erlnet_blender.formats.picture import read_picture
from erlnet_blender.neural.flame.correspondence import correspondence
from erlnet_blender.neural.flame.lbs import FlameTensors, forward, rotation_matrices
from erlnet_blender.neural.tracking.landmarks import Face, largest_face
from erlnet_blender.neural.tracking.photo import fit_photo
from erlnet_blender.worker.client import close_shared_client

from ..flame_files import flame_sized_head

ASTRONAUT = skimage.data.astronaut()


@pytest.fixture(scope="module")
def astronaut() -> Face:
    pytest.importorskip("mediapipe")
    return largest_face(ASTRONAUT)


def neutral_landmarks(head, shape):
    """(468, 3) metres."""
    vertices = head.v_template + head.shapedirs[..., : len(shape)] @ np.asarray(shape, np.float32)
    return correspondence(head).landmarks[:468].on(vertices, head.faces)


def seen(head, shape=(), expressions=None, jaw=0.0, turn=(0, 0, 0), distance_m=1.2, noise_px=0.0):
    """The face as a detector without faults would read it, 200 pixels between the eyes at the origin's depth."""
    pose = torch.zeros(1, 5, 3)
    pose[0, 2, 0] = jaw
    expr = torch.as_tensor(head.expression(expressions or {}))[None]
    posed = forward(FlameTensors.from_head(head), expr, pose, None, torch.as_tensor(np.array(shape, np.float32)))
    points = correspondence(head).landmarks.on(posed.vertices[0].numpy(), head.faces)
    turned = (points - points[:468].mean(0)) @ rotation_matrices(torch.tensor(turn, dtype=torch.float32)).numpy().T
    seen = turned[:, :2] * distance_m / (distance_m - turned[:, 2:]) * [1, -1] * 200 / 0.063 + 500
    seen += np.random.default_rng(0).normal(0, noise_px, seen.shape)
    return Face(np.concatenate([seen, -turned[:, 2:] * 200 / 0.063], 1), "")


def off_mm(head, found, truth):
    """RMS distance of the neutral landmarks of two identities, as far as no change of size explains it."""
    one, other = (
        places - places.mean(0) for places in (neutral_landmarks(head, found), neutral_landmarks(head, truth))
    )
    one = one * (one * other).sum() / (one * one).sum()
    return 1000 * np.sqrt(((one - other) ** 2).sum(1).mean())


def test_astronaut_within_4_percent(head, astronaut):
    fitted = fit_photo(astronaut, head)
    assert fitted.residual < 0.04
    assert np.abs(fitted.track.shape).max() <= 3
    off = fitted.places - astronaut.points[:468, :2]
    assert fitted.residual == pytest.approx(np.sqrt((off**2).sum(1).mean()) / astronaut.interocular)
    # She smiles: that is expression.
    expr = dict(zip(head.expression_names, fitted.track.expr[0], strict=True))
    assert min(expr["smile_L"], expr["smile_R"]) > 0.2
    assert fitted.track.head_id == head.id


def test_astronaut_on_a_head_without_landmarks(astronaut):
    fitted = fit_photo(astronaut, flame_sized_head())
    assert fitted.residual < 0.04
    assert fitted.track.shape.shape == (300,)


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.15, 0, 0.1), (0, 0.4, 0)])
def test_a_known_identity_is_found(head, turn):
    truth = np.zeros(head.shapedirs.shape[-1])
    truth[:6] = [1.5, -1.2, 1.0, -1.5, 1.0, 1.2]
    fitted = fit_photo(seen(head, truth, turn=turn, noise_px=1.0), head)
    assert fitted.residual < 0.012
    assert off_mm(head, fitted.track.shape, truth) < 0.35 * off_mm(head, 0 * truth, truth)


def test_a_smile_does_not_become_identity(head):
    smile = {"smile_L": 0.9, "smile_R": 0.9, "upper_lip_raise_L": 0.4, "upper_lip_raise_R": 0.4, "squint_L": 0.3}
    nobody = np.zeros(head.shapedirs.shape[-1])
    fitted = fit_photo(seen(head, nobody, smile, jaw=0.08), head)
    neutral, smiling = seen(head), seen(head, nobody, smile, jaw=0.08)
    moved_mm = 63 / 200 * np.sqrt(((smiling.points - neutral.points)[:468, :2] ** 2).sum(1).mean())
    assert off_mm(head, fitted.track.shape, nobody) < 0.35 * moved_mm
    expr = dict(zip(head.expression_names, fitted.track.expr[0], strict=True))
    assert min(expr["smile_L"], expr["smile_R"]) > 0.35
    assert fitted.track.jaw_pose[0, 0] == pytest.approx(0.08, abs=0.04)


def test_faces_far_away_and_several_are_found(astronaut):
    small = np.asarray(Image.fromarray(ASTRONAUT).resize((400, 400)))
    two = np.full((512, 1024, 3), 128, np.uint8)
    two[:, 512:], two[60:460, 40:440] = ASTRONAUT, small
    face = largest_face(two)
    assert "2 faces" in face.note
    assert "right" in face.note or "middle" in face.note
    assert np.abs(face.points[:468, :2] - [512, 0] - astronaut.points[:468, :2]).max() < 6
    far = np.full((1200, 1800, 3), 128, np.uint8)
    far[600:1112, 1000:1512] = ASTRONAUT
    assert np.abs(largest_face(far).points[:468, :2] - [1000, 600] - astronaut.points[:468, :2]).max() < 6


def test_a_picture_without_a_face_is_one_sentence():
    pytest.importorskip("mediapipe")
    with pytest.raises(ErlnetError, match=r"No face was found in the picture, sky\.png, choose"):
        largest_face(np.ascontiguousarray(ASTRONAUT[300:, :200]), "sky.png")


def test_without_mediapipe_there_is_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions", None)
    with pytest.raises(ErlnetError, match="pip install mediapipe"):
        largest_face(ASTRONAUT)


def test_pictures_of_every_kind_are_read_upright(tmp_path):
    image = Image.fromarray(ASTRONAUT[:200, :300])
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera lay on its side
    image.save(tmp_path / "turned.jpg", exif=turned, quality=95)
    assert read_picture(tmp_path / "turned.jpg").shape == (300, 200, 3)
    for name, mode in (("palette.png", "P"), ("alpha.png", "RGBA"), ("grey.png", "L"), ("ink.tif", "CMYK")):
        image.convert(mode).save(tmp_path / name)
        read = read_picture(tmp_path / name)
        assert read.shape == (200, 300, 3)
        assert np.abs(read.astype(float).mean(-1) - ASTRONAUT[:200, :300].mean(-1)).mean() < 12
    Image.fromarray(ASTRONAUT[..., 0].astype(np.uint16) * 200).save(tmp_path / "deep.png")
    assert np.abs(read_picture(tmp_path / "deep.png")[..., 0].astype(int) - ASTRONAUT[..., 0]).max() < 3
    assert max(read_picture(tmp_path / "deep.png", max_side=100).shape) == 100


def test_what_is_no_picture_is_refused(tmp_path, monkeypatch):
    text, cut, huge = tmp_path / "text.png", tmp_path / "cut.jpg", tmp_path / "huge.png"
    text.write_text("no picture")
    Image.fromarray(ASTRONAUT).save(cut)
    cut.write_bytes(cut.read_bytes()[:5000])
    Image.new("1", (400, 300)).save(huge)
    monkeypatch.setattr(picture, "MAX_PIXELS", 100_000)
    for path, words in ((text, "Not a readable picture"), (cut, "Not a readable|pixels"), (huge, "million pixels"),
                        (tmp_path / "none.png", "No such picture"), (tmp_path, "No such picture")):  # fmt: skip
        with pytest.raises(ErlnetError, match=words):
            read_picture(path)
    monkeypatch.setattr(picture, "MAX_PIXELS", 10**7)
    with pytest.raises(ErlnetError, match="Not a readable picture"):
        read_picture(cut)


def test_fit_on_the_command_line(tmp_path, head, capsys, astronaut):
    photo, output = tmp_path / "astronaut.png", tmp_path / "shape.npz"
    Image.fromarray(ASTRONAUT).save(photo)
    try:
        assert cli.main(["fit", str(photo), "-o", str(output), "--json"]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert figures["residual_percent"] < 4
        assert figures["notes"] == []
        track = FaceTrack.load(output)
        assert len(track) == 1
        assert np.allclose(track.shape, figures["shape"], atol=1e-4)
        Image.fromarray(ASTRONAUT[300:, :200]).save(photo)
        assert cli.main(["fit", str(photo), "-o", str(tmp_path / "none.npz")]) == 2
        assert "No face was found" in capsys.readouterr().err
        assert not (tmp_path / "none.npz").exists()
    finally:
        close_shared_client()
