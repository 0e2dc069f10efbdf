"""The look of the head: materials follow the regions, hair follows scalp and neck, any FLAME head gets skin."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Quaternion
from mathutils.bvhtree import BVHTree

from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.head_presets import LOOKS, PRESETS
from erlnet_blender.scene.appearance import add_studio_lights, dress
from erlnet_blender.scene.complexion import PACKS, masks
from erlnet_blender.scene.hair import STYLE, cover, hair_of, seat, strands_of
from erlnet_blender.scene.rig import build_rig, mesh_of, set_rotation, set_shape


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load(default_head_path())


def person(head: HeadModel, name: str):
    """(rig, shaped vertices) of a preset, dressed."""
    preset = PRESETS[name]
    shape = np.array(preset.coefficients(head.meta["shape_names"]), np.float32)
    rig = build_rig(head, shape=shape)
    dress(mesh_of(rig), rig, head, preset.look)
    return rig, head.v_template + head.shapedirs @ shape


@pytest.fixture
def rig(head):
    return person(head, "default")[0]


def material_of_faces(mesh: bpy.types.Mesh) -> np.ndarray:
    index = np.zeros(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", index)
    return np.array([slot.name for slot in mesh.materials])[index]


def strands_in(rig) -> np.ndarray:
    curves = hair_of(rig).data
    place = np.zeros(3 * len(curves.points), np.float32)
    curves.position_data.foreach_get("vector", place)
    return place.reshape(len(curves.curves), -1, 3)


def vector_attribute(mesh: bpy.types.Mesh, name: str) -> np.ndarray:
    values = np.zeros(3 * len(mesh.vertices), np.float32)
    mesh.attributes[name].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


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
        wanted = {f"ERLNet default {kind}"} | ({"ERLNet default iris"} if kind == "eye" else set())
        assert set(names[faces]) == wanted, region
    assert (names == "ERLNet default skin").sum() > 15000


def test_pupil_looks_ahead(rig, head):
    place = vector_attribute(mesh_of(rig).data, "erlnet_eye")[head.regions["eyeballs"]]
    front = place[place[:, 2].argmax()]
    np.testing.assert_allclose(front, [0, 0, 1.02], atol=0.02)


def test_looks_differ_in_every_colour_that_a_person_has(head):
    for name in PRESETS:
        person(head, name)
    for kind in ("skin", "eye", "hair", "brow", "cloth"):
        graphs = [bpy.data.materials[f"ERLNet {look} {kind}"] for look in ("default", "second")]
        assert colours(graphs[0]) != colours(graphs[1]), kind
    solid = {look: tuple(bpy.data.materials[f"ERLNet {look} skin"].diffuse_color)[:3] for look in LOOKS}
    assert solid["default"] == pytest.approx(LOOKS["default"].skin)
    assert solid["second"] == pytest.approx(LOOKS["second"].skin)


def colours(material: bpy.types.Material) -> list[tuple[float, ...]]:
    return sorted(
        tuple(socket.default_value)
        for node in material.node_tree.nodes
        for socket in node.inputs
        if socket.type == "RGBA" and not socket.is_linked
    )


def test_graphs_are_whole_and_read_only_what_the_mesh_has(head):
    for name in PRESETS:
        rig, _ = person(head, name)
        mesh = mesh_of(rig).data
        for material in [*mesh.materials, *hair_of(rig).data.materials]:
            tree = material.node_tree
            assert all(node.bl_idname != "NodeUndefined" for node in tree.nodes)
            assert all(link.is_valid for link in tree.links)
            output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial")
            assert output.inputs["Surface"].is_linked
            read = {node.attribute_name for node in tree.nodes if node.bl_idname == "ShaderNodeAttribute"}
            assert read <= set(mesh.attributes.keys()), material.name
            # EEVEE gives a material at most 15 attributes.
            assert len(read) <= 8


def test_complexion_lies_where_it_belongs(rig, head):
    found = masks(head)
    mesh = mesh_of(rig).data
    tone = vector_attribute(mesh, "erlnet_tone")
    np.testing.assert_allclose(tone[:, PACKS["erlnet_tone"].index("flush")], found["flush"], atol=1e-6)
    skin, lips = head.regions["face"], head.regions["lips"] > 0.9
    beard = found["beard"] > 0.5
    assert 200 < (beard & skin).sum() < 3000
    assert not (beard & lips).any()
    assert head.v_template[beard & skin][:, 1].max() < 0.0 < head.v_template[found["under_eye"] > 0.3][:, 1].min()


def test_head_without_landmarks_has_its_regions_only(head):
    found = masks(replace(head, landmark_faces=None, landmark_bary=None))
    assert found["lips"].max() == pytest.approx(1, abs=0.02)
    assert not any(found[name].any() for name in ("flush", "beard", "oil", "creases", "wrinkles", "lids"))


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


@pytest.mark.parametrize("name", list(PRESETS))
def test_hair_stands_on_the_skin_and_never_in_it(head, name):
    rig, shaped = person(head, name)
    strands = strands_in(rig)
    assert len(strands) == 9000
    inside = head.regions["mouth_bag"] > 0.5
    for region in ("eyeballs", "teeth", "gums", "tongue", "brows", "lashes"):
        inside |= head.regions[region] > 0.5
    faces = head.faces[~inside[head.faces].any(1)]
    tree = BVHTree.FromPolygons(shaped.tolist(), faces.tolist())
    away = [tree.find_nearest(point)[3] for point in strands[:, 0].tolist()]
    assert max(away) < 0.002, "a root off the skin"
    points = strands[:, 1:].reshape(-1, 3)
    deepest = 0.0
    for point in points.tolist():
        place, normal, _, distance = tree.find_nearest(point)
        depth = sum((a - b) * c for a, b, c in zip(point, place, normal, strict=True))
        # A small depth at a large distance is a point beyond the edge of the mesh.
        deepest = min(deepest, depth) if distance < 0.01 else deepest
    assert deepest > -0.002, "a strand inside the head"
    eyes = shaped[head.regions["eyeballs"] > 0.5]
    before = (points[:, 2] > eyes[:, 2].min()) & (points[:, 1] < eyes[:, 1].max() + 0.005)
    assert not (before & (np.abs(points[:, 0]) < np.abs(eyes[:, 0]).max())).any(), "hair over the face"


def test_hair_follows_the_shape(rig, head):
    hair, before = hair_of(rig), strands_in(rig)
    shape = np.zeros(head.shapedirs.shape[-1], np.float32)
    shape[head.meta["shape_names"].index("head_width")] = 2.0
    seat(hair, rig, head, shape)
    after = strands_in(rig)
    wider = np.abs(after[:, 0, 0]) - np.abs(before[:, 0, 0])
    assert np.median(wider[np.abs(before[:, 0, 0]) > 0.06]) > 0.002
    seat(hair, rig, head, np.zeros_like(shape))
    np.testing.assert_allclose(strands_in(rig), before, atol=1e-7)


def test_paint_of_the_scalp_is_where_the_hair_is(head):
    strands = strands_of(LOOKS["default"], head)
    painted = cover(strands, head.v_template)
    crown = head.v_template[:, 1] > 0.11
    assert np.median(painted[crown & head.regions["skin"]]) > 0.6
    face = head.regions["face"] & (head.v_template[:, 1] < 0.05) & (np.abs(head.v_template[:, 0]) < 0.05)
    assert painted[face].max() < 0.01


def test_dressing_twice_grows_hair_once(rig, head):
    dress(mesh_of(rig), rig, head)
    assert sum(child.type == "CURVES" for child in rig.children) == 1


def test_dressing_again_changes_the_look(rig, head):
    dress(mesh_of(rig), rig, head, "second")
    assert [child[STYLE] for child in rig.children if child.type == "CURVES"] == ["bob_hair"]
    assert {slot.name.split()[1] for slot in mesh_of(rig).data.materials} == {"second"}


def test_head_without_regions_is_plain_skin(head):
    other = replace(head, regions={}, meta={**head.meta, "id": "somebody"})
    rig = build_rig(other)
    dress(mesh_of(rig), rig, other)
    assert [slot.name for slot in mesh_of(rig).data.materials] == ["ERLNet default skin"]
    assert not any(child.type == "CURVES" for child in rig.children)


def test_lights_are_added_once():
    add_studio_lights(bpy.context.scene)
    add_studio_lights(bpy.context.scene)
    assert sum(item.type == "LIGHT" for item in bpy.context.scene.objects) == 4
    assert bpy.context.scene.world is not None


def test_hair_follows_a_change_of_identity():
    """`set_shape` on a finished head leaves the hair where a head that was built so wears it."""
    head = HeadModel.load(default_head_path())
    shape = np.zeros(head.shapedirs.shape[-1], np.float32)
    shape[:3] = 2.0, -1.5, 1.0
    places = []
    for changed in (True, False):
        rig = build_rig(head, shape=None if changed else shape)
        dress(mesh_of(rig), rig, head)
        if changed:
            set_shape(rig, shape)
        bpy.context.view_layer.update()
        hair = hair_of(rig)
        points = np.empty(3 * len(hair.data.points), np.float32)
        hair.data.position_data.foreach_get("vector", points)
        points = points.reshape(-1, 3)
        places.append(points @ np.array(hair.matrix_world)[:3, :3].T + np.array(hair.matrix_world)[:3, 3])
    np.testing.assert_allclose(places[0], places[1], atol=1e-5)
