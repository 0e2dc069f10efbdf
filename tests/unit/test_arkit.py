"""ARKit weights: from a face and back, and recordings of them on disk, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats import arkit
from erlnet_blender.formats.arkit import NAMES, FacePoses, Recording, poses_of, read_csv, weights_of, write_csv

# Every expression that any shape or substitution speaks of.
ALL_NAMES = sorted(
    {channel for shape in arkit.SHAPES.values() for channel in shape} - {*arkit.JOINT_CHANNELS, *arkit.EYELID_CHANNELS}
    | set(arkit.SAID_WITH)
)
OPPOSITES = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("eyeLookInLeft", "eyeLookOutLeft"),
    ("eyeLookInRight", "eyeLookOutRight"),
    ("eyeLookUpLeft", "eyeLookDownLeft"),
    ("eyeLookUpRight", "eyeLookDownRight"),
)


def random_weights(count: int, seed: int = 0) -> np.ndarray:
    """Weights that a face can show: nobody looks in and out at once, or presses half of the lips."""
    weights = np.random.default_rng(seed).uniform(0, 1, (count, len(NAMES)))
    for pair in OPPOSITES:
        smaller = np.argmin(weights[:, [NAMES.index(name) for name in pair]], 1)
        weights[np.arange(count), [NAMES.index(pair[k]) for k in smaller]] = 0
    weights[:, NAMES.index("mouthPressLeft")] = weights[:, NAMES.index("mouthPressRight")]
    return weights


def face(names: list[str], **values: float) -> FacePoses:
    """One frame with these expressions."""
    expr = np.array([[values.get(name, 0.0) for name in names]])
    return FacePoses(expr, np.zeros((1, 3)), np.zeros((1, 6)), np.zeros((1, 2)))


def shown(weights: np.ndarray) -> dict[str, float]:
    """The weights of one frame that are not zero."""
    return {name: round(float(value), 4) for name, value in zip(NAMES, weights[0], strict=True) if value > 1e-4}


def test_there_are_52_shapes_in_the_order_of_the_app():
    assert len(NAMES) == 52
    assert NAMES[0] == "eyeBlinkLeft"
    assert NAMES[14:18] == ("jawForward", "jawRight", "jawLeft", "jawOpen")
    assert NAMES[-1] == "tongueOut"
    mirrored = {name.replace("Left", "@").replace("Right", "Left").replace("@", "Right") for name in NAMES}
    assert mirrored == set(NAMES)


@pytest.mark.parametrize("jaw_side", [True, False], ids=["jaw_side is an expression", "jaw_side is a turn"])
def test_weights_become_a_face_and_the_same_weights_again(jaw_side):
    names = [name for name in ALL_NAMES if jaw_side or name != "jaw_side"]
    weights = random_weights(40)
    poses = poses_of(weights, names)
    assert poses.expr.shape == (40, len(names))
    assert poses.jaw_pose[:, 1].any() != jaw_side
    np.testing.assert_allclose(weights_of(poses, names), weights, atol=1e-5)


def test_the_jaw_and_its_seal():
    names = ["mouth_close"]
    poses = FacePoses(np.array([[1.0]]), np.radians([[10.0, 0, 0]]), np.zeros((1, 6)), np.zeros((1, 2)))
    assert shown(weights_of(poses, names)) == {"jawOpen": 0.5, "mouthClose": 0.5}


def test_eyes_look_where_they_look():
    left_and_down = arkit.axis_angle(np.radians([[15.0, 6.0, 0.0]]))
    eyes = np.concatenate([left_and_down, left_and_down], 1)
    poses = FacePoses(np.zeros((1, 0)), np.zeros((1, 3)), eyes, np.array([[1.0, 0.25]]))
    assert shown(weights_of(poses, [])) == {
        "eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.25, "eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5,
        "eyeLookDownLeft": 0.2, "eyeLookDownRight": 0.2,
    }  # fmt: skip
    # Rig space: the own left is +x, so the gaze z goes there.
    gaze = arkit.rotation_matrices(left_and_down)[0] @ [0, 0, 1]
    assert gaze[0] > 0 > gaze[1]


def test_both_sides_share_what_has_no_sides():
    assert shown(weights_of(face(["lips_press"], lips_press=0.4), ["lips_press"])) == {
        "mouthPressLeft": 0.4, "mouthPressRight": 0.4,
    }  # fmt: skip
    assert shown(weights_of(face(["puff_L", "puff_R"], puff_L=0.2, puff_R=0.6), ["puff_L", "puff_R"])) == {
        "cheekPuff": 0.4
    }


def test_what_arkit_lacks_is_said_with_what_it_has():
    names = ["f_tuck", "lip_roll_lower", "upper_lip_raise_L", "upper_lip_raise_R", "tongue_back"]
    weights = shown(weights_of(face(names, f_tuck=1.0, tongue_back=1.0), names))
    assert weights == {"mouthRollLower": 1.0, "mouthUpperUpLeft": 0.25, "mouthUpperUpRight": 0.25}
    # A head without the substitute just loses it.
    assert shown(weights_of(face(["f_tuck"], f_tuck=1.0), ["f_tuck"])) == {}


def test_weights_stay_between_0_and_1():
    names = ["smile_L", "funnel"]
    assert shown(weights_of(face(names, smile_L=3.0, funnel=-2.0), names)) == {"mouthSmileLeft": 1.0}


def test_angles_come_back():
    angles = np.random.default_rng(0).uniform(-1.4, 1.4, (200, 3))
    np.testing.assert_allclose(arkit.yaw_pitch_roll(arkit.axis_angle(angles)), angles, atol=1e-9)
    half_turn = arkit.rotation_matrices(np.array([[0, np.pi / 2, 0]]))[0]
    np.testing.assert_allclose(half_turn @ [0, 0, 1], [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize(("fps", "start_s"), [(25, 0.0), (60, 3661.5), (29.97, 1.0)])
def test_recordings_go_out_and_come_in(tmp_path, fps, start_s):
    random = np.random.default_rng(0)
    recording = Recording(random.uniform(0, 1, (130, 52)), random.normal(0, 0.3, (130, 9)), fps, start_s)
    write_csv(tmp_path / "take.csv", recording)
    lines = (tmp_path / "take.csv").read_text().splitlines()
    header = lines[0].split(",")
    assert header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert header[-9:] == ["HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
                           "RightEyeYaw", "RightEyePitch", "RightEyeRoll"]  # fmt: skip
    assert {len(line.split(",")) for line in lines} == {63}
    assert {line.split(",")[1] for line in lines[1:]} == {"61"}
    read = read_csv(tmp_path / "take.csv", fps if fps == 29.97 else None)
    assert read.fps == fps
    assert read.start_s == pytest.approx(start_s, abs=1e-3)
    np.testing.assert_allclose(read.weights, recording.weights, atol=1e-8)
    np.testing.assert_allclose(read.angles, recording.angles, atol=1e-8)


def test_timecode_of_an_hour(tmp_path):
    write_csv(tmp_path / "a.csv", Recording(np.zeros((2, 52)), np.zeros((2, 9)), 25, 3600 + 23 * 60 + 45.92))
    stamps = [line.split(",")[0] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    assert stamps == ["01:23:45:23.000", "01:23:45:24.000"]


def test_other_peoples_columns(tmp_path):
    """No tongue, no angles, camelCase, another order, a byte order mark, CRLF; and a frame was dropped."""
    names = list(reversed(NAMES[:-1]))
    rows = ["\ufeff" + ",".join(["Timecode", "BlendshapeCount", *names])]
    for frame in (0, 1, 3, 59):
        rows.append(f"10:00:00:{frame:02d}.000,51," + ",".join([str(frame / 100)] * 51))
    (tmp_path / "a.csv").write_bytes("\r\n".join(rows).encode())
    read = read_csv(tmp_path / "a.csv")
    assert read.fps == 60
    assert read.weights.shape == (60, 52)
    np.testing.assert_allclose(read.weights[:, 0], np.arange(60) / 100, atol=1e-9)
    assert not read.weights[:, -1].any()
    assert not read.angles.any()
    slower = arkit.at_rate(read, 30)
    assert len(slower.weights) == 30
    np.testing.assert_allclose(slower.weights[:, 0], np.arange(0, 60, 2) / 100, atol=1e-9)


HEADER = ",".join(["Timecode", "BlendShapeCount", *NAMES])
ZEROS = ",".join(["0"] * 52)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Not a recording of ARKit weights"),
        ("a,b,c\n1,2,3\n", "Not a recording of ARKit weights"),
        (HEADER, "empty or holds NaN"),
        (f"{HEADER}\n00:00:00:01.0,61,{ZEROS}\n00:00:00:02.0,61,1,2,3\n", "Line 3 of the recording is damaged"),
        (f"{HEADER}\nnow,61,{ZEROS}\n", "Line 2 of the recording is damaged"),
        (f"{HEADER}\n00:00:00:01.0,61,{ZEROS.replace('0', 'nan', 1)}\n", "empty or holds NaN"),
        (f"{HEADER}\n00:00:00:02.0,61,{ZEROS}\n00:00:00:01.0,61,{ZEROS}\n", "runs backwards"),
        (f"{HEADER}\n00:00:00:02.0,61,{ZEROS}\n99:00:00:01.0,61,{ZEROS}\n", "a gap that is longer"),
        (f"{HEADER}\n00:00:00:999.0,61,{ZEROS}\n", "counts 999 frames a second"),
        (f"{HEADER}\n00:00:00:inf,61,{ZEROS}\n", "damaged"),
    ],
)
def test_bad_recordings_say_what_is_wrong(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ErlnetError, match=message):
        read_csv(tmp_path / "bad.csv")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "bad.csv").write_bytes(bytes(range(256)))
    with pytest.raises(ErlnetError, match="Not a recording of ARKit weights"):
        read_csv(tmp_path / "bad.csv")
    with pytest.raises(ErlnetError, match="No such recording"):
        read_csv(tmp_path / "none.csv")
