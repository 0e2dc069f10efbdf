"""A bake goes where its sound strip goes, exactly; what was keyed by hand comes along when it is asked to."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import soundfile

from erlnet_blender.operators.bake_speech import Bake
from erlnet_blender.scene import follow
from erlnet_blender.scene.curves import curves_of, read_keys
from erlnet_blender.scene.edits import spoken
from erlnet_blender.scene.edits.markers import show_markers
from erlnet_blender.scene.edits.spoken import Spoken
from erlnet_blender.scene.follow import bring_edits, edits_left_behind, moves_of, remember
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.layers import baked_action, baked_curves, edit_layer
from erlnet_blender.scene.rig import find_rig, head_of
from erlnet_blender.scene.strips import add_sound_strip, clip_of

from .synthetic_head import random_track
from .test_strips import into_meta, retime

pytestmark = pytest.mark.usefixtures("enabled")
FRAMES = 50


@pytest.fixture
def scene():
    scene = bpy.context.scene
    scene.render.fps = 25
    return scene


@pytest.fixture
def own_rig(enabled, rig):
    return rig


def speak(rig, scene, tmp_path, name="anna", start=10, seed=0):
    """A strip of two seconds, baked: the strip, and the track that was keyed."""
    soundfile.write(tmp_path / f"{name}.wav", np.zeros(2 * 8000), 8000)
    strip = add_sound_strip(scene, tmp_path / f"{name}.wav", start)
    return strip, bake(rig, scene, strip, seed)


def bake(rig, scene, strip, seed=0):
    clip = clip_of(strip, scene)
    track = random_track(head_of(rig), clip.frames, seed=seed)
    write_track(rig, track, clip.start_frame, f"{strip.name} speech")
    remember(rig, clip)
    return track


def all_keys(curves):
    return {(curve.data_path, curve.array_index): read_keys(curve) for curve in curves}


def test_moved_strips_take_their_keys_along(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    before = all_keys(baked_curves(own_rig))
    with pytest.raises(RuntimeError, match="where their voices are"):
        bpy.ops.erlnet.follow_voice()
    strip.frame_start += 70
    assert [(move.strip, move.frames) for move in moves_of(own_rig)] == [("anna", 70)]
    assert bpy.ops.erlnet.follow_voice() == {"FINISHED"}
    assert baked_range(own_rig) == (80, 129)
    after = all_keys(baked_curves(own_rig))
    assert after.keys() == before.keys()
    for path, keys in before.items():
        for name, values in keys.items():
            shift = [70, 0] if values.shape[1] == 2 else [0]
            np.testing.assert_allclose(after[path][name], values + np.array(shift, values.dtype), atol=1e-4)
    assert moves_of(own_rig) == []
    # What is seen, too: the NLA strip plays all of it at its new place.
    np.testing.assert_allclose(read_track(own_rig, scene, 80, 129).expr, bake(own_rig, scene, strip).expr, atol=1e-5)


def test_trimming_moves_nothing(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    strip.frame_offset_start, strip.frame_offset_end = 10, 10
    assert moves_of(own_rig) == []
    strip, _ = into_meta(strip)
    assert moves_of(own_rig) == []


def test_speed_and_frame_rate_stretch_the_keys(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    before = all_keys(baked_curves(own_rig))
    retime(strip, 50.0)
    bpy.ops.erlnet.follow_voice()
    ratio = clip_of(strip, scene).frames / FRAMES
    assert ratio == pytest.approx(2, abs=0.05)
    for path, keys in all_keys(baked_curves(own_rig)).items():
        np.testing.assert_allclose(keys["co"][:, 0] - 10, (before[path]["co"][:, 0] - 10) * ratio, atol=0.05)
        np.testing.assert_array_equal(keys["co"][:, 1], before[path]["co"][:, 1])


def test_another_frame_rate_of_the_scene_stretches_the_keys(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    scene.render.fps = 50
    clip = clip_of(strip, scene)
    assert clip.frames == 2 * FRAMES
    bpy.ops.erlnet.follow_voice()
    first = int(clip.start_frame)
    assert baked_range(own_rig) == (first, first + 2 * (FRAMES - 1))


def test_two_voices_change_places(own_rig, scene, tmp_path):
    anna, first = speak(own_rig, scene, tmp_path, "anna", 1, seed=1)
    bert, second = speak(own_rig, scene, tmp_path, "bert", 101, seed=2)
    anna.frame_start, bert.frame_start = 101, 1
    bpy.ops.erlnet.follow_voice()
    for strip, track in ((anna, first), (bert, second)):
        start = int(clip_of(strip, scene).start_frame)
        read = read_track(own_rig, scene, start, start + FRAMES - 1)
        np.testing.assert_allclose(read.expr, track.expr, atol=1e-5)


def test_a_bake_over_another_one_takes_its_frames(own_rig, scene, tmp_path):
    """Of the first voice only what was left to it moves."""
    anna, first = speak(own_rig, scene, tmp_path, "anna", 1, seed=1)
    _, second = speak(own_rig, scene, tmp_path, "bert", 31, seed=2)
    anna.frame_start = 201
    bpy.ops.erlnet.follow_voice()
    np.testing.assert_allclose(read_track(own_rig, scene, 201, 230).expr, first.expr[:30], atol=1e-5)
    np.testing.assert_allclose(read_track(own_rig, scene, 31, 80).expr, second.expr, atol=1e-5)


def test_keys_by_hand_stay_until_they_are_called(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    face = own_rig.pose.bones["face"]
    edit_layer(own_rig)
    for frame, value in ((20, 0.3), (30, 0.8), (200, 0.5)):
        face["smile"] = value
        face.keyframe_insert('["smile"]', frame=frame)
    action = own_rig.animation_data.action
    slot = getattr(own_rig.animation_data, "action_slot", None)
    assert edits_left_behind(own_rig) == []
    with pytest.raises(RuntimeError, match="left behind"):
        bpy.ops.erlnet.bring_edits()
    before = all_keys(curves_of(action, slot))
    strip.frame_start += 300
    bpy.ops.erlnet.follow_voice()
    after = all_keys(curves_of(action, slot))
    assert all((after[path][name] == keys[name]).all() for path, keys in before.items() for name in keys)
    assert [move.strip for move in edits_left_behind(own_rig)] == ["anna"]
    # A new bake there does not forget that they were left.
    bake(own_rig, scene, strip, seed=3)
    assert bring_edits(own_rig) == 2
    (keys,) = all_keys(curves_of(action, slot)).values()
    np.testing.assert_allclose(keys["co"], [(200, 0.5), (320, 0.3), (330, 0.8)], atol=1e-4)
    assert edits_left_behind(own_rig) == []


def test_missing_strips_and_damaged_notes_do_no_harm(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    scene.sequence_editor.strips.remove(strip)
    assert moves_of(own_rig) == []
    for note in ("", "[]", "{", '{"anna": 3}', '{"anna": {"scene": "Scene"}}', 7, '{"anna": null}'):
        baked_action(own_rig)[0][follow.VOICES] = note
        assert moves_of(own_rig) == []
        with pytest.raises(RuntimeError, match="No voice has been baked"):
            bpy.ops.erlnet.follow_voice()


def test_undo_takes_the_keys_back_with_the_strip(own_rig, scene, tmp_path):
    name = own_rig.name
    strip, _ = speak(own_rig, scene, tmp_path)
    bpy.ops.ed.undo_push(message="baked")
    strip.frame_start += 70
    bpy.ops.ed.undo_push(message="moved")
    bpy.ops.erlnet.follow_voice()
    bpy.ops.ed.undo_push(message="followed")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    rig = bpy.data.objects[name]
    assert baked_range(rig) == (10, 59)
    assert moves_of(rig) == []


def test_visemes_and_their_markers_go_along(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    place = clip_of(strip, scene).place
    visemes = ((0.0, "sil"), (0.4, "PP"), (1.2, "aa"))
    spoken.remember(baked_action(own_rig)[0], [Spoken("anna", place.zero_frame, place.fps, 0.0, 2.0, visemes)])
    show_markers(scene, own_rig)
    assert [marker.frame for marker in scene.timeline_markers] == [20, 40]
    strip.frame_start += 70
    bpy.ops.erlnet.follow_voice()
    assert [marker.frame for marker in scene.timeline_markers] == [90, 110]
    assert spoken.spoken_of(baked_action(own_rig)[0])[0].span == (80, 130)


def test_what_the_worker_baked_follows(own_rig, scene, tmp_path):
    """From the request to the keys, with a track in place of the worker's."""
    soundfile.write(tmp_path / "anna.wav", np.zeros(2 * 8000), 8000)
    strip = add_sound_strip(scene, tmp_path / "anna.wav", 10)
    retime(strip, 200.0)
    job = Bake.from_context(bpy.context)
    assert job.header["fps"] == pytest.approx(12.5, rel=0.03)
    track = random_track(head_of(own_rig), job.clip.frames, fps=job.header["fps"])
    heard = {"phones": np.array(["m", "a"]), "phone_starts_s": np.array([0.0, 1.0])}
    for _ in job.writing({**track.arrays(), **heard}):
        pass
    assert baked_range(own_rig) == (10, 10 + job.clip.frames - 1)
    strip.frame_start += 70
    bpy.ops.erlnet.follow_voice()
    assert baked_range(own_rig) == (80, 80 + job.clip.frames - 1)
    assert spoken.spoken_of(baked_action(own_rig)[0])[0].span[0] == pytest.approx(80)


def test_heads_that_do_not_follow_are_left(own_rig, scene, tmp_path):
    strip, _ = speak(own_rig, scene, tmp_path)
    own_rig.erlnet.speech.follow = False
    strip.frame_start += 70
    assert follow.follow_all() == 0
    assert baked_range(own_rig) == (10, 59)
    own_rig.erlnet.speech.follow = True
    assert follow.follow_all() == 1
    assert baked_range(own_rig) == (80, 129)
    assert find_rig(bpy.context) == own_rig
