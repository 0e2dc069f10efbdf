"""What must hold whatever the animator does: random keys by hand, undo, saving, other files."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

import erlnet_blender
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.curves import channels_of, curve_at, ensure_curve, read_keys
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.layers import baked_curves, base_strip, before_strip, edit_layer
from erlnet_blender.scene.rig import build_rig, find_rig
from erlnet_blender.scene.writing import KeyOptions

from .dump import differences, dump
from .synthetic_head import random_track, synthetic_head

FACE = 'pose.bones["face"]'
HAND_PATHS = (
    (f'{FACE}["Exp001"]', 0), (f'{FACE}["Exp004"]', 0), (f'{FACE}["smile"]', 0), (f'{FACE}["eyelid_left"]', 0),
    ('pose.bones["jaw"].rotation_euler', 0), ('pose.bones["neck"].rotation_euler', 2), ("location", 1),
    ("erlnet.speech.strength", 0),
)  # fmt: skip
RANGES = (KeyOptions(), KeyOptions(first_frame=18, last_frame=24), KeyOptions(parts=frozenset({"mouth"})))


def key_by_hand(rig, random: np.random.Generator) -> None:
    """Keys at random places, whole frames and not, of random kinds, in and out of the bake's range."""
    curves = channels_of(edit_layer(rig), getattr(rig.animation_data, "action_slot", None))
    for path, index in HAND_PATHS:
        if random.random() < 0.3:
            continue
        curve = ensure_curve(curves, path, index, "Mine")
        for frame in random.choice(np.arange(-10, 60, 0.25), random.integers(1, 8), replace=False):
            key = curve.keyframe_points.insert(frame, random.normal(0, 0.5))
            key.interpolation = random.choice(["BEZIER", "LINEAR", "CONSTANT", "ELASTIC"])
            key.handle_left_type = key.handle_right_type = random.choice(["AUTO", "FREE", "VECTOR", "AUTO_CLAMPED"])
            key.type = random.choice(["KEYFRAME", "BREAKDOWN", "EXTREME"])
        curve.extrapolation = random.choice(["CONSTANT", "LINEAR"])
        if random.random() < 0.3:
            curve.modifiers.new("NOISE").strength = 0.1
        curve.update()


def told(curve) -> dict:
    return {
        **read_keys(curve),
        "extrapolation": curve.extrapolation,
        "modifiers": [item.type for item in curve.modifiers],
    }


def hand_keys(rig) -> dict:
    curves = channels_of(rig.animation_data.action, getattr(rig.animation_data, "action_slot", None)).fcurves
    return {f"{curve.data_path}[{curve.array_index}]": told(curve) for curve in curves}


def generated(rig, frames) -> dict:
    """Values of each generated number; without a curve it is at rest, as with a curve of zeros."""
    found = {(curve.data_path, curve.array_index): curve_at(curve, frames) for curve in baked_curves(rig)}
    return {key: values for key, values in found.items() if values.any()}


@pytest.mark.parametrize("seed", range(8))
def test_a_bake_changes_nothing_but_what_bakes_made(head, seed):
    """The hand layer stays to the bit; what is generated is what a fresh rig without hand keys would have."""
    random = np.random.default_rng(seed)
    bpy.context.scene.render.fps = 25
    rig, fresh = build_rig(head), build_rig(head, name="Fresh")
    if random.random() < 0.5:
        key_by_hand(rig, random)
    start = 0
    for take in range(3):
        track = random_track(head, int(random.integers(30, 50)), seed=100 * seed + take)
        start, options = (
            int(random.integers(-5, 20)),
            RANGES[int(random.integers(len(RANGES)))] if take else KeyOptions(),
        )
        key_by_hand(rig, random)
        before, name = hand_keys(rig), rig.animation_data.action.name
        for target in (rig, fresh):
            write_track(target, track, start, "Speech", options=options)
        assert rig.animation_data.action.name == name
        assert differences(before, hand_keys(rig)) == []
        frames = np.arange(-20, 80)
        assert differences(generated(fresh, frames), generated(rig, frames)) == []


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
    from .test_layers import older_file

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
    from erlnet_blender.scene.rig import head_of

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
    from erlnet_blender.scene.rig import head_of

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
