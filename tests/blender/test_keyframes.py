"""Tracks become keys and read back as the same track; what the animator has stays."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import CHANNELS, FaceTrack
from erlnet_blender.formats.head_model import JOINTS
from erlnet_blender.scene.curves import GENERATED, channels_of
from erlnet_blender.scene.keyframes import baked_range, clear_bake, read_track, write_track
from erlnet_blender.scene.layers import baked_action, baked_curves, base_strip, edit_layer
from erlnet_blender.scene.rig import build_rig, set_shape

from .synthetic_head import random_track, synthetic_head


def assert_same(read: FaceTrack, expected: FaceTrack, atol: float = 5e-6) -> None:
    for name in CHANNELS:
        np.testing.assert_allclose(getattr(read, name), getattr(expected, name), atol=atol, err_msg=name)


def curves_of(rig) -> list:
    return baked_curves(rig)


def curve_of(rig, path: str, index: int = 0):
    return next(curve for curve in curves_of(rig) if curve.data_path == path and curve.array_index == index)


def test_round_trip(rig, head):
    track = random_track(head, 30)
    write_track(rig, track, 10, "Speech")
    assert_same(read_track(rig, bpy.context.scene, 10, 39), track)


@pytest.mark.parametrize("mode", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "QUATERNION", "AXIS_ANGLE"])
def test_round_trip_in_every_rotation_mode(head, mode):
    bpy.context.scene.render.fps = 25
    shape = np.array([1.5, -0.75, 0.25], np.float32)
    rig = build_rig(head)
    for name in JOINTS:
        rig.pose.bones[name].rotation_mode = mode
    track = replace(random_track(head, 40), shape=shape)
    set_shape(rig, shape)
    write_track(rig, track, 1, "Speech")
    read = read_track(rig, bpy.context.scene, 1, 40)
    assert_same(read, track)
    np.testing.assert_array_equal(read.shape, shape)


@pytest.mark.parametrize(("fps", "scene_fps", "step"), [(60, 24, 5), (30, 25, 6), (50, 30, 5), (23.976, 24, 1000)])
def test_round_trip_where_frames_of_two_rates_meet(head, fps, scene_fps, step):
    """Frame i of the track lies at i * scene_fps / fps: whole again every so often, also late in a long shot."""
    render = bpy.context.scene.render
    render.fps = scene_fps
    rig, start = build_rig(head), 2001
    track = random_track(head, 999 * (step == 1000) + 61, fps=fps)
    write_track(rig, track, start, "Speech")
    meetings = [i for i in range(len(track)) if abs(i * scene_fps / fps - round(i * scene_fps / fps)) < 1e-6]
    assert len(meetings) > 1
    for index in meetings:
        frame = start + round(index * scene_fps / fps)
        read = read_track(rig, bpy.context.scene, frame, frame)
        assert_same(read, track[index], atol=1e-5)


def test_rotations_are_continuous(rig, head):
    turn = np.linspace(0, 2 * np.pi, 60)
    track = FaceTrack(np.zeros((60, 6)), 25, head.id, neck_pose=np.stack([turn, 0.2 * np.sin(turn), 0 * turn], 1))
    write_track(rig, track, 1, "Speech")
    for index in range(3):
        curve = curve_of(rig, 'pose.bones["neck"].rotation_euler', index)
        values = [point.co[1] for point in curve.keyframe_points]
        assert np.abs(np.diff(values)).max() < 0.7
    assert_same(read_track(rig, bpy.context.scene, 1, 30), track[:30])


def test_keys_are_marked_grouped_and_sparse(rig, head):
    track = random_track(head, 5)
    still = np.zeros((5, 3))
    quiet = replace(track, rotation=still, translation=still, expr=track.expr * [1, 0, 0, 1, 0, 0])
    action = write_track(rig, quiet, 1, "Speech")
    assert base_strip(rig).action == action
    assert action.name == "Speech"
    paths = {curve.data_path for curve in curves_of(rig)}
    assert {path for path in paths if "Exp" in path} == {'pose.bones["face"]["Exp001"]', 'pose.bones["face"]["Exp004"]'}
    assert not any('"root"' in path for path in paths)
    kinds = np.empty(5, np.int32)
    for curve in curves_of(rig):
        curve.keyframe_points.foreach_get("type", kinds)
        assert (kinds == GENERATED).all()
    assert {curve.group.name for curve in curves_of(rig)} == {"Neck", "Jaw", "Eyes", "Expression", "Eyelids"}


def test_bake_replaces_its_range_only(rig, head):
    first, second = random_track(head, 40, seed=1), random_track(head, 10, seed=2)
    write_track(rig, first, 1, "Speech")
    write_track(rig, second, 11, "Speech")
    expected = {name: getattr(first, name).copy() for name in CHANNELS}
    for name in CHANNELS:
        expected[name][10:20] = getattr(second, name)
    assert_same(read_track(rig, bpy.context.scene, 1, 40), replace(first, **expected))
    assert all(len(curve.keyframe_points) == 40 for curve in curves_of(rig))
    assert baked_range(rig) == (1, 40)


def test_zero_channels_overwrite_an_older_bake(rig, head):
    loud = random_track(head, 10)
    still = FaceTrack(np.zeros((10, 6)), 25, head.id, translation=np.zeros((10, 3)))
    write_track(rig, replace(loud, rotation=still.rotation, translation=still.translation), 1, "Speech")
    write_track(rig, still, 1, "Speech")
    assert_same(read_track(rig, bpy.context.scene, 1, 10), still)


def hand_curve(rig, path: str):
    curves = channels_of(edit_layer(rig), getattr(rig.animation_data, "action_slot", None)).fcurves
    return next(curve for curve in curves if curve.data_path == path)


def test_hand_made_keys_and_curves_stay(rig, head):
    face = rig.pose.bones["face"]
    face["smile"] = 0.5
    face.keyframe_insert('["smile"]', frame=5)
    rig.location.x = 2
    rig.keyframe_insert("location", frame=200)
    face["Exp001"] = 0.75
    face.keyframe_insert('["Exp001"]', frame=300)
    own = rig.animation_data.action
    action = write_track(rig, random_track(head, 10), 1, "Speech")
    assert action.name == "Speech"
    for _ in range(2):
        assert rig.animation_data.action == own
        assert hand_curve(rig, "location").keyframe_points[0].co[1] == 2
        assert len(hand_curve(rig, 'pose.bones["face"]["smile"]').keyframe_points) == 1
        (key,) = hand_curve(rig, 'pose.bones["face"]["Exp001"]').keyframe_points
        assert tuple(key.co) == (300, 0.75)
        assert key.interpolation == "BEZIER"
        clear_bake(rig, 1, 10)
    assert baked_range(rig) is None


def test_locked_curves_are_kept(rig, head):
    write_track(rig, random_track(head, 10, seed=1), 1, "Speech")
    path = 'pose.bones["face"]["Exp002"]'
    curve_of(rig, path).lock = True
    before = [tuple(point.co) for point in curve_of(rig, path).keyframe_points]
    write_track(rig, random_track(head, 10, seed=2), 1, "Speech")
    assert [tuple(point.co) for point in curve_of(rig, path).keyframe_points] == before


def test_another_frame_rate_keeps_the_time(rig, head):
    write_track(rig, random_track(head, 61, fps=60.0), 1, "Speech")
    assert baked_range(rig) == (1, 26)


def test_a_track_that_does_not_fit_leaves_the_old_keys(rig, head):
    good = random_track(head, 10)
    write_track(rig, good, 1, "Speech")
    with pytest.raises(ErlnetError, match="belongs to head"):
        write_track(rig, random_track(synthetic_head(seed=9), 10), 1, "Speech")
    assert_same(read_track(rig, bpy.context.scene, 1, 10), good)
    assert [action for action in bpy.data.actions if action.users == 0] == []
    assert baked_action(rig)[0].name == "Speech"


def test_an_action_that_others_use_is_not_taken_from_them(rig, head):
    good = random_track(head, 5)
    action = write_track(rig, good, 1, "Speech")
    other = build_rig(head, name="Other")
    other.animation_data_create().action = action
    mine = write_track(rig, random_track(head, 5, seed=3), 1, "Speech")
    assert mine != action
    assert other.animation_data.action == action
    assert action.name == "Speech"
