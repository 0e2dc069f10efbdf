"""A sound strip says which part of which file it plays, as the sequencer itself does."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
import soundfile

from erlnet_blender.errors import ErlnetError
from erlnet_blender.scene.strips import (
    add_sound_strip,
    clip_of,
    find_strip,
    picture_strip,
    sequencer_scene,
    sound_strips,
)

RATE = 8000
LENGTH = "length" if bpy.app.version >= (5, 0) else "frame_end"


@pytest.fixture
def scene():
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    scene.frame_start = 1
    return scene


@pytest.fixture
def voice(tmp_path) -> Path:
    """Four seconds whose samples tell the time: s(t) = t / 10."""
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.arange(4 * RATE) / RATE / 10, RATE)
    return path


def test_whole_strip(scene, voice):
    clip = clip_of(add_sound_strip(scene, voice, 10), scene)
    assert (clip.path, clip.start_s, clip.duration_s, clip.start_frame) == (voice, 0.0, 4.0, 10.0)
    assert clip.name == "voice"
    assert not clip.is_muted


def test_handles_trim(scene, voice):
    strip = add_sound_strip(scene, voice, 1)
    strip.frame_offset_start, strip.frame_offset_end = 25, 10
    clip = clip_of(strip, scene)
    assert clip.start_s == pytest.approx(1.0)
    assert clip.duration_s == pytest.approx(4.0 - 1.0 - 0.4)
    assert clip.start_frame == 26


def test_ntsc_frame_rate(scene, voice):
    scene.render.fps, scene.render.fps_base = 30, 1.001
    strip = add_sound_strip(scene, voice, 1)
    strip.frame_offset_start = 30
    clip = clip_of(strip, scene)
    assert clip.start_s == pytest.approx(1.001)
    assert clip.start_s + clip.duration_s == pytest.approx(4.0, abs=1.001 / 30)


def test_hard_trim(scene, voice):
    strip = add_sound_strip(scene, voice, 1)
    strip.animation_offset_start = 50
    clip = clip_of(strip, scene)
    assert clip.start_s == pytest.approx(2.0)
    assert clip.duration_s == pytest.approx(2.0, abs=0.05)


def test_strip_pulled_out_before_its_content(scene, voice):
    strip = add_sound_strip(scene, voice, 51)
    strip.frame_offset_start = -25
    assert strip.frame_final_start == 26
    clip = clip_of(strip, scene)
    assert (clip.start_s, clip.start_frame) == (0.0, 51.0)
    assert clip.duration_s == pytest.approx(4.0)


def test_what_the_clip_says_is_what_blender_plays(scene, voice, tmp_path):
    """The sequencer's own mixdown, from the clip's first frame on, holds the clip's first samples."""
    strip = add_sound_strip(scene, voice, 5)
    strip.frame_offset_start = 20
    clip = clip_of(strip, scene)
    scene.frame_start, scene.frame_end = int(clip.start_frame), int(clip.start_frame) + 24
    mixed = tmp_path / "mix.wav"
    bpy.ops.sound.mixdown(filepath=str(mixed), container="WAV", codec="PCM", format="S16")
    samples, rate = soundfile.read(mixed)
    samples = samples.reshape(len(samples), -1).mean(1)
    # The fixture tells the time; the gain of mono in stereo is measured at two places and cancels.
    early, late = samples[int(0.2 * rate)], samples[int(0.8 * rate)]
    heard_s = 0.6 * early / (late - early) - 0.2
    assert heard_s == pytest.approx(clip.start_s, abs=0.02)


def test_packed_sound(scene, voice):
    strip = add_sound_strip(scene, voice, 1)
    strip.sound.pack()
    content = voice.read_bytes()
    voice.unlink()
    assert clip_of(strip, scene).path.read_bytes() == content


def test_relative_path(scene, voice, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    strip = add_sound_strip(bpy.context.scene, voice, 1)
    strip.sound.filepath = "//voice.wav"
    assert clip_of(strip, bpy.context.scene).path == voice


def test_missing_file(scene, voice):
    strip = add_sound_strip(scene, voice, 1)
    voice.unlink()
    with pytest.raises(ErlnetError, match="The sound file is missing.*voice.wav"):
        clip_of(strip, scene)


def test_muted_strip_is_reported(scene, voice):
    strip = add_sound_strip(scene, voice, 1)
    strip.mute = True
    assert clip_of(strip, scene).is_muted


def test_strip_inside_a_meta_strip_is_refused_by_name(scene, voice):
    meta = scene.sequence_editor_create().strips.new_meta("Dialogue", 1, 1)
    inner = meta.strips.new_sound("inner", str(voice), 1, 1)
    assert [strip.name for strip in sound_strips(scene)] == ["inner"]
    with pytest.raises(ErlnetError, match="inside a meta strip, inner, separate it"):
        clip_of(inner, scene)


def test_find_strip(scene, voice):
    with pytest.raises(ErlnetError, match="no sound strip"):
        find_strip(scene)
    first = add_sound_strip(scene, voice, 1)
    assert find_strip(scene) == first
    second = add_sound_strip(scene, voice, 200)
    assert second.channel != first.channel
    assert find_strip(scene, second.name) == second
    with pytest.raises(ErlnetError, match="2 sound strips"):
        find_strip(scene)
    scene.sequence_editor.active_strip = second
    assert find_strip(scene) == second
    assert sequencer_scene(bpy.context) == scene


@pytest.mark.parametrize("content", [b"", b"not a sound at all"])
def test_file_without_sound_is_refused_and_leaves_no_strip(scene, tmp_path, content):
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(ErlnetError, match=r"broken\.wav"):
        add_sound_strip(scene, path)
    assert sound_strips(scene) == []


def test_a_picture_in_the_sequencer_is_named(scene, voice):
    assert picture_strip(scene) == ""
    add_sound_strip(scene, voice, 1)
    assert picture_strip(scene) == ""
    strips = scene.sequence_editor.strips
    colour = strips.new_effect("Title", "COLOR", 5, 1, **{LENGTH: 20})
    assert picture_strip(scene) == "Title"
    colour.mute = True
    assert picture_strip(scene) == ""
