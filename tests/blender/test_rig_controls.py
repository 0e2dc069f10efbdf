"""Handles on the face, the look-at target, and how bones are sorted and named."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from erlnet_blender.face_track import CHANNELS
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.controls import FACE_BONE
from erlnet_blender.scene.drags import drags_of, place_of
from erlnet_blender.scene.keyframes import read_track, write_track
from erlnet_blender.scene.rig import build_rig, mesh_of, read_frame, set_shape

from .reference import MM, distance
from .synthetic_head import random_track, synthetic_head

NAMES = (
    "smile_L", "smile_R", "frown_L", "frown_R", "stretch_L", "stretch_R", "mouth_shift", "brow_inner_up",
    "brow_outer_up_L", "brow_outer_up_R", "eye_wide_L", "eye_wide_R", "chin_raise", "pucker",
)  # fmt: skip


@pytest.fixture
def face_head():
    return synthetic_head(names=NAMES)


@pytest.fixture
def face_rig(face_head):
    bpy.context.scene.render.fps = 25
    return build_rig(face_head)


def read(rig):
    return read_frame(rig, bpy.context.evaluated_depsgraph_get())


def expressions(head, track, frame: int = 0) -> dict[str, float]:
    """The named expressions of a frame that are not zero."""
    values = zip(head.expression_names, track.expr[frame].tolist(), strict=True)
    return {name: round(value, 5) for name, value in values if abs(value) > 1e-6}


@pytest.mark.parametrize(
    ("bone", "location", "expected"),
    [
        ("lip_corner.L", (0.01, 0.01, 0), {"stretch_L": 0.5, "smile_L": 0.5}),
        ("lip_corner.R", (-0.02, -0.005, 0), {"stretch_R": 1.0, "frown_R": 0.25}),
        ("lip_corner.R", (0.02, 0, 0), {}),
        ("lips", (-0.01, 0, 0.02), {"mouth_shift": -0.5, "pucker": 1.0}),
        ("brow.L", (0, 0.3, 0), {"brow_outer_up_L": 1.0}),
        ("chin", (0, 0.03, 0), {"chin_raise": 1.0}),
    ],
)
def test_handles_raise_expressions_as_far_as_they_go(face_rig, face_head, bone, location, expected):
    face_rig.pose.bones[bone].location = location
    assert expressions(face_head, read(face_rig)) == pytest.approx(expected, abs=1e-5)


def test_the_chin_opens_the_jaw_and_the_lid_shuts_the_eye(face_rig, face_head):
    face_rig.pose.bones["chin"].location.y = -0.015
    face_rig.pose.bones["lid_upper.L"].location.y = -0.005
    frame = read(face_rig)
    np.testing.assert_allclose(frame.jaw_pose[0], [0.15, 0, 0], atol=1e-5)
    np.testing.assert_allclose(frame.eyelids[0], [0.5, 0], atol=1e-6)
    assert distance(face_rig, face_head, frame) < 0.01 * MM


def test_keyed_handles_add_to_a_bake(face_rig, face_head):
    track = random_track(face_head, 5)
    write_track(face_rig, track, 1, "Speech")
    corner = face_rig.pose.bones["lip_corner.L"]
    for frame, height in ((1, 0.0), (5, 0.02)):
        corner.location.y = height
        corner.keyframe_insert("location", frame=frame)
    result = read_track(face_rig, bpy.context.scene, 1, 5)
    expected = track.expr.copy()
    expected[4, NAMES.index("smile_L")] += 1.0
    np.testing.assert_allclose(result.expr[[0, 4]], expected[[0, 4]], atol=1e-5)


def test_handles_exist_where_the_head_has_the_names():
    names = {bone.name for bone in build_rig(synthetic_head(named=False)).pose.bones}
    assert {"chin", "lid_upper.L", "lid_upper.R"} <= names
    assert not {"lip_corner.L", "brow.R", "lips", "brow_inner"} & names


def test_no_cycles_where_expressions_move_the_joints(capfd):
    """The handles hang on the neck, whose place depends on what they drive."""
    head = synthetic_head(names=NAMES, joints_move=True)
    rig = build_rig(head)
    rig.pose.bones["lip_corner.L"].location = (0.02, 0.02, 0)
    rig.pose.bones["neck"].rotation_euler.y = 0.3
    frame = read(rig)
    assert expressions(head, frame) == {"smile_L": 1.0, "stretch_L": 1.0}
    assert distance(rig, head, frame) < 0.01 * MM
    assert "cycle" not in capfd.readouterr().err.lower()


def test_handles_of_the_default_head_lie_before_the_face():
    head = HeadModel.load(default_head_path())
    rig = build_rig(head)
    drags = {drag.name: drag for drag in drags_of(head)}
    assert len(drags) >= 18
    for drag in drags.values():
        place = np.array(rig.data.bones[drag.name].head_local)
        np.testing.assert_allclose(place, place_of(drag, head, head.v_template), atol=1e-6)
        gaps = np.linalg.norm(head.v_template - place, axis=1)
        assert 1.5 * MM < gaps.min() < 15 * MM, drag.name
        if drag.name.endswith(".L"):
            other = np.array(rig.data.bones[f"{drag.name[:-2]}.R"].head_local)
            np.testing.assert_allclose(other * [-1, 1, 1], place, atol=3 * MM)
    set_shape(rig, np.full(10, 1.5))
    shaped = head.v_template + head.shapedirs[..., :10].sum(-1) * 1.5
    for drag in drags.values():
        place = np.array(rig.data.bones[drag.name].head_local)
        np.testing.assert_allclose(place, place_of(drag, head, shaped), atol=1e-5)
        assert np.linalg.norm(place - place_of(drag, head, head.v_template)) > 0.2 * MM, drag.name


def test_collections_and_sides(face_rig):
    collections = face_rig.data.collections
    assert [(item.name, item.is_visible) for item in collections] == [
        ("Main", True), ("Detail", True), ("Mechanism", False)
    ]  # fmt: skip
    assert {"root", "neck", "jaw", "left_eye", "right_eye", "look_at", "face", "lip_corner.L"} <= {
        bone.name for bone in collections["Main"].bones
    }
    hidden = {bone.name for bone in collections["Mechanism"].bones}
    assert hidden == {bone.name for bone in face_rig.data.bones if bone.name.startswith("MCH-")}
    for bone in face_rig.pose.bones:
        assert (bone.custom_shape is None) == (bone.name in hidden), bone.name
        assert bpy.utils.flip_name(bone.name) in face_rig.pose.bones


def test_blender_flips_a_pose(face_rig, face_head):
    """Copy and Paste Flipped, which goes by the names and axes of the bones."""
    bones = face_rig.pose.bones
    bones["lip_corner.L"].location = (0.01, 0.02, 0)
    bones["left_eye"].rotation_euler = (0.1, 0.2, 0)
    bpy.context.view_layer.objects.active = face_rig
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.select_all(action="SELECT")
    bpy.ops.pose.copy()
    bpy.ops.pose.paste(flipped=True)
    frame = read(face_rig)
    assert expressions(face_head, frame) == pytest.approx({"stretch_R": 0.5, "smile_R": 1.0}, abs=1e-5)
    assert frame.eyes_pose[0, :3] == pytest.approx(0, abs=1e-6)
    assert frame.eyes_pose[0, 4] < -0.19


def test_eyes_look_at_the_target_as_far_as_asked(face_rig, face_head):
    track = replace(random_track(face_head, 3), eyes_pose=np.full((3, 6), 0.1))
    write_track(face_rig, track, 1, "Speech")
    scene = bpy.context.scene
    baked = read_track(face_rig, scene, 1, 3)
    for name in CHANNELS:
        np.testing.assert_allclose(getattr(baked, name), getattr(track, name), atol=1e-5, err_msg=name)
    face_rig.pose.bones["look_at"].location = (0.05, -0.02, 0.0)
    face_rig.pose.bones[FACE_BONE]["look_at"] = 1.0
    face_rig.update_tag()
    for frame in (1, 2, 3):
        scene.frame_set(frame)
        bones = face_rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        for eye in ("left_eye", "right_eye"):
            gaze = np.array(bones[eye].matrix)[:3, 2]
            wanted = np.array(bones["look_at"].head - bones[eye].head)
            angle = np.arccos(np.clip(gaze @ wanted / np.linalg.norm(wanted), -1, 1))
            turned = np.abs(read(face_rig).eyes_pose).max()
            assert angle < 1e-3 or turned > 0.5, "on the target, or at the limit"
        assert distance(face_rig, face_head, read(face_rig)) < 0.01 * MM
    face_rig.pose.bones[FACE_BONE]["look_at"] = 0.0
    face_rig.update_tag()
    again = read_track(face_rig, scene, 1, 3)
    np.testing.assert_allclose(again.eyes_pose, track.eyes_pose, atol=1e-5)


def test_eyes_turn_no_further_than_eyes_do(face_rig):
    face_rig.pose.bones["look_at"].location = (2.0, 0.0, -1.0)
    face_rig.pose.bones[FACE_BONE]["look_at"] = 1.0
    face_rig.update_tag()
    assert 0.7 < np.linalg.norm(read(face_rig).eyes_pose[0, :3]) < 0.9


def test_handles_are_no_part_of_the_picture(face_rig):
    """Nothing but the armature and its mesh is in the scene; the outlines are shared between heads."""
    objects = set(bpy.context.scene.objects)
    assert objects == {face_rig, mesh_of(face_rig)}
    shapes = {bone.custom_shape for bone in face_rig.pose.bones} - {None}
    other = build_rig(synthetic_head(names=NAMES), name="Other")
    assert {bone.custom_shape for bone in other.pose.bones} - {None} == shapes
