"""Both layers in files: undone and redone, saved and opened, appended, linked with a library override."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

import erlnet_blender
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.layers import baked_curves, base_strip, before_strip
from erlnet_blender.scene.rig import build_rig, find_rig, head_of

from .dump import differences, dump
from .synthetic_head import random_track, synthetic_head
from .test_layer_properties import hand_keys, key_by_hand
from .test_layers import older_file


def run(name: str, **options) -> None:
    assert getattr(bpy.ops.erlnet, name)(**options) == {"FINISHED"}


def settled() -> dict:
    """The file with every animated value as the frame has it."""
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)
    return dump()


OPERATORS = {
    "revert": lambda: run("revert_bake"),
    "flatten": lambda: run("flatten_layers"),
    "mute": lambda: run("mute_layer", layer="EDITS"),
    "solo": lambda: run("solo_layer", layer="GENERATED"),
    "clear": lambda: run("clear_bake"),
    "import": lambda: run("import_track", filepath=bpy.app.tempdir + "take.npz", start="CUSTOM", start_frame=4),
}


@pytest.mark.usefixtures("enabled")
@pytest.mark.parametrize("verb", OPERATORS)
def test_undo_and_redo_restore_the_file(rig, head, verb):
    """Every ID of the file, every key: as before after undo, as after after redo."""
    random_track(head, 12, seed=5).save(bpy.app.tempdir + "take.npz")
    for seed in (1, 2):
        write_track(rig, random_track(head, 20, seed=seed), 1, "Speech")
    key_by_hand(rig, np.random.default_rng(3))
    bpy.context.view_layer.objects.active = rig
    before = settled()
    bpy.ops.ed.undo_push(message="before")
    OPERATORS[verb]()
    after = settled()
    bpy.ops.ed.undo_push(message="after")
    assert differences(before, after), "the operator did nothing"
    bpy.ops.ed.undo()
    assert differences(before, settled()) == []
    bpy.ops.ed.redo()
    assert differences(after, settled()) == []


@pytest.mark.usefixtures("enabled")
def test_an_older_file_taken_apart_is_undone_too(rig, head):
    older_file(rig, random_track(head, 20))
    bpy.context.view_layer.objects.active = rig
    before = settled()
    bpy.ops.ed.undo_push(message="before")
    run("add_edit_layer")
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert differences(before, settled()) == []


@pytest.fixture
def default_rig():
    """With the head that ships, which other files find."""
    bpy.context.scene.render.fps = 25
    return build_rig(HeadModel.load(default_head_path()))


@pytest.mark.usefixtures("enabled")
def test_saved_and_opened_it_goes_on(default_rig, tmp_path):
    head = head_of(default_rig)
    for seed in (1, 2):
        write_track(default_rig, random_track(head, 20, seed=seed), 1, "Speech")
    key_by_hand(default_rig, np.random.default_rng(4))
    default_rig.erlnet.bake.reduce, default_rig.erlnet.bake.max_mm = True, 0.25
    before, seen = hand_keys(default_rig), read_track(default_rig, bpy.context.scene, 1, 20).expr
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    rig, scene = find_rig(bpy.context), bpy.context.scene
    assert rig.erlnet.bake.bounds == (0.25, 0.5)
    assert differences(before, hand_keys(rig)) == []
    np.testing.assert_array_equal(read_track(rig, scene, 1, 20).expr, seen)
    assert before_strip(rig) is not None
    bpy.context.view_layer.objects.active = rig
    run("revert_bake")
    write_track(rig, random_track(head, 20, seed=3), 1, "Speech")
    assert differences(before, hand_keys(rig)) == []
    assert baked_range(rig) == (1, 20)


@pytest.mark.usefixtures("enabled")
@pytest.mark.parametrize("is_linked", [False, True])
def test_a_rig_from_another_file_is_baked(default_rig, tmp_path, is_linked):
    """Appended, or linked with a library override: with the bake that it brings, saved and opened again."""
    head = head_of(default_rig)
    write_track(default_rig, random_track(head, 20, seed=1), 1, "Speech")
    key_by_hand(default_rig, np.random.default_rng(5))
    collection = bpy.data.collections.new("Speaker")
    bpy.context.scene.collection.children.link(collection)
    for item in (default_rig, *default_rig.children_recursive):
        collection.objects.link(item)
        bpy.context.scene.collection.objects.unlink(item)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    erlnet_blender.unregister()
    erlnet_blender.register()
    scene = bpy.context.scene
    scene.render.fps = 25
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=is_linked) as (_, wanted):
        wanted.collections = ["Speaker"]
    (collection,) = wanted.collections
    if is_linked:
        collection.override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    else:
        scene.collection.children.link(collection)
    rig = next(item for item in scene.objects if item.type == "ARMATURE" and item.library is None)
    assert (rig.override_library is not None) == is_linked
    before = hand_keys(rig)
    assert baked_range(rig) == (1, 20)
    track = random_track(head, 30, seed=2)
    write_track(rig, track, 1, "Speech")
    assert differences(before, hand_keys(rig)) == []
    assert rig.animation_data.action.library is None
    assert base_strip(rig).action.library is None
    seen = read_track(rig, scene, 1, 30).expr
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    rig = next(item for item in scene.objects if item.type == "ARMATURE" and item.library is None)
    assert baked_range(rig) == (1, 30)
    assert differences(before, hand_keys(rig)) == []
    np.testing.assert_allclose(read_track(rig, scene, 1, 30).expr, seen, atol=1e-6)
    # Where no hand key is, what is seen is the new bake.
    np.testing.assert_allclose(seen[:, 5], track.expr[:, 5], atol=1e-5)


def test_the_dump_sees_what_it_should(head):
    rig = build_rig(head)
    write_track(rig, random_track(synthetic_head(), 100), 1, "Speech")
    before = dump()
    assert differences(before, dump()) == []
    for change in (
        lambda: setattr(rig.animation_data.nla_tracks[0], "mute", True),
        lambda: rig.pose.bones["face"].__setitem__("smile", 0.25),
        lambda: setattr(baked_curves(rig)[5].keyframe_points[70], "interpolation", "BEZIER"),
        lambda: bpy.data.actions.new("Another"),
    ):
        before = dump()
        change()
        assert len(differences(before, dump())) >= 1
