"""`erlnet bake … SCENE.blend` and `erlnet render`, as a user calls them: in processes of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import bpy
import pytest
import soundfile

from erlnet_blender.scene.layers import base_strip
from erlnet_blender.scene.movie import open_scene

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "erlnet_blender" / "assets" / "demo_speech.flac"


def command(*arguments):
    return [sys.executable, "-m", "erlnet_blender.cli", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=ROOT, timeout=120)


def streams_of(path):
    """(frames, frames a second, (width, height), seconds of sound) of a movie with one stream of each."""
    with av.open(str(path)) as file:
        assert sorted(stream.type for stream in file.streams) == ["audio", "video"]
        video, audio = file.streams.video[0], file.streams.audio[0]
        size, fps, sound_s = (video.width, video.height), float(video.average_rate), audio.duration * audio.time_base
        return sum(1 for _ in file.decode(video)), fps, size, float(sound_s)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo of the first second of the shipped sentence."""
    folder = tmp_path_factory.mktemp("demo")
    samples, rate_hz = soundfile.read(SPEECH, frames=16000)
    soundfile.write(folder / "second.wav", samples, rate_hz)
    result = run("demo", "--audio", folder / "second.wav", "-o", folder / "out", "--size", "64x64")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-2:] == [str(folder / "out" / "demo.blend"), str(folder / "out" / "demo.mp4")]
    (folder / "second.wav").unlink()
    return folder / "out"


@pytest.fixture
def scene_file(demo):
    return demo / "demo.blend"


def test_demo_makes_a_scene_and_a_movie(demo):
    assert sorted(item.name for item in demo.iterdir()) == ["demo.blend", "demo.mp4"]
    frames, fps, size, sound_s = streams_of(demo / "demo.mp4")
    assert (frames, fps, size) == (25, 25, (64, 64))
    assert sound_s == pytest.approx(1, abs=1 / 25)


def test_baked_scene_is_ready_to_edit_and_to_render(tmp_path):
    path = tmp_path / "scene.blend"
    result = run("bake", SPEECH, "-o", path, "--fps", "24", "--style", "happy")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(path)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    scene = open_scene(path)
    assert scene.render.fps / scene.render.fps_base == 24
    assert (scene.frame_start, scene.frame_end) == (1, 97)  # 4.045 s
    (rig,) = (item for item in scene.objects if item.type == "ARMATURE")
    assert base_strip(rig) is not None
    assert scene.camera is not None
    assert all(sound.packed_file is not None for sound in bpy.data.sounds)
    assert len(bpy.data.sounds) == 1


def test_movie_of_a_range_in_another_size(scene_file, tmp_path):
    result = run("render", scene_file, "-o", tmp_path / "out.mp4", "--frames", "10-15", "--size", "64x48")
    assert result.returncode == 0, result.stderr
    frames, fps, size, sound_s = streams_of(tmp_path / "out.mp4")
    assert (frames, fps, size) == (6, 25, (64, 48))
    assert sound_s == pytest.approx(6 / 25, abs=1 / 25)
    assert [item.name for item in tmp_path.iterdir()] == ["out.mp4"]


def test_pictures_go_into_a_folder(scene_file, tmp_path):
    result = run("render", scene_file, "-o", tmp_path / "frames", "--frames", "7", "--size", "33x31", "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert [item.name for item in (tmp_path / "frames").iterdir()] == ["0007.png"]


def test_broken_avatar_is_the_users_fault_and_leaves_nothing(scene_file, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"\0" * 100)
    out = tmp_path / "out"
    result = run("render", scene_file, "-o", out / "out.mp4", "--avatar", tmp_path / "broken.safetensors")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert "broken.safetensors" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(out.glob("*"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupted_render_leaves_nothing(scene_file, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        command("render", scene_file, "-o", out / "out.mp4", "--size", "256x256"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert "frame 1 of" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert not list(out.glob("*"))
