"""Edits go onto the edit layer, change what they say and nothing else, and survive the next bake."""

from __future__ import annotations

from hashlib import sha256

import bpy
import numpy as np
import pytest

from erlnet_blender.delivery import PARTS
from erlnet_blender.face_track import CHANNELS, FaceTrack
from erlnet_blender.formats.head_model import JOINTS
from erlnet_blender.scene.curves import curves_of, read_keys
from erlnet_blender.scene.edits import adjust
from erlnet_blender.scene.edits.motion import Pulse, savitzky_golay
from erlnet_blender.scene.edits.sampling import Motion
from erlnet_blender.scene.keyframes import read_track, write_track
from erlnet_blender.scene.layers import baked_curves, edit_layer
from erlnet_blender.scene.rig import build_rig

from .synthetic_head import random_track, synthetic_head

MODES = ["XYZ", "ZYX", "QUATERNION", "AXIS_ANGLE"]
# Blender combines quaternions through an arc cosine in single precision: small turns are off by 0.06 degrees.
ROUNDING = {"QUATERNION": 1e-3}
NAMES = [
    "mouth_close",
    "lips_press",
    "smile_L",
    "smile_R",
    "lower_lip_depress_L",
    "f_tuck",
    "brow_inner_up",
    "mouth_shift",
]


@pytest.fixture
def face():
    """A head with lips to seal."""
    return synthetic_head(names=NAMES)


@pytest.fixture
def talking(face):
    bpy.context.scene.render.fps = 25
    return build_rig(face)


def speech(head, frames: int = 60, seed: int = 1) -> FaceTrack:
    """Smooth motion within the ranges of a face, with two seals (frames 20 to 22 and 40 to 42)."""
    random, times = np.random.default_rng(seed), np.arange(frames) / 25

    def wave(width: int) -> np.ndarray:
        rates, starts = random.uniform(0.5, 3, width), random.uniform(0, 6, width)
        return np.sin(2 * np.pi * times[:, None] * rates + starts)

    expr = 0.3 + 0.2 * wave(len(head.expression_names))
    jaw = np.zeros((frames, 3))
    jaw[:, 0] = 0.12 + 0.06 * wave(1)[:, 0]
    names = head.expression_names
    sealed = np.isin(np.arange(1, frames + 1), [20, 21, 22, 40, 41, 42])
    expr[:, names.index("mouth_close")] = sealed * jaw[:, 0] / np.radians(10)
    expr[:, names.index("lips_press")] = sealed * 0.35
    for name in ("lower_lip_depress_L", "f_tuck"):
        expr[:, names.index(name)] *= ~sealed & (name != "f_tuck")
    lids = np.full((frames, 2), 0.05)
    lids[28:34] = np.array([0.4, 0.9, 1.0, 0.6, 0.3, 0.15])[:, None]
    return FaceTrack(
        expr, 25, head.id, jaw_pose=jaw, neck_pose=0.2 * wave(3), eyes_pose=0.15 * wave(6), eyelids=lids,
        translation=0.01 * wave(3), rotation=0.1 * wave(3),
    )  # fmt: skip


def read(rig, first: int = 1, last: int = 60) -> FaceTrack:
    return read_track(rig, bpy.context.scene, first, last)


def difference(one: FaceTrack, other: FaceTrack) -> np.ndarray:
    """(N,) largest difference of any channel at each frame."""
    return np.max([np.abs(getattr(one, name) - getattr(other, name)).max(1) for name in CHANNELS], axis=0)


def digest(curves) -> dict:
    """What tells whether any key of any curve has changed, short enough to be compared in a report."""
    return {
        (curve.data_path, curve.array_index): sha256(
            b"".join(a.tobytes() for a in read_keys(curve).values())
        ).hexdigest()
        for curve in curves
    }


def edits_of(rig) -> list:
    return curves_of(edit_layer(rig), getattr(rig.animation_data, "action_slot", None))


@pytest.mark.parametrize("mode", MODES)
def test_what_is_sampled_is_what_blender_evaluates(head, mode):
    bpy.context.scene.render.fps = 25
    rig = build_rig(head)
    for name in JOINTS:
        rig.pose.bones[name].rotation_mode = mode
    write_track(rig, random_track(head, 30), 1, "Speech")
    for seed, target in ((1, "neck"), (2, "jaw")):
        bone = rig.pose.bones[target]
        path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
        for frame in (5, 15, 25):
            random = np.random.default_rng([seed, frame])
            numbers = random.normal(0, 0.2, len(getattr(bone, path)))
            numbers[0] += mode == "QUATERNION"
            setattr(bone, path, numbers.tolist())
            bone.keyframe_insert(path, frame=frame)
    rig.pose.bones["face"]["Exp002"] = 0.4
    rig.pose.bones["face"].keyframe_insert('["Exp002"]', frame=10)
    motion, scene = Motion(rig, np.arange(1, 31)), bpy.context.scene
    for frame in (1, 7, 13, 22, 30):
        scene.frame_set(frame)
        for channel in motion.channels.values():
            value = rig.pose.bones[channel.bone].path_resolve(channel.path)
            value = np.array([value] if isinstance(value, float) else value)
            found = channel.raw[frame - 1]
            if channel.mode == "QUATERNION":
                assert abs(abs(found @ value) / np.linalg.norm(value) / np.linalg.norm(found) - 1) < 1e-5
            else:
                np.testing.assert_allclose(found, value, atol=2e-5, err_msg=str(channel.key))


@pytest.mark.parametrize("mode", MODES)
def test_exaggerating_scales_what_moves_inside_and_nothing_else(talking, face, mode):
    for name in JOINTS:
        talking.pose.bones[name].rotation_mode = mode
    track = speech(face)
    write_track(talking, track, 1, "Speech")
    before, made = read(talking), digest(baked_curves(talking))
    adjust.exaggerate(talking, (11, 50), 1.5, PARTS, soft=5)
    after = read(talking)
    assert digest(baked_curves(talking)) == made
    assert difference(before, after)[[*range(11), *range(49, 60)]].max() < 2e-5
    off = ROUNDING.get(mode, 2e-5)
    np.testing.assert_allclose(after.neck_pose[16:44], 1.5 * before.neck_pose[16:44], atol=off)
    brows = face.expression_names.index("brow_inner_up")
    np.testing.assert_allclose(after.expr[16:44, brows], np.minimum(1.5 * before.expr[16:44, brows], 1), atol=2e-5)
    # Where the head stands is no motion of the face.
    np.testing.assert_allclose(after.translation, before.translation, atol=1e-6)


def test_exaggerating_about_the_mean_keeps_the_pose(talking, face):
    track = speech(face)
    track.neck_pose[:, 1] += 0.4
    write_track(talking, track, 1, "Speech")
    adjust.exaggerate(talking, (1, 60), 2.0, frozenset({"head"}), mean_width=25)
    after = read(talking)
    assert abs(after.neck_pose[20:40, 1].mean() - track.neck_pose[20:40, 1].mean()) < 0.06
    assert np.ptp(after.neck_pose[20:40, 1]) > 1.3 * np.ptp(track.neck_pose[20:40, 1])


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_sealed_lips_stay_sealed(talking, face, factor):
    write_track(talking, speech(face), 1, "Speech")
    before = read(talking)
    adjust.exaggerate(talking, (1, 60), factor, PARTS)
    adjust.smooth(talking, (1, 60), 9, 2, PARTS)
    after, names = read(talking), face.expression_names
    sealed = [19, 20, 21, 39, 40, 41]
    needed = np.maximum(after.jaw_pose[sealed, 0], 0) / np.radians(10)
    assert np.abs(after.jaw_pose[sealed, 0] - before.jaw_pose[sealed, 0]).max() > 0.02
    np.testing.assert_allclose(after.expr[sealed, names.index("mouth_close")], needed, atol=1e-3)
    np.testing.assert_allclose(
        after.expr[:, names.index("lips_press")], before.expr[:, names.index("lips_press")], atol=1e-6
    )
    assert after.expr[sealed, names.index("lower_lip_depress_L")].max() < 1e-5


def test_only_the_chosen_parts_change(talking, face):
    write_track(talking, speech(face), 1, "Speech")
    before = read(talking)
    adjust.exaggerate(talking, (1, 60), 1.5, frozenset({"head"}))
    after = read(talking)
    assert np.abs(after.neck_pose - before.neck_pose).max() > 0.05
    for name in ("expr", "jaw_pose", "eyes_pose", "eyelids"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_smoothing_is_savitzky_golay(talking, face, mode):
    for name in JOINTS:
        talking.pose.bones[name].rotation_mode = mode
    track = speech(face)
    track.neck_pose += np.random.default_rng(5).normal(0, 0.02, track.neck_pose.shape).astype(np.float32)
    write_track(talking, track, 1, "Speech")
    before = read(talking)
    adjust.smooth(talking, (15, 45), 7, 2, PARTS)
    after = read(talking)
    expected = savitzky_golay(before.neck_pose, 7, 2)
    np.testing.assert_allclose(after.neck_pose[14:45], expected[14:45], atol=ROUNDING.get(mode, 5e-5))
    np.testing.assert_allclose(after.neck_pose[:14], before.neck_pose[:14], atol=2e-5)
    np.testing.assert_allclose(after.neck_pose[45:], before.neck_pose[45:], atol=2e-5)


@pytest.mark.parametrize("mode", MODES)
def test_mirroring_twice_is_nothing_and_once_exchanges_the_sides(talking, face, mode):
    for name in JOINTS:
        talking.pose.bones[name].rotation_mode = mode
    write_track(talking, speech(face), 1, "Speech")
    before, names = read(talking), face.expression_names
    adjust.mirror(talking, (10, 50), PARTS)
    after = read(talking)
    inside = slice(9, 50)
    left, right, shift = (names.index(name) for name in ("smile_L", "smile_R", "mouth_shift"))
    np.testing.assert_allclose(after.expr[inside, left], before.expr[inside, right], atol=1e-5)
    np.testing.assert_allclose(after.expr[inside, shift], -before.expr[inside, shift], atol=1e-5)
    off = ROUNDING.get(mode, 5e-5)
    np.testing.assert_allclose(after.neck_pose[inside], before.neck_pose[inside] * [1, -1, -1], atol=off)
    np.testing.assert_allclose(after.eyes_pose[inside, :3], before.eyes_pose[inside, 3:] * [1, -1, -1], atol=off)
    np.testing.assert_allclose(after.translation[inside], before.translation[inside] * [-1, 1, 1], atol=1e-5)
    adjust.mirror(talking, (10, 50), PARTS)
    assert difference(before, read(talking)).max() < 2 * off


def test_offset_head_turns_it_with_four_keys(talking, face):
    still = FaceTrack(np.zeros((60, len(NAMES))), 25, face.id, jaw_pose=np.full((60, 3), 0.01))
    write_track(talking, still, 1, "Speech")
    adjust.offset_head(talking, (10, 50), (0.0, 0.3, 0.0), 6, eyes_stay=True)
    after = read(talking)
    np.testing.assert_allclose(after.neck_pose[15:44, 1], 0.3, atol=1e-4)
    np.testing.assert_allclose(after.eyes_pose[15:44, [1, 4]], -0.3, atol=1e-4)
    assert np.abs(after.neck_pose[[*range(10), *range(49, 60)]]).max() < 1e-6
    assert (np.diff(after.neck_pose[9:16, 1]) > 0).all()
    assert {len(curve.keyframe_points) for curve in edits_of(talking)} == {4}


@pytest.mark.parametrize("mode", MODES)
def test_offset_head_is_the_same_turn_in_every_mode(head, mode):
    rig = build_rig(head)
    for name in JOINTS:
        rig.pose.bones[name].rotation_mode = mode
    still = FaceTrack(np.zeros((60, 6)), 25, head.id, jaw_pose=np.full((60, 3), 0.01))
    write_track(rig, still, 1, "Speech")
    adjust.offset_head(rig, (10, 50), (0.0, 0.3, 0.0), 0, eyes_stay=False)
    after = read_track(rig, bpy.context.scene, 1, 60)
    np.testing.assert_allclose(after.neck_pose[9:50], np.tile([0, 0.3, 0], (41, 1)), atol=1e-4)
    assert np.abs(after.neck_pose[[*range(9), *range(50, 60)]]).max() < 1e-6


def test_lips_close_at_a_frame_against_the_moving_jaw(talking, face):
    write_track(talking, speech(face), 1, "Speech")
    before, names = read(talking), face.expression_names
    adjust.close_lips(talking, Pulse(30, 3, 1, 4))
    after = read(talking)
    shut = [29, 30]
    close, press, lower = (names.index(name) for name in ("mouth_close", "lips_press", "lower_lip_depress_L"))
    np.testing.assert_allclose(after.expr[shut, close], after.jaw_pose[shut, 0] / np.radians(10), atol=1e-4)
    np.testing.assert_allclose(after.expr[shut, press], 0.35, atol=1e-5)
    assert (after.expr[shut, lower] <= 0.11 * before.expr[shut, lower] + 1e-6).all()
    np.testing.assert_allclose(after.jaw_pose, before.jaw_pose, atol=1e-6)
    assert difference(before, after)[[*range(27), *range(35, 60)]].max() < 2e-5
    assert (np.diff(after.expr[26:30, close]) > 0).all()


def test_a_blink_comes_and_goes(talking, face):
    write_track(talking, speech(face), 1, "Speech")
    before = read(talking)
    adjust.add_blink(talking, Pulse(48, 3, 1, 5))
    after = read(talking)
    np.testing.assert_allclose(after.eyelids[[47, 48]], 1, atol=1e-4)
    assert (np.diff(after.eyelids[44:48, 0]) > 0).all()
    assert difference(before, after)[[*range(45), *range(54, 60)]].max() < 1e-5
    assert adjust.remove_blinks(talking, (48, 48), 25) == 1
    assert read(talking).eyelids[43:].max() < 0.1
    # The other blink is still there, until all in a range go.
    assert read(talking).eyelids[30].min() > 0.99
    assert adjust.remove_blinks(talking, (1, 60), 25) == 1
    assert read(talking).eyelids.max() < 0.1
    assert adjust.remove_blinks(talking, (1, 60), 25) == 0


def test_hand_keys_keep_their_places_and_the_rest_of_their_curves(talking, face):
    """An edit over part of a long ease: outside it, the ease is what it was, and no key is gone."""
    write_track(talking, speech(face), 1, "Speech")
    smile = f'["Exp{NAMES.index("smile_L") + 1:03d}"]'
    bone = talking.pose.bones["face"]
    for frame, value in ((1, 0.0), (35, 0.3), (60, 0.1)):
        bone[smile[2:-2]] = value
        bone.keyframe_insert(smile, frame=frame)
    before = read(talking)
    adjust.exaggerate(talking, (20, 40), 1.4, frozenset({"mouth"}))
    after = read(talking)
    column = NAMES.index("smile_L")
    np.testing.assert_allclose(after.expr[19:40, column], np.minimum(1.4 * before.expr[19:40, column], 1), atol=1e-4)
    assert difference(before, after)[[*range(19), *range(40, 60)]].max() < 1e-4
    curve = next(curve for curve in edits_of(talking) if curve.data_path.endswith(smile))
    kinds = {round(point.co[0]): point.type for point in curve.keyframe_points}
    assert [kinds[frame] for frame in (1, 35, 60)] == ["KEYFRAME"] * 3


@pytest.mark.parametrize("handles", ["AUTO", "AUTO_CLAMPED", "ALIGNED"])
def test_a_curve_of_hand_keys_keeps_its_shape_around_an_edit(talking, face, handles):
    """Whatever its handles: between the keys before an edit, behind its last key, and before its first."""
    write_track(talking, speech(face), 1, "Speech")
    bone = talking.pose.bones["neck"]
    for frame, value in ((12, 0.1), (20, 0.4), (36, -0.3), (44, 0.2)):
        bone.rotation_euler = (0.0, value, 0.0)
        bone.keyframe_insert("rotation_euler", frame=frame, index=1)
    for point in edits_of(talking)[0].keyframe_points:
        point.handle_left_type = point.handle_right_type = handles
    edits_of(talking)[0].update()
    for first, last in ((5, 8), (26, 30), (50, 55), (8, 50)):
        before = read(talking)
        adjust.offset_head(talking, (first, last), (0.0, 0.2, 0.0), 1, eyes_stay=False)
        after = read(talking)
        assert difference(before, after)[[*range(first), *range(last - 1, 60)]].max() < 2e-5
        inside = slice(first, last - 1)
        # Between the few keys of an edit the curve may ease otherwise, but not far from what was asked.
        assert np.abs(after.neck_pose[inside, 1] - before.neck_pose[inside, 1] - 0.2).max() < 0.1


def test_edits_survive_the_next_bake(talking, face):
    write_track(talking, speech(face), 1, "Speech")
    adjust.offset_head(talking, (10, 50), (0.1, 0.2, 0.0), 6, eyes_stay=False)
    adjust.add_blink(talking, Pulse(48, 3, 1, 5))
    adjust.exaggerate(talking, (5, 30), 1.5, PARTS, 3)
    edits = edit_layer(talking)
    mine = digest(edits_of(talking))
    second = speech(face, seed=9)
    write_track(talking, second, 1, "Speech")
    assert edit_layer(talking) == edits
    assert digest(edits_of(talking)) == mine
    other = build_rig(face, name="Other")
    write_track(other, second, 1, "Other")
    assert digest(baked_curves(talking)) == digest(baked_curves(other))


def test_a_pose_that_is_not_keyed_is_not_lost(talking, face):
    write_track(talking, FaceTrack(np.zeros((60, 8)), 25, face.id, jaw_pose=np.full((60, 3), 0.01)), 1, "Speech")
    talking.pose.bones["neck"].rotation_euler = (0.0, 0.1, 0.2)
    adjust.offset_head(talking, (10, 50), (0.0, 0.3, 0.0), 6, eyes_stay=False)
    scene = bpy.context.scene
    for frame, expected in ((1, (0, 0.1, 0.2)), (30, (0, 0.4, 0.2)), (60, (0, 0.1, 0.2))):
        scene.frame_set(frame)
        np.testing.assert_allclose(talking.pose.bones["neck"].rotation_euler, expected, atol=1e-5)
