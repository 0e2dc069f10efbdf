"""Visemes and emotions: on the face with a strength, keyed, and as pose assets that Blender applies itself."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.controls import FACE_BONE, expression_key
from erlnet_blender.scene.curves import channels_of
from erlnet_blender.scene.pose_assets import CATALOG_FILE, CATALOGS, add_pose_assets, apply_pose, pose_assets
from erlnet_blender.scene.pose_library import (
    EMOTIONS,
    POSES,
    VISEMES,
    missing_expressions,
    moves_anything,
    pose_values,
)
from erlnet_blender.scene.rig import build_rig, find_rig, read_frame

from .synthetic_head import synthetic_head

VISEME_NAMES = {"sil", "pp", "ff", "th", "dd", "kk", "ch", "ss", "nn", "rr", "aa", "e", "ih", "oh", "ou"}
EMOTION_NAMES = {"neutral", "happy", "sad", "angry", "surprised", "fearful", "disgusted"}


@pytest.fixture(scope="module")
def names():
    return HeadModel.load(default_head_path()).expression_names


def evaluated(rig):
    bpy.context.view_layer.update()
    return read_frame(rig, bpy.context.evaluated_depsgraph_get())


def speaking_head():
    """A small head with the names of the default head's speech, so that every viseme has something to move."""
    head = synthetic_head()
    head.meta["expression_names"] = ["mouth_close", "lips_press", "stretch_L", "stretch_R", "pucker", "brow_down_L"]
    return head


def test_the_library_is_what_the_field_expects(names):
    assert {pose.name for pose in VISEMES} == VISEME_NAMES
    assert {pose.name for pose in EMOTIONS} == EMOTION_NAMES
    for pose in POSES.values():
        assert moves_anything(pose, names, True)
        # Only what the head's next version brings may be missing.
        assert set(missing_expressions(pose, names)) <= {"brow_together", "chin_raise", "lip_tighten", "neck_tighten"}
        assert all(0 <= value <= 1 for value in pose.values.values())
    shapes = [tuple(pose_values(pose, names).values()) + (pose.jaw_deg,) for pose in VISEMES]
    assert len(set(shapes)) == len(VISEMES), "two visemes look the same"


def test_a_seal_fits_its_jaw():
    """mouth_close at 1 closes the lips at 10 degrees."""
    assert POSES["pp"].values["mouth_close"] == pytest.approx(POSES["pp"].jaw_deg / 10)


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION", "AXIS_ANGLE"])
def test_apply_goes_from_the_present_face_to_the_pose(mode):
    head = speaking_head()
    rig = build_rig(head)
    rig.pose.bones["jaw"].rotation_mode = mode
    apply_pose(rig, POSES["aa"])
    np.testing.assert_allclose(evaluated(rig).jaw_pose[0], [np.radians(12), 0, 0], atol=5e-6)
    apply_pose(rig, POSES["pp"], 0.5)
    frame = evaluated(rig)
    np.testing.assert_allclose(frame.jaw_pose[0], [np.radians(7.5), 0, 0], atol=5e-6)
    # aa has stretch 0.1, pp mouth_close 0.3 and lips_press 0.4.
    np.testing.assert_allclose(frame.expr[0], [0.15, 0.2, 0.05, 0.05, 0, 0], atol=1e-6)
    apply_pose(rig, POSES["pp"])
    np.testing.assert_allclose(evaluated(rig).expr[0], [0.3, 0.4, 0, 0, 0, 0], atol=1e-6)


def test_a_viseme_takes_the_place_of_whatever_the_mouth_did():
    rig = build_rig(speaking_head())
    face = rig.pose.bones[FACE_BONE]
    face["open"], face["pucker"], face[expression_key(5)] = 0.7, 0.5, 0.9
    apply_pose(rig, POSES["sil"])
    frame = evaluated(rig)
    np.testing.assert_allclose(frame.jaw_pose, 0, atol=1e-7)
    np.testing.assert_allclose(frame.expr[0], [0, 0, 0, 0, 0, 0.9], atol=1e-6)


def test_handles_on_the_mouth_go_back_and_the_eyes_target_stays():
    rig = build_rig(speaking_head())
    bones = rig.pose.bones
    bones["lips"].location, bones["look_at"].location = (0.0, -0.01, 0.01), (0.1, 0.0, 0.0)
    bones[FACE_BONE]["look_at"] = 0.5
    assert evaluated(rig).expr[0, 4] == pytest.approx(0.5, abs=1e-5), "the handle pulls at pucker"
    apply_pose(rig, POSES["sil"], 0.5)
    assert evaluated(rig).expr[0, 4] == pytest.approx(0.25, abs=1e-5)
    add_pose_assets(rig)
    rig.pose.apply_pose_from_action(pose_assets(rig)["sil"], evaluation_time=1.0)
    assert not evaluated(rig).expr.any()
    assert bones[FACE_BONE]["look_at"] == 0.5
    assert bones["look_at"].location.x == pytest.approx(0.1)


def test_an_emotion_can_leave_the_mouth():
    rig = build_rig(speaking_head())
    apply_pose(rig, POSES["ih"])
    before = evaluated(rig)
    apply_pose(rig, POSES["angry"], leave_mouth=True)
    frame = evaluated(rig)
    np.testing.assert_allclose(frame.expr[0, :5], before.expr[0, :5], atol=1e-7)
    np.testing.assert_allclose(frame.jaw_pose, before.jaw_pose, atol=1e-7)
    assert frame.expr[0, 5] == pytest.approx(0.95)
    apply_pose(rig, POSES["neutral"])
    assert not evaluated(rig).expr.any()


def test_keys_hold_the_pose():
    rig = build_rig(speaking_head())
    scene = bpy.context.scene
    for frame, name in ((1, "sil"), (10, "ou"), (20, "sil")):
        scene.frame_set(frame)
        apply_pose(rig, POSES[name], key=True)
    scene.frame_set(10)
    assert evaluated(rig).expr[0, 4] == pytest.approx(0.85)
    assert evaluated(rig).jaw_pose[0, 0] == pytest.approx(np.radians(2.5), abs=1e-5)
    scene.frame_set(20)
    assert evaluated(rig).expr[0, 4] == pytest.approx(0)


def test_heads_without_names_get_the_jaw_only():
    rig = build_rig(synthetic_head(named=False))
    apply_pose(rig, POSES["aa"])
    frame = evaluated(rig)
    assert frame.jaw_pose[0, 0] == pytest.approx(np.radians(12), abs=1e-6)
    assert not frame.expr.any()
    with pytest.raises(ErlnetError, match="no names that 'Angry' could use"):
        apply_pose(rig, POSES["angry"])
    made = {action.name for action in add_pose_assets(rig)}
    assert "Viseme aa" in made
    assert "Angry" not in made


def test_assets_hold_what_apply_does():
    rig = build_rig(speaking_head())
    actions = add_pose_assets(rig)
    assert len(actions) == len(pose_assets(rig))
    assert {action.asset_data.catalog_id for action in actions} == {identity for identity, _ in CATALOGS.values()}
    for name in ("pp", "ou", "angry"):
        action = pose_assets(rig)[name]
        assert action.asset_data is not None
        assert {"face", name} <= {tag.name for tag in action.asset_data.tags}
        apply_pose(rig, POSES["aa"])
        apply_pose(rig, POSES[name])
        expected = evaluated(rig)
        apply_pose(rig, POSES["aa"])
        # What Blender's operator for pose assets calls; the asset shelf itself needs a window.
        rig.pose.apply_pose_from_action(action, evaluation_time=1.0)
        frame = evaluated(rig)
        np.testing.assert_allclose(frame.expr, expected.expr, atol=1e-6)
        np.testing.assert_allclose(frame.jaw_pose, expected.jaw_pose, atol=1e-6)
        np.testing.assert_allclose(frame.eyelids, expected.eyelids, atol=1e-6)


def test_an_asset_blends_in_any_rotation_mode_and_on_another_rig():
    first = build_rig(speaking_head(), name="One")
    add_pose_assets(first)
    second = build_rig(speaking_head(), name="Two")
    # Blender blends the four numbers of axis and angle one by one, which is a rotation again at the ends only.
    for mode, factor in (("XYZ", 0.5), ("QUATERNION", 0.5), ("AXIS_ANGLE", 1.0)):
        apply_pose(second, POSES["sil"])
        second.pose.bones["jaw"].rotation_mode = mode
        second.pose.blend_pose_from_action(pose_assets(second)["aa"], blend_factor=factor, evaluation_time=1.0)
        assert evaluated(second).jaw_pose[0, 0] == pytest.approx(factor * np.radians(12), abs=1e-5)


def test_making_the_library_again_replaces_it():
    rig = build_rig(speaking_head())
    count = len(add_pose_assets(rig))
    add_pose_assets(rig)
    assert len([action for action in bpy.data.actions if action.asset_data is not None]) == count
    names = [action.name for action in bpy.data.actions]
    assert not [name for name in names if name.endswith(".001")]
    action = pose_assets(rig)["aa"]
    curves = channels_of(action, action.slots[0] if hasattr(action, "slots") else None).fcurves
    assert all(len(curve.keyframe_points) == 1 for curve in curves)


@pytest.mark.usefixtures("enabled")
def test_operators_and_catalogs(tmp_path):
    build_rig(speaking_head())
    rig = find_rig(bpy.context)
    bpy.ops.erlnet.add_pose_library()
    assert not list(tmp_path.iterdir())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    (tmp_path / CATALOG_FILE).write_text("VERSION 1\n\n00000000-0000-4000-8000-000000000000:Mine:Mine")
    for _ in range(2):
        bpy.ops.erlnet.add_pose_library()
        lines = (tmp_path / CATALOG_FILE).read_text().splitlines()
        assert lines[2].endswith(":Mine:Mine")
        assert [line.split(":")[1] for line in lines[3:]] == ["ERLNet/Visemes", "ERLNet/Emotions"]
    bpy.ops.erlnet.apply_pose(pose="ou", strength=0.5, key=True)
    assert evaluated(rig).expr[0, 4] == pytest.approx(0.425)
    assert rig.animation_data.action is not None
