"""Bake with the real worker and the shipped model: keys come, or the old ones stay and a sentence says why."""

from __future__ import annotations

import time

import bpy
import numpy as np
import pytest
import soundfile

import erlnet_blender
from erlnet_blender.face_track import CHANNELS
from erlnet_blender.operators.bake_speech import Bake
from erlnet_blender.scene import jobs
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.rig import find_rig, head_of
from erlnet_blender.scene.strips import add_sound_strip, sound_strips
from erlnet_blender.worker.client import shared_client

from .synthetic_head import random_track


@pytest.fixture
def rig(_empty_scene):
    erlnet_blender.register()
    bpy.ops.erlnet.start_here()
    yield find_rig(bpy.context)
    erlnet_blender.unregister()


def jaw_opening(track) -> np.ndarray:
    return track.jaw_pose[:, 0]


def test_a_voice_becomes_keys_over_its_own_frames(rig):
    scene = bpy.context.scene
    assert bpy.ops.erlnet.bake_speech() == {"FINISHED"}
    assert baked_range(rig) == (1, scene.frame_end)
    track = read_track(rig, scene, 1, scene.frame_end)
    assert np.ptp(jaw_opening(track)) > np.radians(4)
    assert np.ptp(track.neck_pose, axis=0).max() > np.radians(0.5)
    assert track.expr.max() > 0.2
    assert "frames 1 to" in jobs.last().message
    assert rig.animation_data.action.name == "demo_speech speech"


def test_a_later_trimmed_strip_speaks_where_it_lies(rig):
    """The same words: from the middle of the recording, at another place in time."""
    scene = bpy.context.scene
    bpy.ops.erlnet.bake_speech()
    whole = read_track(rig, scene, 1, scene.frame_end)
    strip = sound_strips(scene)[0]
    strip.frame_start = 201
    strip.frame_offset_start = 25
    bpy.ops.erlnet.clear_bake()
    bpy.ops.erlnet.bake_speech()
    assert baked_range(rig) == (226, 226 + len(whole) - 25 - 1)
    part = read_track(rig, scene, 226, 226 + len(whole) - 25 - 1)
    # Windows of the network see another context at the cut; the opening of the jaw must agree all the same.
    assert np.corrcoef(jaw_opening(whole)[30:], jaw_opening(part)[5:])[0, 1] > 0.9


def test_style_and_seed_are_used(rig):
    scene = bpy.context.scene
    tracks = {}
    for style, seed in (("neutral", 0), ("happy", 0), ("neutral", 0), ("neutral", 5)):
        scene.erlnet.style, scene.erlnet.seed = style, seed
        bpy.ops.erlnet.bake_speech()
        track = read_track(rig, scene, 1, scene.frame_end)
        if (style, seed) in tracks:
            np.testing.assert_array_equal(track.expr, tracks[style, seed].expr)
        tracks[style, seed] = track
    smile = [head_of(rig).expression_names.index(name) for name in ("smile_L", "smile_R")]
    assert tracks["happy", 0].expr[:, smile].mean() > tracks["neutral", 0].expr[:, smile].mean() + 0.1
    assert np.abs(tracks["neutral", 5].neck_pose - tracks["neutral", 0].neck_pose).max() > 0.01


def test_style_of_another_head(rig):
    scene = bpy.context.scene
    bpy.ops.erlnet.add_head()
    model = find_rig(bpy.context)
    scene.erlnet.style = "happy"
    bpy.ops.erlnet.bake_speech()
    bpy.context.view_layer.objects.active = rig
    scene.erlnet.style, scene.erlnet.style_rig = "RIG", model
    bpy.ops.erlnet.bake_speech()
    smile = [head_of(rig).expression_names.index(name) for name in ("smile_L", "smile_R")]
    assert read_track(rig, scene, 1, scene.frame_end).expr[:, smile].mean() > 0.15


def test_a_failing_bake_leaves_the_old_keys(rig, tmp_path):
    scene = bpy.context.scene
    old = random_track(head_of(rig), 20)
    write_track(rig, old, 1, "Old")
    with (tmp_path / "broken.npz").open("wb") as file:
        file.write(b"not a track")
    scene.erlnet.style, scene.erlnet.style_file = "FILE", str(tmp_path / "broken.npz")
    with pytest.raises(RuntimeError, match=r"broken\.npz"):
        bpy.ops.erlnet.bake_speech()
    assert jobs.last().state == jobs.FAILED
    assert jobs.current() is None
    read = read_track(rig, scene, 1, 20)
    for name in CHANNELS:
        np.testing.assert_allclose(getattr(read, name), getattr(old, name), atol=5e-6, err_msg=name)
    assert [action.name for action in bpy.data.actions] == ["Old"]


def test_missing_sound_is_named(rig):
    scene = bpy.context.scene
    sound_strips(scene)[0].sound.filepath = "/nowhere/voice.wav"
    with pytest.raises(RuntimeError, match=r"sound file is missing, .*voice\.wav"):
        bpy.ops.erlnet.bake_speech()


def test_silence_is_baked_and_remarked(rig, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    scene = bpy.context.scene
    strip = add_sound_strip(scene, tmp_path / "silence.wav", 300)
    scene.erlnet.strip = strip.name
    bpy.ops.erlnet.bake_speech()
    assert "no speech was heard" in jobs.last().message
    assert np.ptp(jaw_opening(read_track(rig, scene, 300, 324))) < np.radians(1)


def test_cancelling_changes_nothing(rig, tmp_path):
    """A job in flight, as the modal operator has it, cancelled by the button."""
    rate = 16000
    noise = np.random.default_rng(0).normal(0, 0.1, 120 * rate)
    soundfile.write(tmp_path / "long.wav", noise, rate)
    scene = bpy.context.scene
    scene.erlnet.strip = add_sound_strip(scene, tmp_path / "long.wav", 1).name
    job = jobs.start(shared_client(), "Baking", "bake", Bake.from_context(bpy.context).header)
    with pytest.raises(RuntimeError, match="Baking is still running"):
        bpy.ops.erlnet.bake_speech()
    deadline = time.monotonic() + 60
    while job.fraction == 0 and time.monotonic() < deadline:
        assert not job.poll()
        time.sleep(0.01)
    start = time.monotonic()
    bpy.ops.erlnet.cancel_job()
    assert job.poll()
    assert time.monotonic() - start < 0.5
    assert job.state == jobs.CANCELLED
    assert jobs.current() is None
    assert baked_range(rig) is None
    with pytest.raises(RuntimeError, match="Nothing is running"):
        bpy.ops.erlnet.cancel_job()
