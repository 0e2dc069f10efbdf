"""Reset and Mirror, by hand and with auto-keying."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender import addon
from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import CHANNELS, FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.panels import head_sliders
from erlnet_blender.scene import seating
from erlnet_blender.scene.controls import region_of
from erlnet_blender.scene.curves import curves_of
from erlnet_blender.scene.pose import mirror_pose, mirrored_expressions, pose_channels
from erlnet_blender.scene.rig import apply_frame, build_rig, mesh_of, read_frame, set_rotation
from tests.flame_head import flame_sized_head

from .reference import MM, evaluated_vertices
from .synthetic_head import random_track, synthetic_head


def keyed_curves(rig) -> list[bpy.types.FCurve]:
    return curves_of(rig.animation_data.action, getattr(rig.animation_data, "action_slot", None))


@pytest.fixture
def operators(rig):
    addon.register()
    yield bpy.ops.erlnet
    addon.unregister()


def read(rig) -> FaceTrack:
    return read_frame(rig, bpy.context.evaluated_depsgraph_get())


@pytest.mark.parametrize("mode", ["XYZ", "ZXY", "QUATERNION", "AXIS_ANGLE"])
def test_mirror_exchanges_left_and_right(rig, head, mode):
    for name in ("root", "neck", "jaw", "left_eye"):
        rig.pose.bones[name].rotation_mode = mode
    track = random_track(head, 1)
    apply_frame(rig, track)
    mirror_pose(rig)
    image = read(rig)
    left, right = track.eyes_pose[0, :3], track.eyes_pose[0, 3:]
    np.testing.assert_allclose(image.eyes_pose[0], np.concatenate([right, left]) * ([1, -1, -1] * 2), atol=1e-5)
    for name in ("jaw_pose", "neck_pose", "rotation"):
        np.testing.assert_allclose(getattr(image, name)[0], getattr(track, name)[0] * [1, -1, -1], atol=1e-5)
    np.testing.assert_allclose(image.translation[0], track.translation[0] * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(image.eyelids[0], track.eyelids[0, ::-1], atol=1e-6)
    # mouth_close, smile_L, smile_R, pucker, brow_inner_up, mouth_shift
    np.testing.assert_allclose(image.expr[0], track.expr[0, [0, 2, 1, 3, 4, 5]] * [1, 1, 1, 1, 1, -1], atol=1e-6)
    mirror_pose(rig)
    for name in CHANNELS:
        np.testing.assert_allclose(getattr(read(rig), name), getattr(track, name), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("source", ["default", "unnamed"])
def test_mirror_mirrors_the_mesh(source):
    head = HeadModel.load(default_head_path()) if source == "default" else flame_sized_head()
    rig, random = build_rig(head), np.random.default_rng(3)
    there = head.v_template * [-1, 1, 1]
    sample = random.choice(len(there), 300, replace=False)
    gaps = np.linalg.norm(there[sample, None] - head.v_template[None], axis=2)
    image, sample = gaps.argmin(1)[gaps.min(1) < 0.5 * MM], sample[gaps.min(1) < 0.5 * MM]
    assert len(sample) > 100
    pose = FaceTrack(
        random.uniform(0, 0.5, (1, head.expressiondirs.shape[-1])),
        25,
        head.id,
        jaw_pose=[[0.1, 0.05, 0]],
        neck_pose=[[0.1, 0.3, 0.1]],
        translation=[[0.03, 0, 0]],
    )
    apply_frame(rig, pose)
    before = evaluated_vertices(rig)
    mirror_pose(rig)
    after = evaluated_vertices(rig)
    gap = np.linalg.norm(after[image] - before[sample] * [-1, 1, 1], axis=1)
    # The joints of the head without names are regressed, and lie some tenths of a millimetre off the middle.
    assert np.median(gap) < (0.3 if source == "default" else 0.6) * MM
    assert np.median(np.linalg.norm(after - before, axis=1)) > 20 * MM


def test_a_head_without_names_and_symmetry_is_not_mirrored(head):
    head.meta.pop("expression_names")
    head.v_template[:, 0] += 0.05
    with pytest.raises(ErlnetError, match="not symmetric"):
        mirrored_expressions(head, np.ones(6))


def test_mirror_takes_handles_along():
    rig = build_rig(synthetic_head())
    corner = rig.pose.bones["lip_corner.L"]
    corner.location = (0.0, 0.01, 0.0)
    rig.pose.bones["look_at"].location = (0.1, 0.2, 0.0)
    mirror_pose(rig)
    assert corner.location.length == 0
    assert rig.pose.bones["lip_corner.R"].location.y == pytest.approx(0.01)
    assert tuple(rig.pose.bones["look_at"].location) == pytest.approx((-0.1, 0.2, 0.0))
    np.testing.assert_allclose(read(rig).expr[0], [0, 0, 0.5, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize(("part", "stays"), [("FACE", {"neck", "root"}), ("POSE", {"root"}), ("ALL", set())])
def test_reset(rig, head, operators, part, stays):
    apply_frame(rig, random_track(head, 1))
    rig.pose.bones["face"]["smile"] = 0.5
    rig.pose.bones["lip_corner.L"].location.y = 0.01
    assert operators.reset_face(part=part) == {"FINISHED"}
    frame = read(rig)
    assert not frame.expr.any()
    assert not frame.eyelids.any()
    assert (np.abs(frame.neck_pose).max() > 1e-3) == ("neck" in stays)
    assert (np.abs(frame.rotation).max() > 1e-3) == ("root" in stays)
    assert (np.abs(frame.translation).max() > 1e-3) == ("root" in stays)


def test_auto_keying_keys_what_changed_and_nothing_else(rig, operators):
    set_rotation(rig.pose.bones["left_eye"], rig.pose.bones["left_eye"].matrix_basis.to_quaternion())
    rig.pose.bones["face"]["Exp002"] = 0.5
    rig.pose.bones["lip_corner.L"].location.y = 0.01
    operators.mirror_pose()
    assert rig.animation_data.action is None
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.context.scene.frame_set(7)
    operators.mirror_pose()
    paths = {curve.data_path for curve in keyed_curves(rig)}
    assert paths == {
        'pose.bones["face"]["Exp002"]', 'pose.bones["face"]["Exp003"]',
        'pose.bones["lip_corner.L"].location', 'pose.bones["lip_corner.R"].location',
    }  # fmt: skip
    assert {tuple(curve.range()) for curve in keyed_curves(rig)} == {(7, 7)}
    bpy.context.scene.frame_set(9)
    operators.reset_face()
    assert {tuple(curve.range()) for curve in keyed_curves(rig)} == {(7, 9), (7, 7)}
    assert all(value == (0.0,) for (bone, _), value in pose_channels(rig).items() if bone == "face")


def test_both_say_why_they_cannot_run(operators):
    bpy.data.objects.remove(bpy.data.objects["Head"])
    for operator in (operators.mirror_pose, operators.reset_face):
        assert not operator.poll()
        with pytest.raises(RuntimeError, match="Add a head first"):
            operator()


def test_a_dragged_identity_slider_moves_the_joints(rig, head, operators):
    """What the timer does after a drag, and the button for where there is no timer."""
    keys = mesh_of(rig).data.shape_keys.key_blocks
    joint = rig.data.bones["jaw"].head_local.copy()
    assert not operators.seat_joints.poll()
    keys["Shape001"].value = 1.0
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    assert seating.seat_changed() is not None, "not while a mesh is being edited, but soon"
    assert seating.unseated(bpy.context.scene) == [rig]
    bpy.ops.object.mode_set(mode="OBJECT")
    assert seating.seat_changed() is None
    assert seating.unseated(bpy.context.scene) == []
    assert (rig.data.bones["jaw"].head_local - joint).length > 1e-4
    keys["Shape001"].value = 0.0
    bpy.context.view_layer.objects.active = rig
    assert operators.seat_joints() == {"FINISHED"}
    assert (rig.data.bones["jaw"].head_local - joint).length < 1e-6


def test_regions_of_the_default_head():
    names = HeadModel.load(default_head_path()).expression_names
    assert {region_of(name) for name in names} >= {"Brows", "Eyes", "Mouth", "Jaw and chin", "Tongue"}
    assert region_of("lip_tighten") == "Mouth"
    assert region_of("lid_follow_up_L") == "Eyes"
    assert {region_of(name) for name in ("swallow", "neck_tighten")} == {"Neck"}


def test_components_are_found_by_name_and_many_nameless_ones_are_few(rig, operators):
    class Layout:
        """Takes what a panel draws."""

        def __getattr__(self, name):
            return lambda *_, **__: Layout()

    rig["erlnet_shape_names"] = '["head_width", "nose_tip_up"]'
    assert head_sliders.labels(rig, "erlnet_shape_names", "Shape", 2) == {
        "Shape001": "head_width", "Shape002": "nose_tip_up"
    }  # fmt: skip
    named = {f"Shape{i:03d}": f"width {i}" for i in range(30)}
    nameless = {f"Shape{i:03d}": f"Shape{i:03d}" for i in range(300)}
    assert len(head_sliders.shown(Layout(), rig, named)) == 30
    rig.erlnet.search = "Width 2"
    assert head_sliders.shown(Layout(), rig, named) == ["Shape002", *(f"Shape02{i}" for i in range(10))]
    rig.erlnet.search = "299"
    assert head_sliders.shown(Layout(), rig, nameless) == ["Shape299"]
