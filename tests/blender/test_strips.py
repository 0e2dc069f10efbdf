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


def in_sequencer(operator, **settings):
    """Call an operator of the sequencer's editor."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    if hasattr(window.workspace, "sequencer_scene"):
        window.workspace.sequencer_scene = bpy.context.scene
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert operator(**settings) == {"FINISHED"}


def select(strip):
    editor = bpy.context.scene.sequence_editor
    for other in editor.strips_all:
        other.select = False
    strip.select = True
    editor.active_strip = strip


def retime(strip, percent):
    select(strip)
    if hasattr(strip, "pitch_correction"):
        strip.pitch_correction = False
    in_sequencer(bpy.ops.sequencer.retiming_segment_speed_set, speed=percent)


def into_meta(strip):
    """The strip in a meta strip of its own, and the meta."""
    name = strip.name
    select(strip)
    in_sequencer(bpy.ops.sequencer.meta_make)
    editor = bpy.context.scene.sequence_editor
    meta = next(other for other in editor.strips if other.type == "META" and other.select)
    return editor.strips_all[name], meta


def as_it_is(scene, strip):
    return strip


def trimmed(scene, strip):
    strip.frame_offset_start = 20
    return strip


def with_an_offset(scene, strip):
    strip.sound_offset = -0.4
    return strip


def delayed(scene, strip):
    strip.sound_offset = 0.4
    return strip


def at_another_frame_rate(scene, strip):
    strip.frame_offset_start = 10
    scene.render.fps, scene.render.fps_base = 50, 1.001
    return strip


def hard_trimmed(scene, strip):
    strip.animation_offset_start = 20
    return strip


def faster(scene, strip):
    retime(strip, 200.0)
    return strip


def slower_and_trimmed(scene, strip):
    retime(strip, 50.0)
    strip.frame_offset_start = 10
    return strip


def in_a_trimmed_meta(scene, strip):
    strip, meta = into_meta(strip)
    meta.frame_offset_start, meta.frame_offset_end = 15, 10
    return strip


def in_two_metas_moved(scene, strip):
    strip, meta = into_meta(strip)
    meta.frame_offset_start = 15
    meta, outer = into_meta(meta)
    outer.frame_offset_start, outer.frame_start = 5, outer.frame_start + 3
    return scene.sequence_editor.strips_all[strip.name]


EDITS = [as_it_is, trimmed, with_an_offset, delayed, at_another_frame_rate, hard_trimmed]


@pytest.mark.parametrize("edit", [*EDITS, in_a_trimmed_meta, in_two_metas_moved], ids=lambda edit: edit.__name__)
def test_what_the_clip_says_is_what_blender_plays(scene, voice, tmp_path, edit):
    """The sequencer's own mixdown, from the clip's first frame on, holds the clip's samples.

    Not of retimed strips: now and then Blender 4.5 divides by zero while it mixes one in the background.
    """
    clip = clip_of(edit(scene, add_sound_strip(scene, voice, 5)), scene)
    scene.frame_start, scene.frame_end = int(clip.start_frame), int(clip.start_frame) + clip.frames - 3
    mixed = tmp_path / "mix.wav"
    bpy.ops.sound.mixdown(filepath=str(mixed), container="WAV", codec="PCM", format="S16")
    samples, rate = soundfile.read(mixed)
    # Mono plays in each of two loudspeakers at 1/sqrt(2), and the fixture tells the time.
    heard_s = samples.reshape(len(samples), -1).mean(1) * np.sqrt(2) * 10
    for time_s in (0.1, 0.5, 1.0):
        assert heard_s[int(time_s * rate)] == pytest.approx(clip.start_s + time_s, abs=0.005)


def test_retimed_strips(scene, voice):
    fast = clip_of(faster(scene, add_sound_strip(scene, voice, 10)), scene)
    assert fast.speed == pytest.approx(2.0)
    assert (fast.frames, fast.start_s, fast.duration_s) == (50, 0.0, pytest.approx(4.0))
    slow = clip_of(slower_and_trimmed(scene, add_sound_strip(scene, voice, 101)), scene)
    assert slow.speed == pytest.approx(0.5, rel=0.02)
    assert slow.start_frame == 111
    assert slow.place.zero_frame == pytest.approx(101)


def test_changing_speed_is_refused_by_name(scene, voice):
    strip = faster(scene, add_sound_strip(scene, voice, 10))
    in_sequencer(bpy.ops.sequencer.retiming_key_add, timeline_frame=30)
    with pytest.raises(ErlnetError, match="speed changes on the way.*, voice, choose Strip > Retiming > Reset"):
        clip_of(strip, scene)
    in_sequencer(bpy.ops.sequencer.retiming_reset)
    assert clip_of(strip, scene).speed == 1


def test_nothing_is_left_inside_a_meta_strip(scene, voice):
    strip, meta = into_meta(add_sound_strip(scene, voice, 10))
    meta.frame_final_end = 320
    meta.frame_final_start = 300
    with pytest.raises(ErlnetError, match="plays nothing of its sound, voice"):
        clip_of(strip, scene)


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
    """By itself, with its channel, or with the meta strip that it lies in."""
    strip = add_sound_strip(scene, voice, 1)
    strip.mute = True
    assert clip_of(strip, scene).is_muted
    strip.mute = False
    assert not clip_of(strip, scene).is_muted
    channel = scene.sequence_editor.channels[strip.channel]
    channel.mute = True
    assert clip_of(strip, scene).is_muted
    channel.mute = False
    strip, meta = into_meta(strip)
    assert not clip_of(strip, scene).is_muted
    meta.mute = True
    assert clip_of(strip, scene).is_muted


def test_meta_strips_of_sound_alone_hide_no_picture(scene, voice):
    strip, meta = into_meta(add_sound_strip(scene, voice, 1))
    assert sound_strips(scene) == [strip]
    assert picture_strip(scene) == ""
    meta.strips.new_effect("Title", "COLOR", 5, 1, **{LENGTH: 20})
    assert picture_strip(scene) == meta.name


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
