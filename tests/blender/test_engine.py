"""The engine ERLNET in Blender, with the worker, the default head and the default avatar."""

import bpy
import numpy as np
import pytest
from mathutils import Euler

from erlnet_blender import addon
from erlnet_blender.engine import passes
from erlnet_blender.engine.connection import stop_requested
from erlnet_blender.engine.engine import ErlnetRenderEngine
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.scene.rig import apply_frame, head_of
from erlnet_blender.scene.stage import build_stage

SIZE = 96


@pytest.fixture(scope="module", autouse=True)
def _registered():
    addon.register()
    yield
    addon.unregister()  # bpy hangs at exit otherwise


@pytest.fixture
def scene():
    build_stage(bpy.context, size=(SIZE, SIZE))
    scene = bpy.context.scene
    scene.render.engine = ErlnetRenderEngine.bl_idname
    scene.erlnet.device = "cpu"
    set_format(scene, "PNG", "RGBA", "8")
    return scene


def set_format(scene, file_format, color_mode, color_depth):
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and later
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = file_format, color_mode, color_depth


@pytest.fixture
def rig(scene):
    (rig,) = (item for item in scene.objects if item.type == "ARMATURE")
    return rig


def rendered(tmp_path, name="frame", **options):
    """(H, W, 4) float values of the file that F12 writes, top row first."""
    path = tmp_path / f"{name}.png"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, **options)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def assert_refused(tmp_path, words):
    """F12 fails with a sentence, and no picture is saved."""
    bpy.context.scene.render.filepath = str(tmp_path / "refused.png")
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.render.render(write_still=True)
    assert not (tmp_path / "refused.png").exists()


def test_f12_writes_a_head_on_a_transparent_film(scene, tmp_path):
    scene.render.film_transparent = True
    image = rendered(tmp_path)
    assert image.shape == (SIZE, SIZE, 4)
    alpha = image[..., 3]
    assert alpha[SIZE // 2, SIZE // 2] > 0.95, "the head is in the middle"
    assert alpha[:4, :4].max() < 0.05, "the corner is empty"
    assert 0.2 < (alpha > 0.5).mean() < 0.9
    face = image[SIZE // 3 : 2 * SIZE // 3, SIZE // 3 : 2 * SIZE // 3, :3]
    assert face.mean() > 0.15
    assert face.std() > 0.03, "it is no flat patch"


def test_a_stranger_finds_a_face_in_it(scene, tmp_path):
    from studio.judge_movie import detected_openings

    scene.render.resolution_x = scene.render.resolution_y = 192
    image = rendered(tmp_path)
    openings = detected_openings((image[None, ..., :3] * 255).astype(np.uint8), confidence=0.5)
    assert np.isfinite(openings).all()


def test_pose_and_expression_change_the_picture(scene, rig, tmp_path):
    rest = rendered(tmp_path, "rest")
    neck = rig.pose.bones["neck"]
    neck.rotation_mode = "QUATERNION"
    neck.rotation_quaternion = Euler((0, 0.4, 0)).to_quaternion()
    assert np.abs(rendered(tmp_path, "turned") - rest).mean() > 0.01
    head = head_of(rig)
    opened = FaceTrack(np.zeros((1, len(head.expression_names))), 25, head.id, jaw_pose=[[0.3, 0, 0]])
    apply_frame(rig, opened)
    difference = np.abs(rendered(tmp_path, "open") - rest)
    assert difference[SIZE // 2 :].mean() > 2 * difference[: SIZE // 3].mean(), "the lower half moves"


def test_same_scene_gives_the_same_picture(scene, tmp_path):
    np.testing.assert_array_equal(rendered(tmp_path, "one"), rendered(tmp_path, "two"))


def test_world_colour_is_behind_the_head(scene, tmp_path):
    scene.render.film_transparent = False
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    node = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    node.inputs["Color"].default_value, node.inputs["Strength"].default_value = (0, 0.5, 0, 1), 2
    image = rendered(tmp_path)
    np.testing.assert_allclose(image[2, 2], [0, 1, 0, 1], atol=0.02)
    assert image[..., 3].min() == 1


def test_border_with_and_without_crop(scene, tmp_path):
    whole = rendered(tmp_path, "whole")
    scene.render.use_border = True
    scene.render.border_min_x, scene.render.border_max_x = 0.25, 0.75
    scene.render.border_min_y, scene.render.border_max_y = 0.5, 1.0
    inside = np.s_[: SIZE // 2, SIZE // 4 : 3 * SIZE // 4]
    part = rendered(tmp_path, "part")
    assert part.shape == whole.shape
    np.testing.assert_allclose(part[inside], whole[inside], atol=0.05)
    scene.render.use_crop_to_border = True
    cropped = rendered(tmp_path, "cropped")
    np.testing.assert_allclose(cropped, whole[inside], atol=0.05)


def test_percentage_and_view_layers(scene, tmp_path):
    scene.view_layers.new("Second")
    scene.render.resolution_percentage = 50
    assert rendered(tmp_path).shape == (SIZE // 2, SIZE // 2, 4)


def composite_depth(scene):
    """Let the compositor put the depth where the picture would be."""
    if hasattr(scene, "compositing_node_group"):  # Blender 5.0 and later
        tree = scene.compositing_node_group = bpy.data.node_groups.new("Depth", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    layers = tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(layers.outputs["Depth"], output.inputs["Image"])


def test_depth_is_the_distance_of_the_face(scene, tmp_path):
    scene.view_layers[0].use_pass_z = True
    composite_depth(scene)
    set_format(scene, "OPEN_EXR", "RGB", "32")
    scene.render.filepath = str(tmp_path / "depth.exr")
    bpy.ops.render.render(write_still=True)
    depth = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(SIZE * SIZE * 4, np.float32)
    depth.pixels.foreach_get(pixels)
    depth = pixels.reshape(SIZE, SIZE, 4)[::-1, :, 0]
    assert depth[2, 2] == np.float32(passes.FAR)
    assert 0.7 < depth[SIZE // 2, SIZE // 2] < 1.0, "the camera is 0.95 m away from the middle of the head"


def test_cancel_leaves_no_picture_and_the_next_render_works(scene, tmp_path):
    stop_requested.set()
    try:
        assert_refused(tmp_path, "Cancelled")
    finally:
        stop_requested.clear()
    assert rendered(tmp_path)[..., :3].max() > 0.2


def test_escape_gives_the_request_up(scene, tmp_path, monkeypatch):
    looks = []

    def is_escaped(engine):
        looks.append(1)
        return len(looks) > 1

    # Blender's own answer cannot be had without a window.
    monkeypatch.setattr(ErlnetRenderEngine, "_is_escaped", is_escaped)
    scene.render.filepath = str(tmp_path / "escaped.png")
    bpy.ops.render.render()
    monkeypatch.undo()
    assert len(looks) == 2
    assert rendered(tmp_path)[..., :3].max() > 0.2


def test_missing_camera_ortho_camera_and_missing_head(scene, rig, tmp_path):
    scene.camera.data.type = "ORTHO"
    assert_refused(tmp_path, "Camera, set its type to Perspective")
    scene.camera.data.type = "PERSP"
    rig.hide_render = True
    assert_refused(tmp_path, "no ERLNet head")
    rig.hide_render = False
    scene.camera = None
    assert_refused(tmp_path, "no camera")


def test_missing_avatar_stops_the_animation(scene, rig, tmp_path):
    rig.erlnet.avatar = str(tmp_path / "gone.safetensors")
    scene.frame_end = 3
    scene.render.filepath = str(tmp_path / "frames" / "####")
    with pytest.raises(RuntimeError, match="gone.safetensors"):
        bpy.ops.render.render(animation=True)
    assert not list(tmp_path.rglob("*.png"))


def test_two_heads_are_refused_by_name(scene, tmp_path):
    build_stage(bpy.context, size=(SIZE, SIZE))
    set_format(scene, "PNG", "RGBA", "8")
    assert_refused(tmp_path, "2 ERLNet heads, Head, Head.001")


def test_stereoscopy_is_refused(scene, tmp_path):
    scene.render.use_multiview = True
    assert_refused(tmp_path, "Stereoscopy is not supported")


@pytest.mark.parametrize("space", ["Linear Rec.709", "Linear Rec.2020", "ACEScg", "unknown"])
def test_white_stays_white_in_every_working_space(space):
    image = np.random.default_rng(0).random((4, 5, 4), np.float32)
    image[0, 0] = 1
    changed = passes.in_working_space(image, space)
    np.testing.assert_allclose(changed[0, 0], 1, atol=2e-5)
    np.testing.assert_array_equal(changed[..., 3], image[..., 3])
    is_wider = space in ("Linear Rec.2020", "ACEScg")
    red = passes.in_working_space(np.array([[[1, 0, 0, 1]]], np.float32), space)[0, 0]
    assert (red[0] < 1 and 0 < red[2] < red[1]) == is_wider, "Rec. 709's red lies inside the wider spaces"


def test_panels_know_the_engine_only_while_it_is_registered():
    def knowing():
        return [
            panel
            for panel in bpy.types.Panel.__subclasses__()
            if ErlnetRenderEngine.bl_idname in getattr(panel, "COMPAT_ENGINES", ())
        ]

    names = {panel.__name__ for panel in knowing()}
    assert {"RENDER_PT_format", "RENDER_PT_output", "DATA_PT_lens"} <= names or not _has_blender_panels()
    addon.unregister()
    try:
        assert not knowing()
    finally:
        addon.register()


def _has_blender_panels():
    return any(panel.__name__ == "RENDER_PT_format" for panel in bpy.types.Panel.__subclasses__())
