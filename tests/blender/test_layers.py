"""An edit layer adds to the bake below it and survives the next bake."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.scene.keyframes import baked_range, clear_bake, read_track, write_track
from erlnet_blender.scene.layers import add_edit_layer, base_strip

from .synthetic_head import random_track

EDIT = 'pose.bones["face"]["Exp002"]'


def key_edits(rig) -> None:
    """Half a smile more, and the jaw 0.1 rad further open, throughout."""
    face, jaw = rig.pose.bones["face"], rig.pose.bones["jaw"]
    edits = rig.animation_data.action
    bpy.context.scene.frame_set(5)
    for target, path, index, value in ((face, '["Exp002"]', -1, 0.5), (jaw, "rotation_euler", 0, 0.1)):
        target.keyframe_insert(path, index=index, frame=5)
        curves = edits.fcurves if hasattr(edits, "fcurves") else edits.layers[0].strips[0].channelbags[0].fcurves
        curves[-1].keyframe_points[0].co[1] = value
        curves[-1].update()


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
    edits = add_edit_layer(rig)
    assert rig.animation_data.action == edits
    key_edits(rig)
    assert_edited(rig, first)
    write_track(rig, second, 1, "Speech")
    assert rig.animation_data.action == edits
    assert base_strip(rig).action.name == "Speech"
    assert baked_range(rig) == (1, 30)
    assert_edited(rig, second)


def test_a_bake_elsewhere_lengthens_the_strip(rig, head):
    first, second = random_track(head, 20, seed=1), random_track(head, 20, seed=2)
    write_track(rig, first, 101, "Speech")
    add_edit_layer(rig)
    write_track(rig, second, 11, "Speech")
    strip = base_strip(rig)
    assert (strip.frame_start, strip.frame_end) == (11, 120)
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 11, 30).expr, second.expr, atol=1e-5)
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 101, 120).expr, first.expr, atol=1e-5)


def test_clearing_takes_the_bake_below(rig, head):
    write_track(rig, random_track(head, 10), 1, "Speech")
    add_edit_layer(rig)
    key_edits(rig)
    assert clear_bake(rig, 1, 10) > 100
    assert baked_range(rig) is None


def test_a_layer_needs_a_bake_and_comes_once(rig, head):
    with pytest.raises(ErlnetError, match="no bake to edit"):
        add_edit_layer(rig)
    write_track(rig, random_track(head, 10), 1, "Speech")
    add_edit_layer(rig)
    with pytest.raises(ErlnetError, match="has an edit layer already"):
        add_edit_layer(rig)


def test_the_nla_being_tweaked_is_refused_and_nothing_changes(rig, head):
    good = random_track(head, 10)
    write_track(rig, good, 1, "Speech")
    add_edit_layer(rig)
    track = rig.animation_data.nla_tracks[0]
    track.lock = False
    track.select = track.strips[0].select = True
    rig.animation_data.use_tweak_mode = True
    if not rig.animation_data.use_tweak_mode:
        pytest.fail("Blender did not enter tweak mode, so this test proves nothing")
    with pytest.raises(ErlnetError, match="NLA strip is being edited"):
        write_track(rig, random_track(head, 10, seed=4), 1, "Speech")
    rig.animation_data.use_tweak_mode = False
    np.testing.assert_allclose(read_track(rig, bpy.context.scene, 1, 10).expr, good.expr, atol=1e-5)
