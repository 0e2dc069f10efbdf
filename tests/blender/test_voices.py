"""Each head speaks the strip that was chosen for it; files that kept one voice for the scene are taken over."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import soundfile

from erlnet_blender.errors import ErlnetError
from erlnet_blender.scene.rig import find_rig
from erlnet_blender.scene.strips import add_sound_strip, sound_strips
from erlnet_blender.scene.voices import voice_of

pytestmark = pytest.mark.usefixtures("enabled")


@pytest.fixture
def recordings(tmp_path):
    paths = [tmp_path / "anna.wav", tmp_path / "bert.wav"]
    for path in paths:
        soundfile.write(path, np.zeros(8000), 8000)
    return paths


def two_heads():
    heads = []
    for preset in ("default", "second"):
        bpy.ops.erlnet.add_head(preset=preset)
        heads.append(find_rig(bpy.context))
    return heads


def choose(rig):
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = rig
    rig.select_set(True)


def test_a_recording_belongs_to_the_head_it_was_added_for(recordings):
    heads = two_heads()
    for rig, path in zip(heads, recordings, strict=True):
        choose(rig)
        bpy.ops.erlnet.add_sound(filepath=str(path))
    assert [rig.erlnet.speech.strip for rig in heads] == ["anna", "bert"]
    for rig, name in zip(heads, ("anna", "bert"), strict=True):
        choose(rig)
        strip, scene = voice_of(bpy.context)
        assert (strip.name, scene) == (name, bpy.context.scene)
        assert strip.show_waveform


def test_without_a_choice_two_strips_are_one_too_many(recordings):
    scene = bpy.context.scene
    for path in recordings:
        add_sound_strip(scene, path, 1)
    scene.sequence_editor.active_strip = None
    choose(two_heads()[0])
    with pytest.raises(ErlnetError, match="2 sound strips"):
        voice_of(bpy.context)


def test_files_of_the_first_version_keep_their_voice(recordings, tmp_path):
    heads = two_heads()
    for path in recordings:
        add_sound_strip(bpy.context.scene, path, 1)
    heads[0].erlnet.speech.strip = "anna"
    bpy.context.scene.erlnet.strip = "bert"  # as version 0.1 stored it
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "old.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "old.blend"))
    voices = {item.name: item.erlnet.speech.strip for item in bpy.context.scene.objects if item.type == "ARMATURE"}
    assert sorted(voices.values()) == ["anna", "bert"]
    assert bpy.context.scene.erlnet.strip == ""
    assert len(sound_strips(bpy.context.scene)) == 2
