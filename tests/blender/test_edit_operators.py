"""The buttons of the Edit panel: they run in the background, say why they cannot, and are one undo step each."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

import erlnet_blender
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats import style_library
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.operators import edit_blink, edit_close_lips, edit_exaggerate, edit_smooth
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.rig import build_rig, head_of, mesh_of

from .synthetic_head import synthetic_head
from .test_edits import NAMES, speech


@pytest.fixture
def scene(_empty_scene):
    erlnet_blender.register()
    bpy.context.scene.render.fps = 25
    yield bpy.context.scene
    erlnet_blender.unregister()


@pytest.fixture
def rig(scene):
    head = synthetic_head(names=NAMES)
    rig = build_rig(head)
    write_track(rig, speech(head), 1, "Speech")
    scene.frame_end = 60
    return rig


def reason(operator: type) -> str:
    return operator.disabled_reason(bpy.context)


def test_buttons_say_why_they_are_grey(scene):
    assert reason(edit_exaggerate.ERLNET_OT_edit_exaggerate) == "Add a head first"
    rig = build_rig(synthetic_head(named=False))
    assert "Nothing moves yet" in reason(edit_smooth.ERLNET_OT_edit_smooth)
    assert "no expression named mouth_close" in reason(edit_close_lips.ERLNET_OT_edit_close_lips)
    assert reason(edit_blink.ERLNET_OT_edit_add_blink) == ""
    del rig.pose.bones["face"]["eyelid_left"]
    assert "no eyelids" in reason(edit_blink.ERLNET_OT_edit_add_blink)


def test_the_preview_range_is_what_is_edited(scene, rig):
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 20, 40
    before = read_track(rig, scene, 1, 60)
    assert bpy.ops.erlnet.edit_exaggerate(factor=1.5, parts={"head"}, soft=0) == {"FINISHED"}
    after = read_track(rig, scene, 1, 60)
    changed = np.flatnonzero(np.abs(after.neck_pose - before.neck_pose).max(1) > 1e-4) + 1
    assert (changed.min(), changed.max()) == (20, 40)
    assert baked_range(rig) == (1, 60)


def test_every_edit_of_a_range_runs(scene, rig):
    for call in (bpy.ops.erlnet.edit_smooth, bpy.ops.erlnet.edit_mirror, bpy.ops.erlnet.edit_offset_head):
        before = read_track(rig, scene, 30, 30)
        assert call(frames="CUSTOM", first_frame=20, last_frame=40) == {"FINISHED"}
        assert np.abs(read_track(rig, scene, 30, 30).neck_pose - before.neck_pose).max() > 1e-4
    with pytest.raises(RuntimeError, match="too short for order 4"):
        bpy.ops.erlnet.edit_smooth(window=3, order=4)
    with pytest.raises(RuntimeError, match="range 40 to 20 is empty"):
        bpy.ops.erlnet.edit_mirror(frames="CUSTOM", first_frame=40, last_frame=20)


@pytest.mark.parametrize("fps", [24, 60])
def test_moments_last_as_long_as_is_natural(scene, rig, fps):
    scene.render.fps = fps
    scene.frame_set(50)
    assert bpy.ops.erlnet.edit_add_blink() == {"FINISHED"}
    lids = read_track(rig, scene, 35, 75).eyelids[:, 0]
    shut = np.flatnonzero(lids > 0.3)
    assert 0.1 < len(shut) / fps < 0.3
    assert lids[15] > 0.99
    assert bpy.ops.erlnet.edit_remove_blink() == {"FINISHED"}
    scene.frame_set(10)
    with pytest.raises(RuntimeError, match="do not blink at frame 10"):
        bpy.ops.erlnet.edit_remove_blink()
    assert bpy.ops.erlnet.edit_close_lips(approach=2, hold=0, release=2) == {"FINISHED"}
    closed = read_track(rig, scene, 10, 10)
    np.testing.assert_allclose(closed.expr[0, 0], closed.jaw_pose[0, 0] / np.radians(10), atol=1e-4)


def test_a_range_becomes_the_style_of_its_head(scene, rig, tmp_path, monkeypatch):
    monkeypatch.setattr(style_library, "data_folder", lambda: tmp_path)
    with pytest.raises(RuntimeError, match=r"too short for a style \(0.4 s\)"):
        bpy.ops.erlnet.edit_copy_style(frames="CUSTOM", first_frame=1, last_frame=10)
    scene.render.fps = 12
    assert bpy.ops.erlnet.edit_copy_style(name="Aunt May", frames="CUSTOM", first_frame=11, last_frame=60) == {
        "FINISHED"
    }
    (saved,) = style_library.list_styles(tmp_path / "styles")
    assert (saved.name, saved.has_motion, saved.fault) == ("Aunt May", True, "")
    assert (rig.erlnet.speech.style, rig.erlnet.speech.style_file) == ("FILE", str(saved.path))
    kept = FaceTrack.load(saved.path)
    np.testing.assert_allclose(kept.expr, read_track(rig, scene, 11, 60).expr, atol=1e-6)


def lip_gap_m(rig, frame: int) -> float:
    """How far the middles of the inner lips are apart on the mesh as Blender evaluates it."""
    bpy.context.scene.frame_set(frame)
    head, mesh = head_of(rig), mesh_of(rig).evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    places = np.array([vertex.co for vertex in mesh.vertices])
    upper, lower = (head.landmark_bary[index] @ places[head.faces[head.landmark_faces[index]]] for index in (13, 14))
    return float(np.linalg.norm(upper - lower))


def test_lips_that_are_closed_meet_on_the_face(scene):
    head = HeadModel.load(default_head_path())
    rig = build_rig(head)
    expr = np.tile(head.expression({"lower_lip_depress_L": 0.5, "lower_lip_depress_R": 0.5, "pucker": 0.4}), (20, 1))
    jaw = np.zeros((20, 3))
    jaw[:, 0] = np.radians(np.linspace(4, 9, 20))
    write_track(rig, FaceTrack(expr, 25, head.id, jaw_pose=jaw), 1, "Speech")
    open_m = lip_gap_m(rig, 12)
    scene.frame_set(12)
    assert bpy.ops.erlnet.edit_close_lips(approach=3, hold=1, release=4) == {"FINISHED"}
    assert open_m > 0.006
    assert max(lip_gap_m(rig, 12), lip_gap_m(rig, 13)) < 0.001
    assert lip_gap_m(rig, 10) > 0.2 * open_m
    assert lip_gap_m(rig, 18) > 0.9 * open_m
