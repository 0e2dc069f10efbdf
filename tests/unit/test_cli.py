"""The command line: every wrong call ends with status 2 and one line, and leaves nothing behind."""

import json
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from erlnet_blender import cli, doctor
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.worker import environment

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "erlnet_blender" / "assets" / "demo_speech.flac"


def write_wav(path, samples, rate_hz=16000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def bad(tmp_path):
    """Name to a path that cannot be baked."""
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "text.wav").write_text("These are words, and no sound at all. " * 100)
    (folder / "empty.wav").touch()
    write_wav(folder / "header_only.wav", [])
    (folder / "folder.wav").mkdir()
    (folder / "scene.blend").write_text("not a scene")
    (folder / "track.npz").write_text("not a track")
    (folder / "file").touch()
    return folder


def run(capsys, *arguments):
    """(status, stdout, stderr) of a command in this process."""
    status = cli.main([str(argument) for argument in arguments])
    written = capsys.readouterr()
    return status, written.out, written.err


def assert_refused(result, *words):
    status, _, errors = result
    assert status == 2, errors
    assert re.fullmatch(r"error: [^\n]+\n", errors)
    for word in words:
        assert str(word) in errors


def assert_nothing_written(folder):
    assert list(folder.rglob("*")) == []


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("command", ["bake", "demo"])
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("missing.wav", "No such recording"),
        ("folder.wav", "No such recording"),
        ("empty.wav", "empty"),
        ("header_only.wav", "empty"),
        ("text.wav", "text.wav"),
    ],
)
def test_recordings_that_are_none(capsys, bad, out, command, name, word):
    audio = bad / name
    arguments = [audio, "-o", out / "track.npz"] if command == "bake" else ["--audio", audio, "-o", out / "demo"]
    assert_refused(run(capsys, command, *arguments), word, name)
    assert_nothing_written(out)


def test_bake_needs_a_recording_and_an_output(capsys, out):
    assert_refused(run(capsys, "bake", "-o", out / "track.npz"), "AUDIO")
    assert_refused(run(capsys, "bake", SPEECH), "--output")
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "track.txt"), "track.txt", ".npz")
    assert_nothing_written(out)


def test_unknown_style_lists_the_presets(capsys, bad, out):
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", "--style", "dreamy"), "dreamy", "neutral", "happy")
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", "--style", bad / "track.npz"), "track.npz")
    assert_refused(run(capsys, "demo", "-o", out / "demo", "--style", bad / "missing.npz"), "missing.npz")
    assert_nothing_written(out)


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--strength", "3.5", "0 to 3"),
        ("--strength", "nan", "0 to 3"),
        ("--mix", "1.2", "0 to 1"),
        ("--mix", "0.5", "--second-style"),
        ("--second-style", "dreamy", "neutral, happy"),
        ("--second-style", "missing.npz", "missing.npz"),
        ("--emotion", "bored=0.5", "neutral, happy"),
        ("--emotion", "happy=very", "slight, medium, strong"),
        ("--emotion", "happy=2", "0 to 1.5"),
        ("--parts", "mouth,ears", "mouth, brows, blinks, gaze, head"),
        ("--parts", "", "mouth, brows"),
        ("--blinks", "61", "0 to 60"),
        ("--seed", "-1", "0 to 2147483647"),
        ("--seed", "4294967296", "0 to 2147483647"),
    ],
)
def test_impossible_deliveries(capsys, out, option, value, word):
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", f"{option}={value}"), word)
    assert_refused(run(capsys, "demo", "-o", out / "demo", f"{option}={value}"), word)
    assert_nothing_written(out)


def test_every_option_of_a_delivery_reaches_the_track(capsys, out):
    plain, path = out / "plain.npz", out / "track.npz"
    assert run(capsys, "bake", SPEECH, "-o", plain)[0] == 0
    options = ["--style", plain, "--second-style", "happy", "--mix", "0.25", "--strength", "0.8", "--seed", "3"]
    options += ["--emotion", "sad=0.5", "--emotion", "angry=slight", "--parts", "mouth,brows", "--blinks", "20"]
    status, _, errors = run(capsys, "bake", SPEECH, "-o", path, *options)
    assert status == 0, errors
    track = FaceTrack.load(path)
    made = json.loads(track.source)
    expected = {"style": str(plain), "second_style": "happy", "mix": 0.25, "strength": 0.8, "seed": 3}
    expected |= {"emotions": {"sad": 0.5, "angry": 0.4}, "parts": ["brows", "mouth"], "blinks_per_minute": 20}
    assert {name: made[name] for name in expected} == expected
    assert not track.neck_pose.any()
    assert not track.eyelids.any()
    assert FaceTrack.load(plain).neck_pose.any()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "many", "1e9"])
def test_impossible_numbers(capsys, out, value):
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", f"--fps={value}"), "--fps", value)
    assert_nothing_written(out)


@pytest.mark.parametrize("make_output", [lambda bad, out: bad / "file" / "a.npz", lambda bad, out: bad / "folder.wav"])
def test_unwritable_output(capsys, bad, out, make_output):
    output = make_output(bad, out).with_suffix(".npz")
    if output.name == "folder.npz":
        output.mkdir()
    assert_refused(run(capsys, "bake", SPEECH, "-o", output), "Cannot write", output)
    assert_refused(run(capsys, "demo", "-o", bad / "file" / "demo"), "Cannot write")


def test_head_that_is_none(capsys, bad, out):
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", "--head", bad / "track.npz"), "track.npz")
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", "--head", bad / "missing.npz"), "missing.npz")
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", "--weights", bad / "missing"), "missing")
    assert_refused(run(capsys, "bake", SPEECH, "-o", out / "a.npz", "--weights", bad / "track.npz"), "track.npz")
    assert_nothing_written(out)


@pytest.mark.parametrize("size", ["0x0", "0x256", "256x0", "256", "-1x5", "axb", "99999x99999", "1e2x5"])
def test_impossible_sizes(capsys, out, size):
    assert_refused(run(capsys, "render", "s.blend", "-o", out / "a.mp4", f"--size={size}"), "--size", size)
    assert_refused(run(capsys, "demo", "-o", out / "demo", f"--size={size}"), "--size", size)
    assert_nothing_written(out)


@pytest.mark.parametrize("frames", ["5-1", "a-b", "1-", "-3", "1:5", "1,2", ""])
def test_impossible_frames(capsys, out, frames):
    assert_refused(run(capsys, "render", "s.blend", "-o", out / "a.mp4", f"--frames={frames}"), "--frames", frames)


def test_odd_movie_size_names_the_even_one(capsys, bad, out):
    result = run(capsys, "render", bad / "scene.blend", "-o", out / "a.mp4", "--size", "255x256")
    assert_refused(result, "255x256", "--size 256x256")
    assert_nothing_written(out)


def test_scenes_that_are_none(capsys, bad, out):
    assert_refused(run(capsys, "render", bad / "missing.blend", "-o", out / "a.mp4"), "No such scene", "missing.blend")
    result = run(capsys, "render", bad / "scene.blend", "-o", out / "a.mp4", "--avatar", bad / "missing.safetensors")
    assert_refused(result, "No such avatar")
    assert_nothing_written(out)


def test_file_that_is_no_scene(bad, out):
    """In a process of its own, since Blender is loaded."""
    result = subprocess.run(
        [sys.executable, "-m", "erlnet_blender.cli", "render", bad / "scene.blend", "-o", out / "a.mp4"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert_refused((result.returncode, result.stdout, result.stderr), "Not a .blend file", "scene.blend")
    assert_nothing_written(out)


@pytest.mark.skipif(doctor._gpu()[0].state == doctor.OK, reason="a GPU is here")
def test_cuda_without_a_gpu(capsys, bad, out):
    result = run(capsys, "render", bad / "scene.blend", "-o", out / "a.mp4", "--device", "cuda")
    assert_refused(result, "No CUDA device", "--device cuda")
    assert_nothing_written(out)


def test_training_and_evaluation_need_data(capsys, bad, out):
    assert_refused(run(capsys, "train", "speech", bad / "no", "-o", out / "a.safetensors"), "No such folder")
    assert_refused(run(capsys, "train", "speech", bad, "-o", out / "a.bin"), ".safetensors")
    assert_refused(run(capsys, "train", "singing", bad, "-o", out / "a.safetensors"), "singing")
    assert_refused(run(capsys, "evaluate", "avatar", bad / "no"), "No such folder")
    assert_nothing_written(out)


def test_calls_without_sense(capsys):
    assert_refused(run(capsys), "COMMAND")
    assert_refused(run(capsys, "fly"), "fly")
    assert run(capsys, "--help")[0] == 0
    for command in ("demo", "bake", "render", "train", "evaluate", "doctor"):
        assert run(capsys, command, "--help")[0] == 0


def test_bake_writes_a_track_of_the_recording(capsys, tmp_path, out):
    status, _, errors = run(capsys, "bake", SPEECH, "-o", out / "track.npz", "--fps", "30", "--style", "happy")
    assert status == 0, errors
    track = FaceTrack.load(out / "track.npz")
    assert track.fps == 30
    assert track.duration_s == pytest.approx(4.045, abs=1 / 30)
    assert np.ptp(track.jaw_pose[:, 0]) > 0.05, "the mouth moves"
    status, *_ = run(capsys, "bake", SPEECH, "-o", out / "same.npz", "--fps", "30", "--style", "happy")
    np.testing.assert_array_equal(FaceTrack.load(out / "same.npz").expr, track.expr)
    assert sorted(path.name for path in out.iterdir()) == ["same.npz", "track.npz"]


def test_doctor_looks_at_every_part(capsys):
    status, text, _ = run(capsys, "doctor", "--json")
    report = json.loads(text)
    assert status == (0 if report["healthy"] else 1)
    found = {finding["name"]: finding for finding in report["findings"]}
    assert {"Python", "torch", "bpy", "soundfile", *doctor.SHIPPED} <= set(found)
    assert found["torch"]["state"] == "ok"
    for finding in found.values():
        assert finding["state"] != "missing" or finding["remedy"]


def test_doctor_runs_where_nothing_is_installed():
    code = "import sys\nsys.modules['numpy'] = None\nfrom erlnet_blender import cli, doctor\nprint(doctor.MODULES)"
    result = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr


def test_setup_records_this_python_for_blender(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "config_folder", lambda: tmp_path / "config")
    _, text, _ = run(capsys, "doctor", "--setup")
    assert str(tmp_path) in text
    assert environment.recorded_python() == Path(sys.executable)


def test_doctor_names_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "PACKAGE_FOLDER", tmp_path)
    missing = [finding for finding in doctor.examine() if finding.state == doctor.MISSING]
    assert {finding.name for finding in missing} == set(doctor.SHIPPED)
    assert not doctor.is_healthy(doctor.examine())
    assert "make assets" in doctor.as_text(missing)
