"""Bake with the real worker and the shipped model: keys come, or the old ones stay and a sentence says why."""

from __future__ import annotations

import time

import bpy
import numpy as np
import pytest
import soundfile

import erlnet_blender
from erlnet_blender.delivery import PARTS
from erlnet_blender.face_track import CHANNELS
from erlnet_blender.neural.adf.checkpoint import load_network, save_weights
from erlnet_blender.operators.bake_speech import Bake
from erlnet_blender.scene import jobs
from erlnet_blender.scene.channels import track_channels
from erlnet_blender.scene.delivery import delivery_of, is_keyed
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.layers import baked_curves, base_strip
from erlnet_blender.scene.rig import find_rig, head_of
from erlnet_blender.scene.strips import add_sound_strip, sound_strips
from erlnet_blender.worker.client import shared_client

from .synthetic_head import random_track
from .test_strips import retime


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
    assert base_strip(rig).action.name == "demo_speech speech"


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
        rig.erlnet.speech.style, rig.erlnet.speech.seed = style, seed
        bpy.ops.erlnet.bake_speech()
        track = read_track(rig, scene, 1, scene.frame_end)
        if (style, seed) in tracks:
            np.testing.assert_array_equal(track.expr, tracks[style, seed].expr)
        tracks[style, seed] = track
    smile = [head_of(rig).expression_names.index(name) for name in ("smile_L", "smile_R")]
    assert tracks["happy", 0].expr[:, smile].mean() > tracks["neutral", 0].expr[:, smile].mean() + 0.1
    assert np.abs(tracks["neutral", 5].neck_pose - tracks["neutral", 0].neck_pose).max() > 0.01


def test_a_speech_model_of_ones_own(rig, tmp_path):
    """One whose gains double the jaw; and one that is not there."""
    scene, tracks = bpy.context.scene, []
    network, metadata = load_network()
    gains = {**metadata["calibration"]["gains"], "jaw": 2 * metadata["calibration"]["gains"]["jaw"]}
    about = {key: metadata[key] for key in metadata if key not in ("format", "version", "layout", "config")}
    about["calibration"] = {**metadata["calibration"], "gains": gains}
    save_weights(tmp_path / "wide.safetensors", network, network.state_dict(), about)
    for weights in ("", str(tmp_path / "wide.safetensors")):
        rig.erlnet.speech.weights = weights
        bpy.ops.erlnet.bake_speech()
        tracks.append(read_track(rig, scene, 1, scene.frame_end))
    assert jaw_opening(tracks[1]).mean() > 1.3 * jaw_opening(tracks[0]).mean()
    rig.erlnet.speech.weights = str(tmp_path / "missing.safetensors")
    with pytest.raises(RuntimeError, match="No such speech model.*missing"):
        bpy.ops.erlnet.bake_speech()


def test_style_of_another_head(rig):
    scene = bpy.context.scene
    bpy.ops.erlnet.add_head()
    model = find_rig(bpy.context)
    model.erlnet.speech.style = "happy"
    bpy.ops.erlnet.bake_speech()
    bpy.context.view_layer.objects.active = rig
    rig.erlnet.speech.style, rig.erlnet.speech.style_rig = "RIG", model
    bpy.ops.erlnet.bake_speech()
    smile = [head_of(rig).expression_names.index(name) for name in ("smile_L", "smile_R")]
    assert read_track(rig, scene, 1, scene.frame_end).expr[:, smile].mean() > 0.15


def test_a_failing_bake_leaves_the_old_keys(rig, tmp_path):
    scene = bpy.context.scene
    old = random_track(head_of(rig), 20)
    write_track(rig, old, 1, "Old")
    with (tmp_path / "broken.npz").open("wb") as file:
        file.write(b"not a track")
    rig.erlnet.speech.style, rig.erlnet.speech.style_file = "FILE", str(tmp_path / "broken.npz")
    with pytest.raises(RuntimeError, match=r"broken\.npz"):
        bpy.ops.erlnet.bake_speech()
    assert jobs.last().state == jobs.FAILED
    assert jobs.current() is None
    read = read_track(rig, scene, 1, 20)
    for name in CHANNELS:
        np.testing.assert_allclose(getattr(read, name), getattr(old, name), atol=5e-6, err_msg=name)
    assert {action.name for action in bpy.data.actions} == {"Old", f"{rig.name} edits"}


def test_a_faster_strip_is_spoken_faster(rig):
    """Twice the speed: the same mouth, a frame where there were two."""
    scene = bpy.context.scene
    rig.erlnet.speech.use_head = rig.erlnet.speech.use_gaze = rig.erlnet.speech.use_blinks = False
    bpy.ops.erlnet.bake_speech()
    usual = read_track(rig, scene, 1, scene.frame_end)
    bpy.ops.erlnet.clear_bake()
    retime(sound_strips(scene)[0], 200.0)
    bpy.ops.erlnet.bake_speech()
    frames = len(usual) // 2
    assert baked_range(rig) == (1, pytest.approx(frames, abs=1))
    fast = read_track(rig, scene, 1, frames)
    halves = jaw_opening(usual)[: 2 * frames].reshape(-1, 2).mean(1)
    assert np.corrcoef(halves, jaw_opening(fast))[0, 1] > 0.9


def test_missing_sound_is_named(rig):
    scene = bpy.context.scene
    sound_strips(scene)[0].sound.filepath = "/nowhere/voice.wav"
    with pytest.raises(RuntimeError, match=r"sound file is missing, .*voice\.wav"):
        bpy.ops.erlnet.bake_speech()


def test_silence_is_baked_and_remarked(rig, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    scene = bpy.context.scene
    strip = add_sound_strip(scene, tmp_path / "silence.wav", 300)
    rig.erlnet.speech.strip = strip.name
    bpy.ops.erlnet.bake_speech()
    assert "no speech was heard" in jobs.last().message
    assert np.ptp(jaw_opening(read_track(rig, scene, 300, 324))) < np.radians(1)


def test_cancelling_changes_nothing(rig, tmp_path):
    """A job in flight, as the modal operator has it, cancelled by the button."""
    rate = 16000
    noise = np.random.default_rng(0).normal(0, 0.1, 120 * rate)
    soundfile.write(tmp_path / "long.wav", noise, rate)
    scene = bpy.context.scene
    rig.erlnet.speech.strip = add_sound_strip(scene, tmp_path / "long.wav", 1).name
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


def expression(rig, track, name) -> np.ndarray:
    return track.expr[:, head_of(rig).expression_names.index(name)]


def test_emotion_and_intensity_follow_their_keys(rig):
    """Plain at first, angry from the middle on, at an intensity that grows; as right-click, Insert Keyframe would."""
    scene, speech = bpy.context.scene, rig.erlnet.speech
    bpy.ops.erlnet.bake_speech()
    plain = read_track(rig, scene, 1, scene.frame_end)
    half = scene.frame_end // 2
    for frame, emotion, intensity in ((1, "neutral", 0.2), (half, "angry", 0.2), (scene.frame_end, "angry", 1.0)):
        speech.emotion, speech.intensity = emotion, intensity
        assert rig.keyframe_insert("erlnet.speech.emotion", frame=frame)
        assert rig.keyframe_insert("erlnet.speech.intensity", frame=frame)
    delivery = delivery_of(rig, scene, 1, scene.frame_end)
    assert set(delivery.emotions) == {"angry"}
    angry, fade = delivery.emotions["angry"], int(np.ceil(0.15 * 25))
    assert not angry[: half - 1 - fade].any()
    assert angry[half - 1] == pytest.approx(0.5 * 0.2, abs=0.03)
    assert angry[half + fade] > 0.19
    assert angry[-1] == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(angry) > -1e-3).all()
    bpy.ops.erlnet.bake_speech()
    change = expression(rig, read_track(rig, scene, 1, scene.frame_end), "brow_down_L") - expression(
        rig, plain, "brow_down_L"
    )
    assert np.abs(change[: half - 15]).max() < 0.02
    assert change[-20:].mean() > change[half : half + 20].mean() + 0.2
    # The keys of the emotion are the animator's: neither a bake nor its removal takes them.
    assert is_keyed(rig, "emotion")
    bpy.ops.erlnet.clear_bake()
    assert is_keyed(rig, "emotion")
    assert baked_range(rig) is None
    bpy.ops.erlnet.bake_speech()
    assert np.array_equal(delivery_of(rig, scene, 1, scene.frame_end).emotions["angry"], angry)


def test_strength_and_mix_may_be_keyed_too(rig):
    scene, speech = bpy.context.scene, rig.erlnet.speech
    speech.style, speech.second_style = "energetic", "calm"
    for frame, strength, mix in ((1, 0.0, 1.0), (11, 1.0, 0.0)):
        speech.strength, speech.mix = strength, mix
        rig.keyframe_insert("erlnet.speech.strength", frame=frame)
        rig.keyframe_insert("erlnet.speech.mix", frame=frame)
    delivery = delivery_of(rig, scene, 1, 20)
    assert (delivery.style, delivery.second_style) == ("energetic", "calm")
    assert delivery.strength[[0, 5, 10, 19]] == pytest.approx([0, 0.5, 1, 1], abs=1e-3)
    assert delivery.mix[[0, 5, 10, 19]] == pytest.approx([1, 0.5, 0, 0], abs=1e-3)
    speech.second_style = "NONE"
    assert delivery_of(rig, scene, 1, 20).mix == 0.0
    bpy.ops.erlnet.bake_speech()


def keys_of(rig) -> dict:
    curves = baked_curves(rig)
    return {
        (curve.data_path, curve.array_index): [
            (*point.co, point.type, point.interpolation) for point in curve.keyframe_points
        ]
        for curve in curves
    }


@pytest.mark.parametrize("part", ["mouth", "brows", "blinks", "gaze", "head"])
def test_a_part_that_is_off_keeps_its_keys(rig, part):
    scene, speech = bpy.context.scene, rig.erlnet.speech
    write_track(rig, random_track(head_of(rig), 20), 5, "Mine")
    owner = {channel.data_path: channel.parts for channel in track_channels(rig, random_track(head_of(rig), 2))}
    before = keys_of(rig)
    setattr(speech, f"use_{part}", False)
    bpy.ops.erlnet.bake_speech()
    after = keys_of(rig)
    kept = [key for key in before if part in owner[key[0]]]
    others = [key for key in before if part not in owner[key[0]] and '"root"' not in key[0]]  # speech leaves the root
    assert kept
    assert others
    assert all(after[key] == before[key] for key in kept)
    assert all(after[key] != before[key] for key in others)
    assert scene.frame_end > 60
    for other in PARTS:
        setattr(speech, f"use_{other}", False)
    with pytest.raises(RuntimeError, match="Every part of the face is off"):
        bpy.ops.erlnet.bake_speech()


def test_the_style_may_come_from_two_heads(rig, tmp_path):
    scene, speech = bpy.context.scene, rig.erlnet.speech
    speech.style, speech.second_style = "calm", "FILE"
    with pytest.raises(RuntimeError, match="No track file is chosen for the second style"):
        bpy.ops.erlnet.bake_speech()
    speech.second_style = "RIG"
    with pytest.raises(RuntimeError, match="The second style needs an animated head"):
        bpy.ops.erlnet.bake_speech()
    speech.style = "happy"
    speech.second_style = "NONE"
    bpy.ops.erlnet.bake_speech()
    happy = read_track(rig, scene, 1, scene.frame_end)
    happy.save(tmp_path / "happy.npz")
    speech.style, speech.second_style, speech.mix = "serious", "FILE", 1.0
    speech.second_style_file = str(tmp_path / "happy.npz")
    bpy.ops.erlnet.bake_speech()
    mixed = read_track(rig, scene, 1, scene.frame_end)
    assert expression(rig, mixed, "smile_L").mean() > 0.6 * expression(rig, happy, "smile_L").mean()
