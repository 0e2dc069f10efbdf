"""The main job as a new user does it: a recording in, a scene and a movie out, judged by a face detector."""

import subprocess
import sys
from pathlib import Path

import pytest

from studio import judge_movie, judge_still

ERLNET = [sys.executable, "-m", "erlnet_blender.cli"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a demo")
    subprocess.run([*ERLNET, "demo", "-o", folder], check=True, cwd=ROOT, timeout=540)
    return folder


def test_demo_leaves_a_scene_and_a_movie_and_nothing_else(demo):
    assert sorted(path.name for path in demo.iterdir()) == ["demo.blend", "demo.mp4"]


def test_a_face_speaks_in_the_movie(demo):
    figures = judge_movie.judge(demo / "demo.mp4", demo / "demo.blend")
    assert figures["fps"] == 25
    assert figures["frames"] >= 100
    assert abs(figures["video_s"] - figures["audio_s"]) <= 1 / 25
    assert figures["face_found"] >= 0.98
    assert figures["lip_correlation"] >= 0.6


def test_a_head_turned_by_hand_looks_as_cycles_shows_it():
    figures = judge_still.judge(samples=48)
    assert figures["psnr_full"] >= 34
    assert figures["psnr_head_box"] >= 29
