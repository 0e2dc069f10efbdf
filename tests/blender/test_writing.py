"""How keys are written: a range of frames, fewer keys within a bound, through the animator's poses, in steps."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import CHANNELS, FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.channels import rotation_numbers, track_channels
from erlnet_blender.scene.curves import channels_of, curve_at, ensure_curve
from erlnet_blender.scene.kept_poses import bent
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.layers import baked_curves, edit_layer
from erlnet_blender.scene.rig import build_rig, mesh_of, quaternion_of
from erlnet_blender.scene.writing import KeyOptions, writing

from .synthetic_head import random_track

FACE = 'pose.bones["face"]'


def smooth_track(head, frames: int, seed: int = 0) -> FaceTrack:
    """As smooth as speech, with parts that stand still."""
    random, times = np.random.default_rng(seed), np.arange(frames) / 25

    def moving(width: int, size: float) -> np.ndarray:
        waves = np.sin(2 * np.pi * random.uniform(0.3, 3, width) * times[:, None] + random.uniform(0, 7, width))
        return size * waves * (np.sin(times * 2 + random.uniform(0, 7)) > -0.3)[:, None]

    count = head.expressiondirs.shape[-1]
    return FaceTrack(
        expr=0.4 * np.abs(moving(count, 1)), fps=25, head_id=head.id, jaw_pose=moving(3, 0.2), neck_pose=moving(3, 0.2),
        eyes_pose=moving(6, 0.2), eyelids=np.abs(moving(2, 1)),
    )  # fmt: skip


def values_at(rig, frames) -> dict:
    return {(curve.data_path, curve.array_index): curve_at(curve, frames) for curve in baked_curves(rig)}


def vertices(rig) -> np.ndarray:
    evaluated = mesh_of(rig).evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(len(evaluated.vertices) * 3, np.float32)
    evaluated.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


@pytest.mark.parametrize("max_mm", [0.1, 0.5, 2.0])
def test_fewer_keys_move_no_vertex_further_than_the_bound(max_mm):
    """The face alone, joints at rest: what is bound in millimetres, at whole frames and between."""
    head, scene = HeadModel.load(default_head_path()), bpy.context.scene
    scene.render.fps = 25
    rig = build_rig(head)
    still = np.zeros((60, 3))
    full = smooth_track(head, 60)
    track = FaceTrack(full.expr, 25, head.id, jaw_pose=still, neck_pose=still, eyelids=full.eyelids)
    times = [(frame, part) for frame in range(1, 60, 7) for part in (0.0, 0.5)]

    def seen() -> list[np.ndarray]:
        shapes = []
        for frame, part in times:
            scene.frame_set(frame, subframe=part)
            shapes.append(vertices(rig))
        return shapes

    write_track(rig, track, 1, "Speech")
    all_keys, expected = sum(len(curve.keyframe_points) for curve in baked_curves(rig)), seen()
    write_track(rig, track, 1, "Speech", options=KeyOptions(max_mm=max_mm, max_degrees=0.1))
    few = sum(len(curve.keyframe_points) for curve in baked_curves(rig))
    worst_mm = 1000 * max(np.linalg.norm(a - b, axis=1).max() for a, b in zip(seen(), expected, strict=True))
    assert worst_mm <= max_mm * 1.001
    assert few < all_keys
    assert baked_range(rig) == (1, 60)


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "QUATERNION", "AXIS_ANGLE"])
@pytest.mark.parametrize("max_degrees", [0.1, 1.0])
def test_fewer_keys_turn_no_joint_further_than_the_bound(rig, head, mode, max_degrees):
    for name in ("neck", "jaw", "left_eye", "right_eye"):
        rig.pose.bones[name].rotation_mode = mode
    track, scene = smooth_track(head, 80, seed=3), bpy.context.scene
    write_track(rig, track, 1, "Speech", options=KeyOptions(max_degrees=max_degrees, max_mm=0.5))
    read = read_track(rig, scene, 1, 80)
    for name in ("neck_pose", "jaw_pose", "eyes_pose"):
        for was, now in zip(getattr(track, name).reshape(-1, 3), getattr(read, name).reshape(-1, 3), strict=True):
            angle = quaternion_of(was).rotation_difference(quaternion_of(now)).angle
            assert np.degrees(angle) <= max_degrees * 1.001 + 0.002
    keys = sum(len(curve.keyframe_points) for curve in baked_curves(rig))
    assert keys < 0.9 * 80 * len(baked_curves(rig))


def test_a_bound_of_zero_keys_every_frame(rig, head):
    write_track(rig, smooth_track(head, 40), 1, "Speech", options=KeyOptions())
    assert {len(curve.keyframe_points) for curve in baked_curves(rig)} == {40}


def test_a_range_alone_is_replaced_and_blends_at_its_ends(rig, head):
    first, second = smooth_track(head, 80, seed=1), smooth_track(head, 80, seed=2)
    write_track(rig, first, 1, "Speech")
    old = values_at(rig, np.arange(1, 81))
    write_track(rig, second, 1, "Speech", options=KeyOptions(first_frame=21, last_frame=50))
    new = values_at(rig, np.arange(1, 81))
    scene = bpy.context.scene
    for name in CHANNELS:
        expected = getattr(first, name).copy()
        expected[20:50] = getattr(second, name)[20:50]
        np.testing.assert_allclose(getattr(read_track(rig, scene, 1, 80), name), expected, atol=1e-5)
    write_track(rig, first, 1, "Speech")
    write_track(rig, second, 1, "Speech", options=KeyOptions(first_frame=21, last_frame=50, blend_frames=6))
    blended = values_at(rig, np.arange(1, 81))
    for key in old:
        np.testing.assert_allclose(blended[key][:20], old[key][:20], atol=1e-6)
        np.testing.assert_allclose(blended[key][50:], old[key][50:], atol=1e-6)
        np.testing.assert_allclose(blended[key][26:44], new[key][26:44], atol=1e-6)
        # The step at the end of the range is a small part of what it was.
        jump, softened = new[key][20] - old[key][20], blended[key][20] - old[key][20]
        assert abs(softened) < 0.1 * abs(jump) + 1e-6


def test_a_range_without_the_recording_is_refused(rig, head):
    with pytest.raises(ErlnetError, match="fills frames 1 to 10, none of them in the range"):
        write_track(rig, random_track(head, 10), 1, "Speech", options=KeyOptions(first_frame=11, last_frame=50))
    assert baked_range(rig) is None
    assert not [action for action in bpy.data.actions if action.users == 0]


def test_bending_meets_the_targets_smoothly_and_nowhere_exceeds_them():
    random = np.random.default_rng(0)
    frames = np.arange(200.0)
    values = random.normal(size=(200, 3))
    times = np.array([10.0, 13.0, 14.0, 60.0, 199.0])
    targets = random.normal(size=(5, 3))
    result = bent(frames, values, times, targets, 8.0)
    np.testing.assert_allclose(result[times.astype(int)], targets, atol=1e-12)
    change = result - values
    needed = targets - values[times.astype(int)]
    assert (np.abs(change) <= np.abs(needed).max(0) + 1e-12).all()
    assert not change[23:52].any()
    assert not change[69:190].any()
    assert np.abs(np.diff(change[50:70], axis=0)).max() < 0.25 * np.abs(needed[3]).max()
    np.testing.assert_array_equal(bent(frames, values, times[:0], targets[:0], 8.0), values)


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION"])
@pytest.mark.parametrize("max_mm", [0.0, 1.0])
def test_poses_keyed_by_hand_are_kept_where_the_animator_wants_it(rig, head, mode, max_mm):
    """As he does it: pose, press I; then another take."""
    scene = bpy.context.scene
    for name in ("neck", "jaw"):
        rig.pose.bones[name].rotation_mode = mode
    face, jaw = rig.pose.bones["face"], rig.pose.bones["jaw"]
    write_track(rig, smooth_track(head, 100, seed=1), 1, "Speech")
    path = "rotation_euler" if mode == "XYZ" else "rotation_quaternion"
    for frame in (30, 60):
        scene.frame_set(frame)
        face["Exp003"], face["smile"] = 0.9, 0.4
        getattr(jaw, path)[1] += 0.1
        for name in ('["Exp003"]', '["smile"]'):
            face.keyframe_insert(name, frame=frame)
        jaw.keyframe_insert(path, frame=frame)
    before = read_track(rig, scene, 1, 100)
    second = smooth_track(head, 100, seed=2)
    write_track(rig, second, 1, "Speech", options=KeyOptions(keep_poses=True, max_mm=max_mm, max_degrees=max_mm))
    after = read_track(rig, scene, 1, 100)
    smile = [1, 2]
    for frame in (30, 60):
        np.testing.assert_allclose(after.expr[frame - 1, smile], before.expr[frame - 1, smile], atol=1e-5)
        np.testing.assert_allclose(after.jaw_pose[frame - 1], before.jaw_pose[frame - 1], atol=1e-4)
    # What no key of his touches is the new take, and so is everything far from the keys.
    free = [0, 3, 4, 5]
    tolerance = 1e-5 if not max_mm else 0.2
    np.testing.assert_allclose(after.expr[:, free], second.expr[:, free], atol=tolerance)
    if not max_mm:
        plain = values_at(rig, np.arange(1, 101))[f'{FACE}["Exp003"]', 0]
        np.testing.assert_allclose(plain[:20], second.expr[:20, 2], atol=1e-5)
        np.testing.assert_allclose(plain[40:50], second.expr[40:50, 2], atol=1e-5)


def test_the_first_bake_goes_through_poses_that_were_there(rig, head):
    curves = channels_of(edit_layer(rig), getattr(rig.animation_data, "action_slot", None))
    ensure_curve(curves, f'{FACE}["Exp001"]', 0, "Mine").keyframe_points.insert(40, 0.7)
    write_track(rig, smooth_track(head, 80), 1, "Speech", options=KeyOptions(keep_poses=True))
    assert read_track(rig, bpy.context.scene, 40, 40).expr[0, 0] == pytest.approx(0.7, abs=1e-5)


def test_what_is_given_up_half_way_leaves_nothing_behind(rig, head):
    write_track(rig, random_track(head, 30, seed=1), 1, "Speech")
    names, old = {action.name for action in bpy.data.actions}, values_at(rig, np.arange(1, 31))
    steps = writing(rig.name, random_track(head, 30, seed=2), 1, "Speech", KeyOptions())
    for _ in range(25):
        assert 0 <= next(steps) < 1
    assert len(bpy.data.actions) > len(names)
    steps.close()
    assert {action.name for action in bpy.data.actions} == names
    for key, values in values_at(rig, np.arange(1, 31)).items():
        np.testing.assert_array_equal(values, old[key])


@pytest.mark.usefixtures("enabled")
def test_an_undo_between_two_steps_begins_the_writing_anew(rig, head):
    track, name = random_track(head, 20, seed=2), rig.name
    bpy.ops.ed.undo_push(message="head")
    rig.location.x = 1
    bpy.ops.ed.undo_push(message="moved")
    steps = writing(name, track, 1, "Speech", KeyOptions())
    for _ in range(20):
        next(steps)
    bpy.ops.ed.undo()
    for _ in steps:
        pass
    rig = bpy.data.objects[name]
    assert rig.location.x == 0
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 1, 20).expr, track.expr, atol=1e-5)
    assert {action.name for action in bpy.data.actions} == {"Speech", f"{name} edits"}


@pytest.mark.parametrize("mode", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_euler_angles_in_bulk_are_blenders(mode):
    axis_angles = np.cumsum(np.random.default_rng(1).normal(0, 0.03, (200, 3)), 0)
    kind, angles = rotation_numbers(mode, axis_angles)
    assert kind == "rotation_euler"
    expected = quaternion_of(axis_angles[0]).to_euler(mode)
    for axis_angle, found in zip(axis_angles, angles, strict=True):
        expected = quaternion_of(axis_angle).to_euler(mode, expected)
        np.testing.assert_allclose(found, expected, atol=5e-6)


def test_channels_cover_what_a_track_moves(rig, head):
    paths = [channel.data_path for channel in track_channels(rig, random_track(head, 3))]
    assert len(paths) == len(set(paths))
    assert 'pose.bones["root"].location' in paths
    assert not any('"root"' in channel.data_path for channel in track_channels(rig, smooth_track(head, 3)))
