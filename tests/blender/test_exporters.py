"""Blender's own exporters write the performance of the game-ready copy, and what they wrote moves as the head."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import addon_utils
import bpy
import numpy as np
import pytest

from erlnet_blender.face_track import CHANNELS, FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.curves import channels_of
from erlnet_blender.scene.game_copy import game_ready_copy
from erlnet_blender.scene.keyframes import baked_range, read_track, write_track
from erlnet_blender.scene.rig import build_rig, find_rig, identity_of, mesh_of

from .synthetic_head import random_track, synthetic_head

MM = 1e-3
FRAMES = 5
SEEN = (1, 3, 5)
# A mesh attribute that travels with the vertices: exporters may split and reorder them.
NUMBER = "_NUMBER"


def vertices_in_world(item: bpy.types.Object) -> np.ndarray:
    """(V, 3) of the evaluated mesh, metres."""
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    world = np.array(evaluated.matrix_world)
    evaluated.to_mesh_clear()
    return flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def seen(item: bpy.types.Object) -> list[np.ndarray]:
    """The mesh at the frames that are looked at."""
    found = []
    for frame in SEEN:
        bpy.context.scene.frame_set(frame)
        found.append(vertices_in_world(item))
    return found


def worst_mm(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    return max(float(np.linalg.norm(a - b, axis=1).max()) for a, b in zip(found, expected, strict=True)) / MM


def lively_track(head: HeadModel) -> FaceTrack:
    """Everything moves, expressions go below 0 and above 1, and so does the root."""
    random = np.random.default_rng(3)
    count = head.expressiondirs.shape[-1]
    expr = np.where(random.random((FRAMES, count)) < 0.3, random.uniform(-0.3, 1.3, (FRAMES, count)), 0)
    turns = {name: random.normal(0, 0.15, (FRAMES, width)) for name, width in CHANNELS.items() if width in (3, 6)}
    return FaceTrack(expr, 25, head.id, eyelids=random.uniform(0, 1, (FRAMES, 2)), **turns)


def stage() -> bpy.types.Scene:
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, FRAMES
    return scene


@pytest.fixture
def exporters():
    """Those of Blender's exporters that are add-ons."""
    names = ("io_scene_gltf2", "io_scene_fbx")
    for name in names:
        addon_utils.enable(name)
    yield
    for name in names:
        addon_utils.disable(name)


@pytest.fixture
def performance(exporters):
    """The default head with an identity, speaking; its copy, selected; and where the vertices have to be."""
    scene = stage()
    head = HeadModel.load(default_head_path())
    rig = build_rig(head, shape=np.array([1.0, -1.0, 0.5], np.float32))
    rig.location = (0.3, -0.2, 1.5)
    write_track(rig, lively_track(head), 1, "Speech")
    expected = seen(mesh_of(rig))
    armature = game_ready_copy(rig, scene, 1, FRAMES)
    mesh = armature.children[0].data
    numbers = mesh.attributes.new(NUMBER, "FLOAT", "POINT")
    numbers.data.foreach_set("value", np.arange(len(mesh.vertices), dtype=np.float32))
    scene.frame_set(1)
    return rig, armature, expected


def imported_meshes(before: set[bpy.types.Object]) -> list[bpy.types.Object]:
    """The meshes of a whole head that an import has brought."""
    stage()
    new = [item for item in bpy.data.objects if item not in before and item.type == "MESH"]
    return [item for item in new if len(item.data.vertices) > 1000]


def in_order(item: bpy.types.Object, found: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Vertices that were split put together again by their numbers; every one must be there."""
    numbers = np.empty(len(item.data.vertices), np.float32)
    item.data.attributes[NUMBER].data.foreach_get("value", numbers)
    _, first, back = np.unique(numbers.round().astype(int), return_index=True, return_inverse=True)
    assert len(first) == count
    for places in found:
        np.testing.assert_allclose(places, places[first][back.ravel()], atol=0.01 * MM)
    return [places[first] for places in found]


def test_the_copy_moves_as_the_head_and_leaves_it_alone(performance):
    rig, armature, expected = performance
    assert worst_mm(seen(armature.children[0]), expected) < 0.01
    assert worst_mm(seen(mesh_of(rig)), expected) == 0
    keys = armature.children[0].data.shape_keys
    assert keys.animation_data.drivers.values() == []
    assert [bone.name for bone in armature.data.bones] == ["root", "neck", "jaw", "left_eye", "right_eye"]
    assert not any(bone.constraints for bone in armature.pose.bones)
    names = [key.name for key in keys.key_blocks]
    assert {"mouth_close", "smile_L", "eyelid_R", "Pose001_minus"} <= set(names)
    assert not any(name.startswith(("Shape", "Exp", "MCH", "DEF")) for name in names)
    assert len(mesh_of(rig).data.shape_keys.animation_data.drivers) > 40
    assert set(bpy.context.selected_objects) == {armature, armature.children[0]}


def test_weights_stay_where_other_programs_clip_them(performance):
    _, armature, _ = performance
    animation = armature.children[0].data.shape_keys.animation_data
    curves = channels_of(animation.action, getattr(animation, "action_slot", None)).fcurves
    curves = [curve for curve in curves if curve.data_path.startswith("key_blocks")]
    assert len(curves) > 40
    values = np.array([[point.co[1] for point in curve.keyframe_points] for curve in curves])
    assert values.shape[1] == FRAMES
    assert values.min() >= 0
    assert values.max() <= 1
    assert np.ptp(values, axis=1).max() > 0.5


def read_glb(path: Path) -> tuple[dict, bytes]:
    """JSON and binary part of a .glb."""
    data = path.read_bytes()
    assert data[:4] == b"glTF"
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def accessor(document: dict, binary: bytes, index: int) -> np.ndarray:
    """Numbers of a float accessor."""
    entry = document["accessors"][index]
    assert entry["componentType"] == 5126
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[entry["type"]]
    offset = document["bufferViews"][entry["bufferView"]].get("byteOffset", 0) + entry.get("byteOffset", 0)
    return np.frombuffer(binary, np.float32, entry["count"] * width, offset).reshape(-1, width)


def test_gltf(performance, tmp_path):
    rig, armature, expected = performance
    path = tmp_path / "head.glb"
    bpy.ops.export_scene.gltf(
        filepath=str(path), use_selection=True, export_animation_mode="ACTIVE_ACTIONS", export_attributes=True,
        export_morph_normal=False, export_materials="NONE",
    )  # fmt: skip
    document, binary = read_glb(path)
    mesh = document["meshes"][0]
    keys = armature.children[0].data.shape_keys.key_blocks
    assert mesh["extras"]["targetNames"] == [key.name for key in keys[1:]]
    targets = mesh["primitives"][0]["targets"]
    assert len(targets) == len(keys) - 1
    assert [len(skin["joints"]) for skin in document["skins"]] == [5]
    channels = [channel for animation in document["animations"] for channel in animation["channels"]]
    moving = [
        animation
        for animation in document["animations"]
        if any(c["target"]["path"] == "weights" for c in animation["channels"])
    ]
    sampler = next(
        animation["samplers"][channel["sampler"]]
        for animation in moving
        for channel in animation["channels"]
        if channel["target"]["path"] == "weights"
    )
    weights = accessor(document, binary, sampler["output"]).reshape(FRAMES, len(targets))
    smile = mesh["extras"]["targetNames"].index("smile_L")
    assert {"weights", "rotation", "translation"} <= {channel["target"]["path"] for channel in channels}
    assert np.ptp(weights, axis=0).max() > 0.5
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path))
    (item,) = imported_meshes(before)
    found = in_order(item, seen(item), len(mesh_of(rig).data.vertices))
    assert worst_mm(found, expected) < 0.1
    bpy.context.scene.frame_set(3)
    assert weights[2, smile] == pytest.approx(keys["smile_L"].value, abs=1e-5)


def test_usd(performance, tmp_path):
    rig, armature, expected = performance
    path = str(tmp_path / "head.usdc")
    bpy.ops.wm.usd_export(
        filepath=path, selected_objects_only=True, export_animation=True, export_armatures=True,
        export_shapekeys=True, export_materials=False,
    )  # fmt: skip
    before = set(bpy.data.objects)
    bpy.ops.wm.usd_import(filepath=path)
    (item,) = imported_meshes(before)
    assert len(item.data.vertices) == len(mesh_of(rig).data.vertices)
    assert len(item.data.shape_keys.key_blocks) == len(armature.children[0].data.shape_keys.key_blocks)
    assert item.data.shape_keys.animation_data.action is not None
    assert worst_mm(seen(item), expected) < 0.1


def test_alembic(performance, tmp_path):
    _, _, expected = performance
    path = str(tmp_path / "head.abc")
    bpy.ops.wm.alembic_export(filepath=path, selected=True, start=1, end=FRAMES)
    before = set(bpy.data.objects)
    bpy.ops.wm.alembic_import(filepath=path)
    (item,) = imported_meshes(before)
    assert worst_mm(seen(item), expected) < 0.1


def test_fbx(performance, tmp_path):
    _, armature, expected = performance
    path = str(tmp_path / "head.fbx")
    bpy.ops.export_scene.fbx(
        filepath=path, use_selection=True, add_leaf_bones=False,
        bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False,
    )  # fmt: skip
    before = set(bpy.data.objects)
    # The file has the scene's frames as they are.
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0)
    (item,) = imported_meshes(before)
    assert len(item.data.shape_keys.key_blocks) == len(armature.children[0].data.shape_keys.key_blocks)
    assert worst_mm(seen(item), expected) < 0.1


@pytest.mark.parametrize("named", [True, False])
def test_copy_of_a_head_whose_expressions_move_joints(named):
    """As FLAME's do: the pivots' motion must be in the bones' keys."""
    head = synthetic_head(joints_move=True, named=named)
    rig = build_rig(head, shape=[0.5, -1.0])
    rig.location.x = 1.0
    rig.keyframe_insert("location", frame=1)
    rig.location.x, rig.rotation_euler.z = 2.0, 1.0
    rig.keyframe_insert("location", frame=FRAMES)
    rig.keyframe_insert("rotation_euler", frame=FRAMES)
    write_track(rig, random_track(head, FRAMES), 1, "Speech")
    scene = stage()
    expected = seen(mesh_of(rig))
    armature = game_ready_copy(rig, scene, 1, FRAMES)
    assert worst_mm(seen(armature.children[0]), expected) < 0.01
    assert [bone.name for bone in armature.data.bones] == ["root", "neck", "jaw", "left_eye", "right_eye"]


@pytest.mark.usefixtures("enabled")
def test_the_button_takes_the_layers_and_the_chosen_frames(rig, head):
    stage()
    write_track(rig, random_track(head, 8), 3, "Speech")
    rig.pose.bones["face"]["smile"] = 0.5
    rig.pose.bones["face"].keyframe_insert('["smile"]', frame=4)
    bpy.context.scene.frame_set(4)
    expected = vertices_in_world(mesh_of(rig))
    bpy.ops.erlnet.game_copy(frames="KEYS")
    armature = bpy.context.view_layer.objects.active
    assert tuple(armature.animation_data.action.frame_range) == (3, 10)
    assert find_rig(armature) is None, "the copy is no rig"
    assert worst_mm([vertices_in_world(armature.children[0])], [expected]) < 0.01
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = rig
    bpy.ops.erlnet.game_copy(frames="CUSTOM", first_frame=4, last_frame=5)
    assert tuple(bpy.context.view_layer.objects.active.animation_data.action.frame_range) == (4, 5)
    bpy.context.view_layer.objects.active = rig
    with pytest.raises(RuntimeError, match="7 to 6 is empty"):
        bpy.ops.erlnet.game_copy(frames="CUSTOM", first_frame=7, last_frame=6)


@pytest.mark.usefixtures("enabled")
def test_face_tracks_through_the_file_menus(rig, head, tmp_path):
    menus = (bpy.types.TOPBAR_MT_file_import, bpy.types.TOPBAR_MT_file_export)
    assert all(any("erlnet" in draw.__module__ for draw in menu.draw._draw_funcs) for menu in menus)
    scene = stage()
    track = random_track(head, 20)
    write_track(rig, track, 11, "Speech")
    path = str(tmp_path / "a.npz")
    bpy.ops.erlnet.export_track(filepath=path, frames="KEYS")
    assert len(FaceTrack.load(path)) == 20
    other = build_rig(head, name="Other")
    bpy.ops.erlnet.import_track(filepath=path, start="CUSTOM", start_frame=101)
    read = read_track(other, scene, 101, 120)
    for name in CHANNELS:
        np.testing.assert_allclose(getattr(read, name), getattr(track, name), atol=1e-5, err_msg=name)
    bpy.ops.erlnet.export_track(filepath=path, frames="CUSTOM", first_frame=104, last_frame=106)
    np.testing.assert_allclose(FaceTrack.load(path).expr, track.expr[3:6], atol=1e-5)


@pytest.mark.usefixtures("enabled")
def test_import_only_into_the_frame_range(rig, head, tmp_path):
    scene = stage()
    random_track(head, 20).save(tmp_path / "a.npz")
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 12, 14
    bpy.ops.erlnet.import_track(filepath=str(tmp_path / "a.npz"), start="SCENE", only_range=True)
    assert baked_range(rig) == (12, 14)
    np.testing.assert_allclose(read_track(rig, scene, 12, 14).expr, random_track(head, 20).expr[11:14], atol=1e-5)
    with pytest.raises(RuntimeError, match="fills frames 50 to 69, none of them in the range"):
        bpy.ops.erlnet.import_track(
            filepath=str(tmp_path / "a.npz"), start="CUSTOM", start_frame=50, only_range=True
        )  # fmt: skip


@pytest.mark.usefixtures("enabled")
def test_import_takes_the_identity_only_if_asked(rig, head, tmp_path):
    track = random_track(head, 3)
    track.shape = np.linspace(-1, 1, head.shapedirs.shape[-1]).astype(np.float32)
    track.save(tmp_path / "a.npz")
    bpy.ops.erlnet.import_track(filepath=str(tmp_path / "a.npz"))
    assert not identity_of(rig).any()
    bpy.ops.erlnet.import_track(filepath=str(tmp_path / "a.npz"), identity=True)
    np.testing.assert_allclose(identity_of(rig), track.shape, atol=1e-6)


@pytest.mark.usefixtures("enabled")
def test_a_track_of_another_head_is_sent_to_convert(rig, tmp_path):
    FaceTrack(np.zeros((2, 4)), 25, "somebody-else").save(tmp_path / "a.npz")
    with pytest.raises(RuntimeError, match="belongs to head 'somebody-else'.*`erlnet convert"):
        bpy.ops.erlnet.import_track(filepath=str(tmp_path / "a.npz"))
    assert not bpy.data.actions
