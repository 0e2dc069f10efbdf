"""Whoever refuses says why; support gets what it needs, and nobody's name."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
import soundfile

from erlnet_blender import addon
from erlnet_blender.errors import ErlnetError
from erlnet_blender.operators import explained
from erlnet_blender.operators.copy_diagnostics import ERLNET_OT_copy_diagnostics
from erlnet_blender.operators.explained import Explained
from erlnet_blender.scene import diagnostics, jobs
from erlnet_blender.scene.rig import find_rig
from erlnet_blender.scene.strips import add_sound_strip
from erlnet_blender.worker.client import WorkerClient

pytestmark = pytest.mark.usefixtures("enabled")


def operators() -> list[type]:
    """Every operator of the add-on."""
    classes = [item for module in addon.MODULES for item in getattr(module, "CLASSES", ())]
    return [item for item in classes if issubclass(item, bpy.types.Operator)]


def empty(tmp_path, monkeypatch):
    pass


def a_mesh(tmp_path, monkeypatch):
    bpy.ops.mesh.primitive_cube_add()


def a_head(tmp_path, monkeypatch):
    bpy.ops.erlnet.add_head()


def a_voice(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "voice.wav", np.zeros(8000), 8000)
    add_sound_strip(bpy.context.scene, tmp_path / "voice.wav", 1)


def head_and_voice(tmp_path, monkeypatch):
    a_voice(tmp_path, monkeypatch)
    a_head(tmp_path, monkeypatch)


def two_heads_none_chosen(tmp_path, monkeypatch):
    a_head(tmp_path, monkeypatch)
    a_head(tmp_path, monkeypatch)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None


def edit_mode(tmp_path, monkeypatch):
    head_and_voice(tmp_path, monkeypatch)
    bpy.ops.object.mode_set(mode="EDIT")


def no_worker(tmp_path, monkeypatch):
    head_and_voice(tmp_path, monkeypatch)

    def missing(*_):
        raise ErlnetError("No Python with torch was found for the worker", "", "run `make setup`")

    monkeypatch.setattr(explained, "worker_python", missing)


def running(tmp_path, monkeypatch):
    head_and_voice(tmp_path, monkeypatch)
    client = WorkerClient(command=[sys.executable, "-c", "import time; time.sleep(60)"])
    jobs.start(client, "Baking", "bake", {})


def every_part_off(tmp_path, monkeypatch):
    head_and_voice(tmp_path, monkeypatch)
    for part in ("mouth", "brows", "blinks", "gaze", "head"):
        setattr(find_rig(bpy.context).erlnet.speech, f"use_{part}", False)


STATES = [empty, a_mesh, a_head, a_voice, head_and_voice, two_heads_none_chosen]
STATES += [edit_mode, no_worker, running, every_part_off]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_every_operator_that_refuses_says_why(state, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    state(tmp_path, monkeypatch)
    try:
        refused = 0
        for operator in operators():
            assert issubclass(operator, Explained), f"{operator.__name__} cannot say why it is disabled"
            reason = operator.disabled_reason(bpy.context)
            category, _, verb = operator.bl_idname.partition(".")
            assert getattr(getattr(bpy.ops, category), verb).poll() == (not reason), operator.__name__
            if reason:
                refused += 1
                assert len(reason) > 8, f"{operator.__name__}: {reason!r}"
                assert reason[0].isupper(), f"{operator.__name__}: {reason!r}"
                assert not reason.endswith("."), f"Blender adds the full stop to {reason!r}"
        assert refused > 0
    finally:
        if jobs.current() is not None:
            client = jobs.current().client
            jobs.current().cancel()
            client.close()


def test_states_refuse_for_their_own_reason(tmp_path, monkeypatch):
    bake = next(operator for operator in operators() if operator.bl_idname == "erlnet.bake_speech")
    no_worker(tmp_path, monkeypatch)
    assert bake.disabled_reason(bpy.context) == "No Python with torch was found for the worker, run `make setup`"
    monkeypatch.undo()
    assert bake.disabled_reason(bpy.context) == ""


def test_diagnostics_tell_what_support_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnostics, "_hello", lambda client: "worker: not started in this test")
    with pytest.raises(RuntimeError):
        bpy.ops.erlnet.export_track(filepath=str(tmp_path / "x.npz"))
    bpy.ops.erlnet.start_here()
    with pytest.raises(RuntimeError):
        bpy.ops.erlnet.add_sound(filepath=str(Path.home() / "Private" / "nothing.wav"))
    text = diagnostics.diagnostics(bpy.context)
    assert bpy.app.version_string in text
    assert "add-on 0." in text
    assert f"NumPy {np.__version__}" in text
    assert "worker Python: " in text
    assert "last job: none" in text
    assert "fault: Add Recording: No such audio file, ~/Private/nothing.wav, check the path" in text
    assert "heads: 1" in text
    assert "25 frames a second" in text
    assert str(Path.home()) not in text


def test_the_last_job_and_its_error_are_in_it(monkeypatch):
    monkeypatch.setattr(diagnostics, "_hello", lambda client: "")
    job = jobs.Job("Baking", "bake", WorkerClient(), 1)
    job._end(jobs.FAILED, "")
    job.fail(ErlnetError("The track does not fit", Path.home() / "take.npz", "bake again"))
    text = diagnostics.diagnostics(bpy.context)
    assert "last job: bake, failed: The track does not fit, ~/take.npz, bake again" in text


def test_the_worker_is_asked_what_it_has():
    """The real one."""
    import torch

    text = diagnostics.diagnostics(bpy.context)
    assert f"torch {torch.__version__}" in text


def test_faults_of_our_own_making_are_kept_with_their_place(monkeypatch):
    def broken(_context):
        raise KeyError("no such thing")

    monkeypatch.setattr("erlnet_blender.operators.copy_diagnostics.diagnostics", broken)
    with pytest.raises(RuntimeError, match="no such thing"):
        bpy.ops.erlnet.copy_diagnostics()
    monkeypatch.undo()
    monkeypatch.setattr(diagnostics, "_hello", lambda client: "")
    assert "in broken" in diagnostics.diagnostics(bpy.context)
    assert ERLNET_OT_copy_diagnostics.bl_label in diagnostics.diagnostics(bpy.context)
