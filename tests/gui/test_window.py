"""In a real Blender with its window: the extension goes in, five clicks make a head talk, the window stays usable."""

import json
import os
import shutil

import numpy as np
import pytest
import soundfile

from erlnet_blender.formats.head_model import default_head_path

from .blender import Blender

PROGRAM = os.environ.get("BLENDER", "")
pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="BLENDER names no Blender with a window"),
    pytest.mark.timeout(3600),
]
needs_mouse = pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool moves the mouse")


@pytest.fixture(scope="module")
def blender(tmp_path_factory):
    blender = Blender(PROGRAM, tmp_path_factory.mktemp("blender"))
    blender.said = blender.install()
    return blender


def test_the_extension_is_valid_and_goes_in(blender):
    assert "Success parsing TOML" in blender.validate()
    assert 'Installed "erlnet_blender"' in blender.said
    listed = blender.command("-b", "--python-expr", "import bpy; print(*bpy.context.preferences.addons.keys())")
    assert "bl_ext.user_default.erlnet_blender" in listed.stdout
    assert "Traceback" not in listed.stdout


@needs_mouse
def test_five_clicks_from_an_empty_scene_to_a_head_that_talks(blender, tmp_path):
    found = blender.play("clicks", tmp_path)
    assert found["clicks"] == 5
    assert found["movement"] > 2e-3
    assert "Traceback" not in found["output"]


@needs_mouse
def test_a_dropped_sound_becomes_the_voice(blender, tmp_path):
    sounds = []
    for name in ("hello", "goodbye"):
        sounds.append(tmp_path / f"{name}.wav")
        soundfile.write(sounds[-1], np.sin(np.arange(48000) / 20) / 3, 48000)
    found = blender.play("drops", tmp_path / "shots", *map(str, sounds))
    strips, spoken = found["view"]
    assert strips == [["hello", True]]
    assert spoken == "hello"
    strips, _ = found["sequencer"]
    assert len(strips) == 2
    assert not found["blind"]


def test_the_window_is_never_held_up_by_us(blender, tmp_path):
    sound, rate = soundfile.read(default_head_path().with_name("demo_speech.flac"))
    long = tmp_path / "minute.wav"
    soundfile.write(long, np.tile(sound, 12)[: 48 * rate], rate)
    found = blender.play("ui_thread", tmp_path / "shots", str(long))
    found.pop("output")
    print(json.dumps(found))
    assert found["frames"] >= 1200
    for bake in found["bakes"]:
        assert bake["calls"] > 10
        ours_ms = [late[2] for late in bake["late"]]
        assert max(ours_ms, default=0) <= 50, bake["late"]
