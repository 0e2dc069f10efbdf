"""Visemes as markers: dragging them moves what is said, only between the neighbours, and a new bake keeps it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.delivery import PARTS
from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.scene.edits import marker_watch, markers
from erlnet_blender.scene.edits.spoken import Spoken, joined, spoken_of, visemes_of, write_spoken
from erlnet_blender.scene.keyframes import read_track
from erlnet_blender.scene.layers import baked_action, baked_curves, base_strip
from erlnet_blender.scene.rig import find_rig, head_of

START, FRAMES, FPS = 11, 50, 25
PHONES = np.array(["sil", "m", "a", "t", "d", "u", "sil"])
STARTS_S = np.array([0.0, 0.2, 0.4, 0.8, 0.9, 1.2, 1.6])


def heard(voice: str = "voice", start_s: float = 0.5) -> Spoken:
    origin = START - start_s * FPS
    return Spoken(voice, origin, FPS, start_s, start_s + FRAMES / FPS, visemes_of(PHONES, start_s + STARTS_S))


def ramp(head, seed: int = 0) -> FaceTrack:
    """A track whose jaw says at each frame which frame of the recording it is."""
    jaw = np.zeros((FRAMES, 3))
    jaw[:, 0] = np.arange(FRAMES) / 100
    expr = np.random.default_rng(seed).uniform(0.1, 0.9, (FRAMES, len(head.expression_names)))
    return FaceTrack(expr, FPS, head.id, jaw_pose=jaw)


@pytest.fixture
def scene(_empty_scene):
    import erlnet_blender

    erlnet_blender.register()
    bpy.context.scene.render.fps = FPS
    yield bpy.context.scene
    erlnet_blender.unregister()


@pytest.fixture
def spoken(scene, rig, head):
    write_spoken(rig, ramp(head), START, "Speech", PARTS, heard())
    return rig


def jaw_keys(rig) -> np.ndarray:
    """(N, 2) frame of each key, and the frame of the recording that it shows."""
    curve = next(curve for curve in baked_curves(rig) if '"jaw"' in curve.data_path and curve.array_index == 0)
    points = np.array([tuple(point.co) for point in curve.keyframe_points])
    return points * [1, 100] + [0, START]


def placed(scene) -> dict[str, int]:
    return {marker.name: marker.frame for marker in scene.timeline_markers}


def test_every_viseme_gets_a_marker_where_it_is_said(scene, spoken):
    scene.timeline_markers.new("mine", frame=33)
    markers.show_markers(scene, spoken)
    # t and d look alike: one viseme. The start of the voice stays, and has none.
    expected = {"PP.001": 16, "aa.002": 21, "DD.003": 31, "ou.004": 41, "sil.005": 51, "mine": 33}
    assert placed(scene) == expected
    markers.show_markers(scene, spoken)
    assert placed(scene) == expected
    markers.hide_markers(scene)
    assert placed(scene) == {"mine": 33}
    assert markers.shown_rig(scene) is None


def test_dragging_a_marker_moves_the_keys_between_its_neighbours(scene, spoken):
    before = jaw_keys(spoken)
    markers.show_markers(scene, spoken)
    scene.timeline_markers["DD.003"].frame += 4
    assert markers.apply_markers(scene, spoken) == 1
    after = jaw_keys(spoken)
    np.testing.assert_allclose(after[:, 1], before[:, 1], atol=1e-4)
    said_at = dict(zip(np.round(after[:, 1]).astype(int), after[:, 0], strict=True))
    assert said_at[31] == pytest.approx(35, abs=1e-3)
    still = (before[:, 0] <= 21) | (before[:, 0] >= 41)
    np.testing.assert_array_equal(after[still], before[still])
    assert (np.diff(after[:, 0]) > 0).all()
    assert placed(scene)["DD.003"] == 35
    assert markers.apply_markers(scene, spoken) == 0
    np.testing.assert_array_equal(jaw_keys(spoken), after)
    markers.clear_retiming(scene, spoken)
    np.testing.assert_allclose(jaw_keys(spoken), before, atol=1e-4)
    assert placed(scene)["DD.003"] == 31


def test_keys_follow_markers_without_a_press(scene, spoken):
    before = jaw_keys(spoken)
    markers.show_markers(scene, spoken)
    assert marker_watch.follow_markers(scene) == 0
    np.testing.assert_array_equal(jaw_keys(spoken), before)
    scene.timeline_markers["DD.003"].frame += 4
    assert marker_watch.follow_markers(scene) == 1
    after = jaw_keys(spoken)
    assert np.abs(after - before).max() > 3
    assert marker_watch.follow_markers(scene) == 0
    scene.timeline_markers["DD.003"].frame = 80
    assert marker_watch.follow_markers(scene) == 0
    assert "is not after" in marker_watch.trouble(scene)
    np.testing.assert_array_equal(jaw_keys(spoken), after)
    scene.timeline_markers["DD.003"].frame = 31
    assert marker_watch.follow_markers(scene) == 1
    assert marker_watch.trouble(scene) == ""
    np.testing.assert_allclose(jaw_keys(spoken), before, atol=1e-4)
    scene.erlnet.viseme_follow = False
    scene.timeline_markers["DD.003"].frame += 4
    assert marker_watch.follow_markers(scene) == 0
    np.testing.assert_allclose(jaw_keys(spoken), before, atol=1e-4)


def test_a_word_is_dragged_as_a_whole(scene, spoken):
    before = jaw_keys(spoken)
    markers.show_markers(scene, spoken)
    for name in ("aa.002", "DD.003", "ou.004"):
        scene.timeline_markers[name].frame += 3
    markers.apply_markers(scene, spoken)
    inside = (before[:, 0] >= 21) & (before[:, 0] <= 41)
    np.testing.assert_allclose(jaw_keys(spoken)[inside, 0], before[inside, 0] + 3, atol=1e-4)


def test_the_next_bake_keeps_the_timing(scene, spoken, head):
    markers.show_markers(scene, spoken)
    scene.timeline_markers["DD.003"].frame += 4
    markers.apply_markers(scene, spoken)
    after, places = jaw_keys(spoken), placed(scene)
    old = baked_action(spoken)[0]
    write_spoken(spoken, ramp(head, seed=7), START, "Speech", PARTS, heard())
    assert baked_action(spoken)[0] != old
    np.testing.assert_allclose(jaw_keys(spoken), after, atol=1e-3)
    markers.show_markers(scene, spoken)
    assert placed(scene) == places
    # Only some of the face baked again: the keys still belong together.
    write_spoken(spoken, ramp(head, seed=8), START, "Speech", frozenset({"mouth"}), heard())
    np.testing.assert_allclose(jaw_keys(spoken), after, atol=1e-3)


def test_the_next_bake_keeps_the_timing_where_the_strip_has_moved(scene, spoken, head):
    markers.show_markers(scene, spoken)
    scene.timeline_markers["DD.003"].frame += 4
    markers.apply_markers(scene, spoken)
    later = Spoken("voice", heard().origin + 100, FPS, 0.5, 0.5 + FRAMES / FPS, heard().visemes)
    write_spoken(spoken, ramp(head), START + 100, "Speech", PARTS, later)
    assert [one.span[0] for one in spoken_of(baked_action(spoken)[0])] == [START + 100]
    markers.show_markers(scene, spoken)
    assert placed(scene)["DD.003"] == 135


def test_markers_follow_a_bake_that_is_moved_in_the_nla(scene, spoken):
    strip = base_strip(spoken)
    strip.frame_end += 100
    strip.frame_start += 100
    markers.show_markers(scene, spoken)
    assert placed(scene)["DD.003"] == 131
    scene.timeline_markers["DD.003"].frame = 135
    markers.apply_markers(scene, spoken)
    said_at = {round(said): frame for frame, said in jaw_keys(spoken)}
    assert said_at[31] == pytest.approx(35, abs=1e-3)


@pytest.mark.parametrize(("name", "frame"), [("DD.003", 42), ("DD.003", 21), ("PP.001", 5), ("sil.005", 99)])
def test_markers_that_overtake_are_named_and_nothing_moves(scene, spoken, name, frame):
    before = jaw_keys(spoken)
    markers.show_markers(scene, spoken)
    scene.timeline_markers[name].frame = frame
    with pytest.raises(ErlnetError, match=r"marker .* (is not after|is after the end)"):
        markers.apply_markers(scene, spoken)
    np.testing.assert_array_equal(jaw_keys(spoken), before)


def test_a_marker_that_is_deleted_lets_its_neighbours_share(scene, spoken):
    markers.show_markers(scene, spoken)
    scene.timeline_markers.remove(scene.timeline_markers["DD.003"])
    scene.timeline_markers["aa.002"].frame = 30
    assert markers.apply_markers(scene, spoken) == 2
    assert (np.diff(jaw_keys(spoken)[:, 0]) > 0).all()
    assert 31 < placed(scene)["DD.003"] < 41


def test_bakes_of_other_recordings_are_kept_apart():
    one, two = heard("one"), Spoken("two", 100, FPS, 0, 1, ((0.0, "sil"),))
    whole, rest = joined([one], two)
    assert (whole, rest) == (two, [one])
    # What a bake replaces is gone, what it goes on with is one with it.
    assert joined([one], Spoken("two", START, FPS, 0, 1, ()))[1] == []
    middle = Spoken("one", one.origin, FPS, 0.9, 1.3, ((0.95, "oh"),))
    whole, rest = joined([one], middle)
    assert (rest, whole.span) == ([], one.span)
    assert whole.visemes == ((0.5, "sil"), (0.7, "PP"), (0.95, "oh"), (1.3, "DD"), (1.7, "ou"), (2.1, "sil"))


def test_operators_say_why_not_and_run_in_the_background(scene, rig, head):
    assert not bpy.ops.erlnet.edit_show_visemes.poll()
    assert not bpy.ops.erlnet.edit_hide_visemes.poll()
    write_spoken(rig, ramp(head), START, "Speech", PARTS, heard())
    assert not bpy.ops.erlnet.edit_apply_retiming.poll()
    assert bpy.ops.erlnet.edit_show_visemes() == {"FINISHED"}
    scene.timeline_markers["DD.003"].frame = 33
    assert bpy.ops.erlnet.edit_apply_retiming() == {"FINISHED"}
    scene.timeline_markers["DD.003"].frame = 80
    with pytest.raises(RuntimeError, match="is not after|end of the voice"):
        bpy.ops.erlnet.edit_apply_retiming()
    assert bpy.ops.erlnet.edit_clear_retiming() == {"FINISHED"}
    assert bpy.ops.erlnet.edit_hide_visemes() == {"FINISHED"}


def test_a_bake_knows_what_is_said_when(scene):
    """With the real worker, on the sentence that comes with the add-on: where PP stands, the lips are sealed."""
    pytest.importorskip("torch")
    bpy.ops.erlnet.start_here()
    assert bpy.ops.erlnet.bake_speech() == {"FINISHED"}
    rig = find_rig(bpy.context)
    assert bpy.ops.erlnet.edit_show_visemes() == {"FINISHED"}
    frames = {name: frame for name, frame in placed(scene).items() if not name.startswith("sil")}
    assert 20 < len(frames) < 60
    assert 1 < min(frames.values()) < max(frames.values()) < scene.frame_end
    press = head_of(rig).expression_names.index("lips_press")
    closed = read_track(rig, scene, 1, scene.frame_end).expr[:, press]
    lips = [frame for name, frame in frames.items() if name.startswith("PP")]
    assert len(lips) >= 3
    sealed = [closed[frame - 1 : frame + 3].max() > 0.3 for frame in lips]
    assert np.mean(sealed) > 0.7
