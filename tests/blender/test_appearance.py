"""The look of the head: materials follow the regions, hair follows the neck, any FLAME head gets skin."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.appearance import add_studio_lights, dress
from erlnet_blender.scene.rig import build_rig, mesh_of, set_rotation


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


@pytest.fixture
def rig(head):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = build_rig(head)
    dress(mesh_of(rig), rig, head)
    return rig


def material_of_faces(mesh: bpy.types.Mesh) -> np.ndarray:
    index = np.zeros(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", index)
    return np.array([slot.name for slot in mesh.materials])[index]


def hair_of(rig):
    return next(child for child in rig.children if child.type == "CURVES")


def test_regions_get_their_materials(rig, head):
    names = material_of_faces(mesh_of(rig).data)
    for region, kind in (
        ("eyeballs", "eye"),
        ("teeth", "teeth"),
        ("tongue", "tongue"),
        ("brows", "brow"),
        ("torso", "cloth"),
    ):
        faces = head.regions[region][head.faces].all(1)
        assert faces.any()
        assert (names[faces] == f"ERLNet default {kind}").all(), region
    assert (names == "ERLNet default skin").sum() > 15000


def test_pupil_looks_ahead(rig, head):
    mesh = mesh_of(rig).data
    place = np.zeros(3 * len(mesh.vertices), np.float32)
    mesh.attributes["erlnet_eye"].data.foreach_get("vector", place)
    place = place.reshape(-1, 3)[head.regions["eyeballs"]]
    front = place[place[:, 2].argmax()]
    np.testing.assert_allclose(front, [0, 0, 1.02], atol=0.02)


def test_hair_turns_with_the_neck(rig, head):
    hair = hair_of(rig)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(np.array(hair.matrix_world), np.array(rig.matrix_world), atol=1e-6)
    turn = Quaternion((0, 1, 0), 0.4)
    set_rotation(rig.pose.bones["neck"], turn)
    bpy.context.view_layer.update()
    joint = (head.J_regressor @ head.v_template)[1]
    points = head.v_template[:5]
    rotation = np.array(turn.to_matrix())
    expected = (points - joint) @ rotation.T + joint
    place = np.linalg.inv(np.array(rig.matrix_world)) @ np.array(hair.matrix_world)
    np.testing.assert_allclose(points @ place[:3, :3].T + place[:3, 3], expected, atol=1e-5)


def test_strands_cover_the_scalp(rig, head):
    curves = hair_of(rig).data
    place = np.zeros(3 * len(curves.points), np.float32)
    curves.position_data.foreach_get("vector", place)
    roots = place.reshape(-1, 7, 3)[:, 0]
    scalp = head.v_template[head.regions["scalp"] > 0.5]
    assert len(roots) == 9000
    assert np.abs(roots.max(0) - scalp.max(0)).max() < 0.01


def test_dressing_twice_grows_hair_once(rig, head):
    dress(mesh_of(rig), rig, head)
    assert sum(child.type == "CURVES" for child in rig.children) == 1


def test_head_without_regions_is_plain_skin(head):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    other = replace(head, regions={}, meta={**head.meta, "id": "somebody"})
    rig = build_rig(other)
    dress(mesh_of(rig), rig, other)
    assert [slot.name for slot in mesh_of(rig).data.materials] == ["ERLNet default skin"]
    assert not any(child.type == "CURVES" for child in rig.children)


def test_lights_are_added_once():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    add_studio_lights(bpy.context.scene)
    add_studio_lights(bpy.context.scene)
    assert sum(item.type == "LIGHT" for item in bpy.context.scene.objects) == 4
    assert bpy.context.scene.world is not None
