"""What is generated lies below, what is keyed by hand on top: neither harms the other."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.scene.channels import track_channels
from erlnet_blender.scene.curves import channels_of, ensure_curve, read_keys, replace_keys, slot_for
from erlnet_blender.scene.flatten import flatten
from erlnet_blender.scene.keyframes import baked_range, clear_bake, read_track, write_track
from erlnet_blender.scene.layers import (
    EDITS,
    GENERATED,
    base_strip,
    before_strip,
    edit_layer,
    is_mixed,
    is_muted,
    mute,
    revert_bake,
    solo,
)

from .synthetic_head import random_track

EDIT = 'pose.bones["face"]["Exp002"]'


def key_edits(rig) -> None:
    """Half a smile more, and the jaw 0.1 rad further open, throughout."""
    curves = curves_of(edit_layer(rig), rig)
    for path, value in ((EDIT, 0.5), ('pose.bones["jaw"].rotation_euler', 0.1)):
        curve = ensure_curve(curves, path, 0, "Edits")
        curve.keyframe_points.insert(5, value)
        curve.update()


def curves_of(action, rig):
    return channels_of(action, getattr(rig.animation_data, "action_slot", None))


def keys_of(action, rig) -> dict:
    return {(curve.data_path, curve.array_index): read_keys(curve) for curve in curves_of(action, rig).fcurves}


def assert_same_keys(keys: dict, expected: dict) -> None:
    assert keys.keys() == expected.keys()
    for curve, attributes in keys.items():
        for name, values in attributes.items():
            np.testing.assert_array_equal(values, expected[curve][name], err_msg=f"{curve} {name}")


def assert_edited(rig, track) -> None:
    read = read_track(rig, bpy.context.scene, 1, len(track))
    expected = track.expr.copy()
    expected[:, 1] += 0.5
    np.testing.assert_allclose(read.expr, expected, atol=1e-5)
    if not track.jaw_pose[:, 1:].any():
        np.testing.assert_allclose(read.jaw_pose[:, 0], track.jaw_pose[:, 0] + 0.1, atol=1e-5)


def test_edits_add_to_the_bake_and_survive_the_next(rig, head):
    first, second = random_track(head, 20, seed=1), random_track(head, 30, seed=2)
    for track in (first, second):
        track.jaw_pose[:, 1:] = 0
    write_track(rig, first, 1, "Speech")
    edits = edit_layer(rig)
    assert rig.animation_data.action == edits
    assert rig.animation_data.action_blend_type == "COMBINE"
    assert rig.animation_data.nla_tracks[0].lock
    key_edits(rig)
    before = keys_of(edits, rig)
    assert_edited(rig, first)
    write_track(rig, second, 1, "Speech")
    assert rig.animation_data.action == edits
    assert_same_keys(keys_of(edits, rig), before)
    assert base_strip(rig).action.name == "Speech"
    assert before_strip(rig).action.name == "Speech before"
    assert baked_range(rig) == (1, 30)
    assert_edited(rig, second)


def test_a_key_set_as_an_animator_does_is_a_difference(rig, head):
    """What the window shows at the key is what the animator posed, and stays so."""
    track = random_track(head, 20, seed=1)
    write_track(rig, track, 1, "Speech")
    face, scene = rig.pose.bones["face"], bpy.context.scene
    scene.frame_set(10)
    face["Exp002"] = 0.75
    assert face.keyframe_insert('["Exp002"]', frame=10)
    assert read_track(rig, scene, 10, 10).expr[0, 1] == pytest.approx(0.75, abs=1e-5)
    key = keys_of(rig.animation_data.action, rig)[EDIT, 0]["co"][0]
    assert key[1] == pytest.approx(0.75 - track.expr[9, 1], abs=1e-5)


def test_a_bake_elsewhere_lengthens_the_strip(rig, head):
    first, second = random_track(head, 20, seed=1), random_track(head, 20, seed=2)
    write_track(rig, first, 101, "Speech")
    write_track(rig, second, 11, "Speech")
    strip = base_strip(rig)
    assert (strip.frame_start, strip.frame_end) == (11, 120)
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 11, 30).expr, second.expr, atol=1e-5)
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 101, 120).expr, first.expr, atol=1e-5)


def test_clearing_takes_the_bake_below(rig, head):
    write_track(rig, random_track(head, 10), 1, "Speech")
    key_edits(rig)
    before = keys_of(edit_layer(rig), rig)
    assert clear_bake(rig, 1, 10) > 100
    assert baked_range(rig) is None
    assert_same_keys(keys_of(edit_layer(rig), rig), before)


def test_a_body_animated_before_is_the_edit_layer_as_it_is(rig, head):
    rig.location.x = 2
    rig.keyframe_insert("location", frame=200)
    action = rig.animation_data.action
    before = keys_of(action, rig)
    write_track(rig, random_track(head, 10), 1, "Speech")
    assert edit_layer(rig) == action
    assert_same_keys(keys_of(action, rig), before)
    bpy.context.scene.frame_set(5)
    assert rig.matrix_world.translation.x == pytest.approx(2)


def older_file(rig, track, start=1):
    """A bake as earlier versions wrote it: generated keys on the rig's own Action."""
    action = bpy.data.actions.new("Speech")
    slot = slot_for(action, rig)
    animation = rig.animation_data_create()
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    curves = channels_of(action, slot)
    for channel in track_channels(rig, track):
        for index, values in enumerate(channel.values.T):
            curve = ensure_curve(curves, channel.data_path, index, channel.group)
            replace_keys(curve, start + np.arange(len(track)), values)
    return curves


def key_by_hand(curves, random) -> None:
    """A new control, a corrected run of a baked curve with its baked keys gone, one key after its end, one before."""
    smile = ensure_curve(curves, 'pose.bones["face"]["smile"]', 0, "Mine")
    for frame in (3, 9, 30):
        smile.keyframe_points.insert(frame, random.normal())
    smile.modifiers.new("NOISE").strength = 0.3
    for path, index in ((EDIT, 0), ('pose.bones["neck"].rotation_euler', 1)):
        curve = curves.fcurves.find(path, index=index)
        points = [point for point in curve.keyframe_points if 11 <= point.co[0] <= 17]
        for point in reversed(points):
            curve.keyframe_points.remove(point)
        for frame in (-4, 12, 13, 16, 40):
            curve.keyframe_points.insert(frame, random.normal())
        curve.update()


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION", "AXIS_ANGLE"])
@pytest.mark.parametrize("seed", [1, 2])
def test_an_older_file_is_taken_apart_without_a_change(rig, head, mode, seed):
    random, scene = np.random.default_rng(seed), bpy.context.scene
    for bone in ("neck", "jaw"):
        rig.pose.bones[bone].rotation_mode = mode
    curves = older_file(rig, random_track(head, 24, seed=seed))
    if mode == "XYZ":
        key_by_hand(curves, random)
    else:
        path = f'pose.bones["neck"].rotation_{mode.lower()}'
        for index in range(4):
            points = curves.fcurves.find(path, index=index).keyframe_points
            points.insert(10.5, points[9].co[1] + 0.1)
    mixed = rig.animation_data.action
    assert is_mixed(rig)
    before = read_track(rig, scene, -6, 42)
    hand = {key: value for key, value in keys_of(mixed, rig).items() if "smile" in key[0]}
    edits = edit_layer(rig)
    assert not is_mixed(rig)
    assert {action.name for action in bpy.data.actions} == {"Speech", "Head edits"}
    assert_same_keys({key: value for key, value in keys_of(edits, rig).items() if "smile" in key[0]}, hand)
    after = read_track(rig, scene, -6, 42)
    for name in ("expr", "neck_pose", "jaw_pose", "eyes_pose", "eyelids", "rotation", "translation"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=2e-5, err_msg=name)
    assert all((keys["type"] != 0).all() for keys in keys_of(base_strip(rig).action, rig).values())
    kept = keys_of(edits, rig)
    write_track(rig, random_track(head, 24, seed=9), 1, "Speech")
    assert_same_keys(keys_of(edits, rig), kept)


def test_the_nla_being_tweaked_is_refused_and_nothing_changes(rig, head):
    good = random_track(head, 10)
    write_track(rig, good, 1, "Speech")
    track = rig.animation_data.nla_tracks[0]
    track.lock = False
    track.select = track.strips[0].select = True
    rig.animation_data.use_tweak_mode = True
    if not rig.animation_data.use_tweak_mode:
        pytest.fail("Blender did not enter tweak mode, so this test proves nothing")
    for refused in (lambda: write_track(rig, random_track(head, 10, seed=4), 1, "Speech"), lambda: edit_layer(rig)):
        with pytest.raises(ErlnetError, match="NLA strip is being edited"):
            refused()
    rig.animation_data.use_tweak_mode = False
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 1, 10).expr, good.expr, atol=1e-5)


def read_expr(rig, frames) -> np.ndarray:
    return read_track(rig, bpy.context.scene, 1, frames).expr


def test_the_last_bake_is_reverted_and_brought_back(rig, head):
    first, second = random_track(head, 20, seed=1), random_track(head, 30, seed=2)
    with pytest.raises(ErlnetError, match="no motion from before the last bake"):
        revert_bake(rig)
    write_track(rig, first, 1, "Speech")
    write_track(rig, second, 1, "Speech")
    key_edits(rig)
    edits = keys_of(edit_layer(rig), rig)
    for expected, (start, end) in ((first, (1, 20)), (second, (1, 30)), (first, (1, 20))):
        revert_bake(rig)
        assert base_strip(rig).action.name == "Speech"
        assert before_strip(rig).action.name == "Speech before"
        assert baked_range(rig) == (start, end)
        np.testing.assert_allclose(read_expr(rig, end)[:, 0], expected.expr[:, 0], atol=1e-5)
        assert_same_keys(keys_of(edit_layer(rig), rig), edits)
    # Two are kept, not every one.
    for seed in range(3):
        write_track(rig, random_track(head, 10, seed=seed), 1, "Speech")
    assert {action.name for action in bpy.data.actions} == {"Speech", "Speech before", "Head edits"}


def test_what_was_cleared_comes_back(rig, head):
    track = random_track(head, 20, seed=1)
    write_track(rig, track, 1, "Speech")
    clear_bake(rig, 1, 20)
    assert base_strip(rig) is None
    revert_bake(rig)
    np.testing.assert_allclose(read_expr(rig, 20), track.expr, atol=1e-5)
    assert before_strip(rig) is None


def test_each_layer_alone(rig, head):
    track = random_track(head, 20, seed=1)
    track.jaw_pose[:, 1:] = 0
    write_track(rig, track, 1, "Speech")
    key_edits(rig)
    before = {action.name: keys_of(action, rig) for action in (edit_layer(rig), base_strip(rig).action)}
    assert_edited(rig, track)
    mute(rig, EDITS, True)
    np.testing.assert_allclose(read_expr(rig, 20), track.expr, atol=1e-5)
    solo(rig, EDITS)
    np.testing.assert_allclose(read_expr(rig, 20), np.tile([0, 0.5, 0, 0, 0, 0], (20, 1)), atol=1e-5)
    assert is_muted(rig, GENERATED)
    solo(rig, GENERATED)
    np.testing.assert_allclose(read_expr(rig, 20), track.expr, atol=1e-5)
    solo(rig, GENERATED)
    assert_edited(rig, track)
    rig.animation_data.action_influence = 0.5
    mute(rig, EDITS, True)
    mute(rig, EDITS, False)
    assert rig.animation_data.action_influence == 0.5
    for action in (edit_layer(rig), base_strip(rig).action):
        assert_same_keys(keys_of(action, rig), before[action.name])


@pytest.mark.parametrize("influence", [1.0, 0.5])
@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION"])
def test_flattened_is_what_was_seen_in_one_action(rig, head, mode, influence):
    scene, track = bpy.context.scene, random_track(head, 30, seed=1)
    for name in ("neck", "jaw"):
        rig.pose.bones[name].rotation_mode = mode
    with pytest.raises(ErlnetError, match="nothing generated"):
        flatten(rig)
    write_track(rig, track, 1, "Speech")
    write_track(rig, track, 1, "Speech")
    face, jaw = rig.pose.bones["face"], rig.pose.bones["jaw"]
    path = "rotation_euler" if mode == "XYZ" else "rotation_quaternion"
    for frame in (5, 20):
        scene.frame_set(frame)
        face["Exp002"], face["smile"] = 0.1 * frame, 0.3
        getattr(jaw, path)[2] += 0.2
        face.keyframe_insert('["Exp002"]', frame=frame)
        face.keyframe_insert('["smile"]', frame=frame)
        jaw.keyframe_insert(path, frame=frame)
    rig.animation_data.action_influence = influence
    before = read_track(rig, scene, 1, 30)
    smile = keys_of(edit_layer(rig), rig)['pose.bones["face"]["smile"]', 0]
    mute(rig, EDITS, True)
    with pytest.raises(ErlnetError, match="layers is muted"):
        flatten(rig)
    mute(rig, EDITS, False)
    action = flatten(rig)
    assert rig.animation_data.action == action
    assert action.name == "Speech"
    assert [item.name for item in bpy.data.actions] == ["Speech"]
    assert not len(rig.animation_data.nla_tracks)
    after = read_track(rig, scene, 1, 30)
    for name in ("expr", "jaw_pose", "neck_pose", "eyes_pose", "eyelids"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=3e-5, err_msg=name)
    if influence == 1:
        assert_same_keys({0: keys_of(action, rig)['pose.bones["face"]["smile"]', 0]}, {0: smile})
    # A later bake takes its place, and what is left of the keys set by hand adds to it.
    write_track(rig, random_track(head, 30, seed=2), 1, "Speech")
    later = read_track(rig, scene, 1, 30)
    np.testing.assert_allclose(later.expr[:, 0], random_track(head, 30, seed=2).expr[:, 0], atol=1e-5)


def test_flattening_reduces_keys(rig, head):
    write_track(rig, random_track(head, 30, seed=1), 1, "Speech")
    key_edits(rig)
    flatten(rig, 20.0, 20.0)
    assert 2 <= len(keys_of(rig.animation_data.action, rig)[EDIT, 0]["co"]) < 30
