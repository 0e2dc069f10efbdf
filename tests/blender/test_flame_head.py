"""A FLAME file of the user's own becomes a rig, with and without its companions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
import soundfile

from erlnet_blender import addon
from erlnet_blender.formats import user_folders
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.scene.movie import open_scene
from erlnet_blender.scene.rig import head_of, head_path_of, mesh_of, rigs_of

from .. import flame_files as files
from ..hostile_flame_files import CODE, MARKER

SMALL = {"shapes": 12, "expressions": 6}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _registered(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    addon.register()
    yield
    addon.unregister()


def only_rig():
    (rig,) = rigs_of(bpy.context.scene)
    return rig


def evaluated(mesh_object):
    depsgraph = bpy.context.evaluated_depsgraph_get()
    mesh = mesh_object.evaluated_get(depsgraph).data
    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    return places.reshape(-1, 3)


@pytest.mark.parametrize("with_companions", [False, True])
def test_a_flame_file_becomes_a_dressed_rig(with_companions, tmp_path):
    path = files.write_flame2023_open(tmp_path, **SMALL)
    if with_companions:
        for write in (files.write_masks, files.write_uv_obj, files.write_eyelids, files.write_mediapipe_embedding):
            write(tmp_path)
    before = {entry.name for entry in tmp_path.iterdir()}
    assert bpy.ops.erlnet.add_head(filepath=str(path)) == {"FINISHED"}
    assert {entry.name for entry in tmp_path.iterdir()} - before == {"data"}, "nothing is written beside the file"
    rig = only_rig()
    head = head_of(rig)
    assert head.id.startswith("flame-2023-open-")
    assert head_path_of(rig).is_relative_to(user_folders.data_folder())
    mesh = mesh_of(rig)
    assert len(mesh.data.vertices) == 5023
    np.testing.assert_allclose(evaluated(mesh), head.v_template, atol=1e-6)
    kinds = {slot.material.name.lower() for slot in mesh.material_slots}
    assert any("eye" in kind for kind in kinds), "the eyeballs are known from the weights alone"
    assert bool(mesh.data.uv_layers) == with_companions
    assert (head.eyelids is not None) == with_companions


def test_the_second_time_is_not_converted_again(tmp_path):
    path = files.write_flame2020(tmp_path, expressions=2)
    bpy.ops.erlnet.add_head(filepath=str(path))
    kept = head_path_of(only_rig())
    written = kept.stat().st_mtime_ns
    bpy.ops.erlnet.add_head(filepath=str(path))
    assert len(rigs_of(bpy.context.scene)) == 2
    assert kept.stat().st_mtime_ns == written


def test_a_trap_is_reported_and_nothing_is_added(tmp_path):
    path = CODE["reduce in a good model"][0](tmp_path)
    with pytest.raises(RuntimeError, match=r"Refused, it contains posix\.system"):
        bpy.ops.erlnet.add_head(filepath=str(path))
    assert not bpy.data.objects
    assert not (tmp_path / MARKER).exists()


def test_our_own_head_is_used_where_it_lies():
    bpy.ops.erlnet.add_head(filepath=str(default_head_path()))
    assert head_path_of(only_rig()) == default_head_path()
    assert head_of(only_rig()).id == HeadModel.load(default_head_path()).id


def test_a_head_without_names_landmarks_and_textures_is_converted_and_speaks(tmp_path):
    """`erlnet convert`, then `erlnet bake --head`: a scene whose jaw and expressions are keyed and move the mesh."""

    def erlnet(*words):
        command = [sys.executable, "-m", "erlnet_blender.cli", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200)
        assert done.returncode == 0, done.stderr

    speech = ROOT / "erlnet_blender" / "assets" / "demo_speech.flac"
    samples, rate_hz = soundfile.read(speech, frames=16000)
    soundfile.write(tmp_path / "second.wav", samples, rate_hz)
    head_file, scene_file = tmp_path / "head.npz", tmp_path / "scene.blend"
    erlnet("convert", files.write_flame2023_open(tmp_path, shapes=12, expressions=40), "-o", head_file)
    erlnet("bake", tmp_path / "second.wav", "-o", scene_file, "--head", head_file)
    scene = open_scene(scene_file)
    (rig,) = rigs_of(scene)
    assert head_of(rig).id == HeadModel.load(head_file).id
    moves = []
    for frame in range(1, 26, 4):
        scene.frame_set(frame)
        moves.append(evaluated(mesh_of(rig)))
    spread = np.ptp(np.array(moves), axis=0).max()
    assert 0.002 < spread < 0.05, "the mouth opens by millimetres, nothing explodes"
    assert np.isfinite(moves).all()
