"""ARKit on the default head: CSV out and in, and a copy with the 52 shapes as shape keys."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.arkit import NAMES, axis_angle, can_make, poses_of, read_csv
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.arkit import MEETS_AT, arkit_copy, shape_offsets
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.rig import apply_frame, build_rig, find_rig

from .synthetic_head import random_track, synthetic_head
from .test_rig import evaluated_vertices

MM = 1e-3


@pytest.fixture(scope="module")
def default_head():
    return HeadModel.load(default_head_path())


def arkit_track(head: HeadModel, frames: int, amount: float = 0.5) -> FaceTrack:
    """A track of what ARKit can say, one after the other shape by shape, with a moving neck."""
    random = np.random.default_rng(0)
    weights = np.zeros((frames, 52))
    shapes = [index for index, name in enumerate(NAMES) if can_make(name, head.expression_names, True)]
    weights[np.arange(frames), random.permutation(shapes)[:frames]] = amount
    poses = poses_of(weights, head.expression_names)
    neck = axis_angle(random.normal(0, 0.15, (frames, 3)))
    return FaceTrack(
        poses.expr, 25, head.id, jaw_pose=poses.jaw_pose, neck_pose=neck, eyes_pose=poses.eyes_pose,
        eyelids=poses.eyelids,
    )  # fmt: skip


def test_the_default_head_can_make_all_of_them(default_head):
    assert not {name for name in NAMES if not can_make(name, default_head.expression_names, True)}


@pytest.mark.parametrize("identity", [[], [1.0, -1.5, 0.8]], ids=["template", "identity"])
def test_shapes_are_what_the_rig_does(default_head, identity):
    """Every shape against Blender's evaluation of the rig in that pose; eye, jaw, lid and lip shapes alike."""
    head = default_head
    shape = np.array(identity, np.float32)
    rig = build_rig(head, shape=shape)
    rest = head.v_template + head.shapedirs[..., : len(shape)] @ shape
    offsets = shape_offsets(head, rest.astype(np.float64))
    poses = poses_of(np.eye(52), head.expression_names)
    names = ("jawOpen", "jawLeft", "eyeLookUpLeft", "eyeLookInRight", "eyeBlinkRight", "mouthClose", "mouthSmileLeft")
    for name in names:
        index = NAMES.index(name)
        one, weight = slice(index, index + 1), MEETS_AT["jaw"] if name.startswith("jaw") else 1.0
        frame = FaceTrack(
            weight * poses.expr[one], 25, head.id, jaw_pose=weight * poses.jaw_pose[one],
            eyes_pose=poses.eyes_pose[one], eyelids=poses.eyelids[one],
        )  # fmt: skip
        apply_frame(rig, frame)
        assert np.abs(offsets[name]).max() > 1 * MM, name
        np.testing.assert_allclose(evaluated_vertices(rig), rest + weight * offsets[name], atol=0.01 * MM, err_msg=name)


@pytest.mark.usefixtures("enabled")
def test_csv_out_and_in(default_head, tmp_path):
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, 30
    rig = build_rig(default_head)
    track = arkit_track(default_head, 30)
    write_track(rig, track, 1, "Speech")
    path = str(tmp_path / "face.csv")
    bpy.ops.erlnet.export_arkit(filepath=path)
    recording = read_csv(path, 25)
    assert recording.weights.shape == (30, 52)
    assert ((recording.weights > 0.01).sum(1) >= 1).all()
    other = build_rig(default_head, name="Other")
    bpy.ops.erlnet.import_arkit(filepath=path, recorded_fps=25, start="CUSTOM", start_frame=101)
    assert find_rig(bpy.context) == other
    read = read_track(other, scene, 101, 130)
    for name in ("expr", "jaw_pose", "neck_pose", "eyes_pose", "eyelids"):
        np.testing.assert_allclose(getattr(read, name), getattr(track, name), atol=2e-4, err_msg=name)


@pytest.mark.usefixtures("enabled")
def test_import_without_head_motion_and_only_in_range(default_head, tmp_path):
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, 8
    rig = build_rig(default_head)
    write_track(rig, arkit_track(default_head, 8), 1, "Speech")
    bpy.ops.erlnet.export_arkit(filepath=str(tmp_path / "a.csv"))
    other = build_rig(default_head, name="Other")
    bpy.ops.erlnet.import_arkit(
        filepath=str(tmp_path / "a.csv"), recorded_fps=25, head_motion=False, start="CUSTOM", start_frame=4,
        only_range=True,
    )  # fmt: skip
    assert baked_range(other) == (4, 8)
    assert not read_track(other, scene, 1, 8).neck_pose.any()


def test_the_copy_has_arkits_52_keys_and_moves_as_the_head(default_head):
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, 6
    rig = build_rig(default_head, shape=np.array([0.5, 1.0], np.float32))
    # The neck's correctives are no face shapes: it stays, and the root turns.
    track = arkit_track(default_head, 6)
    track = replace(track, rotation=track.neck_pose, neck_pose=np.zeros((6, 3)))
    turning = track.jaw_pose.any(1) | track.eyes_pose.any(1)
    assert turning.any()
    assert not turning.all()
    write_track(rig, track, 1, "Speech")
    armature = arkit_copy(rig, scene, 1, 6)
    mesh_object = armature.children[0]
    assert [key.name for key in mesh_object.data.shape_keys.key_blocks] == ["Basis", *NAMES]
    assert [bone.name for bone in armature.data.bones] == ["root", "neck"]
    for index in range(6):
        scene.frame_set(index + 1)
        graph = bpy.context.evaluated_depsgraph_get()
        mesh = mesh_object.evaluated_get(graph).to_mesh()
        places = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", places)
        # What turns goes round: half the angle is not quite half the way.
        limit = 0.5 * MM if turning[index] else 0.01 * MM
        assert np.linalg.norm(places.reshape(-1, 3) - evaluated_vertices(rig), axis=1).max() < limit


@pytest.mark.usefixtures("enabled")
def test_heads_without_names_say_why(tmp_path):
    head = synthetic_head(named=False)
    rig = build_rig(head)
    write_track(rig, random_track(head, 3), 1, "Speech")
    with pytest.raises(RuntimeError, match="have no names that ARKit's could be matched with"):
        bpy.ops.erlnet.export_arkit(filepath=str(tmp_path / "a.csv"))
    with pytest.raises(ErlnetError, match="convert the motion to the default head first"):
        arkit_copy(rig, bpy.context.scene, 1, 3)
    assert not list(tmp_path.iterdir())
