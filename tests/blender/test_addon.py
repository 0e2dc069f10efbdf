"""Enabling and disabling leaves nothing behind; the operators do what their buttons say, or say why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

import erlnet_blender
from erlnet_blender import addon
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.head_presets import PRESETS
from erlnet_blender.operators.explained import Explained
from erlnet_blender.scene.keyframes import read_track, write_track
from erlnet_blender.scene.rig import find_rig, head_of, mesh_of, read_frame, rigs_of
from erlnet_blender.scene.strips import sound_strips

from .synthetic_head import random_track, synthetic_head

ROOT = Path(__file__).resolve().parents[2]


HANDLERS = [name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)]


def registered_things() -> dict:
    """Everything that an add-on can leave in Blender."""
    menus = (bpy.types.VIEW3D_MT_mesh_add, bpy.types.VIEW3D_MT_armature_add)
    menu_functions = [draw for menu in menus for draw in getattr(menu.draw, "_draw_funcs", ())]
    return {
        "classes": {name for name in dir(bpy.types) if "ERLNET" in name.upper()},
        "operators": set(dir(bpy.ops.erlnet)),
        "scene": hasattr(bpy.types.Scene, "erlnet"),
        "object": hasattr(bpy.types.Object, "erlnet"),
        "window": hasattr(bpy.types.WindowManager, "erlnet"),
        "handlers": [f for name in HANDLERS for f in getattr(bpy.app.handlers, name) if "erlnet" in f.__module__],
        "menu": [draw.__module__ for draw in menu_functions if "erlnet" in draw.__module__],
        "panels": sum("ERLNET" in getattr(panel, "COMPAT_ENGINES", ()) for panel in bpy.types.Panel.__subclasses__()),
    }


def test_enabling_three_times_leaves_nothing_behind():
    before = registered_things()
    assert not before["classes"]
    for _ in range(3):
        erlnet_blender.register()
        during = registered_things()
        assert "ERLNET_OT_bake_speech" in during["classes"]
        assert during["scene"]
        assert len(during["menu"]) == len(before["menu"]) + 2
        assert during["panels"] > 5
        erlnet_blender.unregister()
        assert registered_things() == before


def test_enabling_imports_nothing_heavy():
    """In a process of its own, since the tests themselves import torch."""
    script = (
        "import sys, bpy, erlnet_blender\n"
        "erlnet_blender.register()\n"
        "heavy = {'torch', 'scipy', 'soundfile', 'safetensors', 'mediapipe'} & set(sys.modules)\n"
        "erlnet_blender.unregister()\n"
        "print('heavy:', sorted(heavy))\n"
    )
    output = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True, timeout=120)
    assert "heavy: []" in output


def test_a_failing_module_rolls_everything_back(monkeypatch):
    class Broken:
        CLASSES = ()

        @staticmethod
        def register():
            raise RuntimeError("broken on purpose")

    before = registered_things()
    monkeypatch.setattr(addon, "MODULES", (*addon.MODULES, Broken))
    with pytest.raises(RuntimeError, match="broken on purpose"):
        erlnet_blender.register()
    assert registered_things() == before


@pytest.mark.usefixtures("enabled")
def test_every_operator_explains_itself():
    classes = [item for module in addon.MODULES for item in getattr(module, "CLASSES", ())]
    operators = [item for item in classes if issubclass(item, Explained)]
    assert len(operators) > 8
    for operator in operators:
        assert operator.__doc__
        assert not operator.__doc__.strip().endswith("."), "Blender adds the full stop"
        category, _, verb = operator.bl_idname.partition(".")
        properties = getattr(getattr(bpy.ops, category), verb).get_rna_type().properties
        for name in vars(operator).get("__annotations__", {}):
            prop = properties[name]
            assert prop.description or prop.is_hidden, f"{operator.__name__}.{name}"


@pytest.mark.usefixtures("enabled")
def test_start_here_makes_a_scene_that_is_ready():
    assert bpy.ops.erlnet.start_here() == {"FINISHED"}
    scene = bpy.context.scene
    rig = find_rig(bpy.context)
    assert rig is not None
    assert [strip.frame_final_start for strip in sound_strips(scene)] == [1]
    assert (scene.frame_start, scene.frame_end) == (1, sound_strips(scene)[0].frame_final_duration)
    assert scene.render.engine == "ERLNET"
    assert (scene.render.resolution_x, scene.render.resolution_y, scene.render.fps) == (256, 256, 25)
    assert scene.render.image_settings.file_format == "FFMPEG"
    assert scene.render.ffmpeg.audio_codec == "AAC"
    assert scene.view_settings.view_transform == "Standard"
    assert scene.sync_mode == "AUDIO_SYNC"
    assert scene.camera.name == "Camera"
    assert scene.camera.data.lens == 85
    # The camera stands 0.95 m in front of the face and looks at it.
    rig_from_camera = np.array(rig.matrix_world.inverted() @ scene.camera.matrix_world)
    np.testing.assert_allclose(rig_from_camera[:3, 3], [0, -0.035, 0.92], atol=1e-6)
    np.testing.assert_allclose(rig_from_camera[:3, :3], np.eye(3), atol=1e-6)
    assert bpy.ops.erlnet.bake_speech.poll()


@pytest.mark.usefixtures("enabled")
def test_start_here_leaves_the_users_scene_alone():
    bpy.ops.mesh.primitive_uv_sphere_add()
    own = bpy.context.scene
    bpy.ops.erlnet.start_here()
    assert [item.name for item in own.objects] == ["Sphere"]
    assert len(bpy.data.scenes) == 2
    stage = next(scene for scene in bpy.data.scenes if scene != own)
    assert len(rigs_of(stage)) == 1


@pytest.mark.usefixtures("enabled")
def test_start_here_with_a_bad_recording_changes_nothing(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    bpy.ops.mesh.primitive_uv_sphere_add()
    with pytest.raises(RuntimeError, match=r"no sound in this file, .*broken\.wav"):
        bpy.ops.erlnet.start_here(filepath=str(tmp_path / "broken.wav"))
    assert len(bpy.data.scenes) == 1
    assert [item.name for item in bpy.context.scene.objects] == ["Sphere"]


@pytest.mark.usefixtures("enabled")
def test_add_head_stands_at_the_cursor():
    bpy.context.scene.cursor.location = (1, 2, 3)
    bpy.ops.erlnet.add_head()
    rig = find_rig(bpy.context)
    assert tuple(rig.location) == (1, 2, 3)
    assert head_of(rig).id == HeadModel.load(default_head_path()).id


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.usefixtures("enabled")
def test_add_head_of_a_preset_is_that_person(name):
    bpy.ops.erlnet.add_head(preset=name)
    rig, head = find_rig(bpy.context), HeadModel.load(default_head_path())
    assert rig.name == PRESETS[name].label
    read = read_frame(rig, bpy.context.evaluated_depsgraph_get())
    np.testing.assert_allclose(read.shape, PRESETS[name].coefficients(head.meta["shape_names"]), atol=1e-6)
    assert all(PRESETS[name].look in material.name for material in mesh_of(rig).data.materials)


@pytest.mark.usefixtures("enabled")
def test_add_head_from_a_file(tmp_path):
    synthetic_head().save(tmp_path / "mine.npz")
    bpy.ops.erlnet.add_head(filepath=str(tmp_path / "mine.npz"))
    assert head_of(find_rig(bpy.context)).id == synthetic_head().id
    (tmp_path / "bad.npz").write_bytes(b"x")
    with pytest.raises(RuntimeError, match=r"no head model.*bad\.npz"):
        bpy.ops.erlnet.add_head(filepath=str(tmp_path / "bad.npz"))
    assert len(rigs_of(bpy.context.scene)) == 1


@pytest.mark.usefixtures("enabled")
def test_buttons_are_grey_for_a_reason():
    bake = next(item for item in addon.bake_speech.CLASSES)
    assert bake.disabled_reason(bpy.context) == "Add a head first"
    with pytest.raises(RuntimeError, match="Add a head first"):
        bpy.ops.erlnet.bake_speech()
    bpy.ops.erlnet.add_head()
    assert "no sound strip in the sequencer" in bake.disabled_reason(bpy.context)
    with pytest.raises(RuntimeError, match="no baked keys"):
        bpy.ops.erlnet.clear_bake()


@pytest.mark.usefixtures("enabled")
def test_tracks_go_out_and_come_in(tmp_path):
    bpy.ops.erlnet.add_head()
    scene, rig = bpy.context.scene, find_rig(bpy.context)
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, 8
    track = random_track(head_of(rig), 8)
    write_track(rig, track, 1, "Speech")
    bpy.ops.erlnet.export_track(filepath=str(tmp_path / "out.npz"))
    bpy.ops.erlnet.clear_bake()
    assert np.ptp(read_track(rig, scene, 1, 8).expr, axis=0).max() < 1e-5
    scene.frame_set(1)
    bpy.ops.erlnet.import_track(filepath=str(tmp_path / "out.npz"))
    np.testing.assert_allclose(read_track(rig, scene, 1, 8).expr, track.expr, atol=1e-5)
    assert FaceTrack.load(tmp_path / "out.npz").head_id == head_of(rig).id


@pytest.mark.usefixtures("enabled")
def test_reset_face_keeps_where_the_head_stands():
    bpy.ops.erlnet.add_head()
    rig = find_rig(bpy.context)
    rig.pose.bones["root"].location = (0.1, 0.2, 0.3)
    rig.pose.bones["jaw"].rotation_euler.x = 0.2
    rig.pose.bones["face"]["smile"] = 1.0
    bpy.ops.erlnet.reset_face()
    frame = read_frame(rig, bpy.context.evaluated_depsgraph_get())
    assert not frame.expr.any()
    assert not frame.jaw_pose.any()
    np.testing.assert_allclose(frame.translation[0], [0.1, 0.2, 0.3], atol=1e-6)


@pytest.mark.usefixtures("enabled")
def test_files_remember_the_settings(tmp_path):
    bpy.ops.erlnet.start_here()
    rig = find_rig(bpy.context)
    speech = rig.erlnet.speech
    speech.style, speech.strength, speech.use_gaze = "sad", 0.5, False
    rig.erlnet.avatar = "//mine.safetensors"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    rig = find_rig(bpy.context)
    speech = rig.erlnet.speech
    assert (speech.style, speech.strength, speech.parts) == ("sad", 0.5, {"mouth", "brows", "blinks", "head"})
    assert rig.erlnet.avatar == "//mine.safetensors"


def test_styles_are_those_of_the_model():
    from erlnet_blender import delivery, style_presets
    from erlnet_blender.neural.adf.style.presets import EMOTIONS, INTENSITIES, PRESETS

    assert [name for name, _, _ in style_presets.STYLE_PRESETS] == list(PRESETS)
    assert [name for name, _, _ in style_presets.EMOTIONS] == list(EMOTIONS)
    assert {name for name, _, _ in style_presets.PARTS} == delivery.PARTS
    assert style_presets.INTENSITIES == INTENSITIES
