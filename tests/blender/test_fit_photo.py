"""A photograph gives the rig its identity, through the real worker, and nothing else changes."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

import erlnet_blender
from erlnet_blender.scene import jobs
from erlnet_blender.scene.rig import find_rig, identity_of, is_seated, set_shape
from erlnet_blender.worker import protocol

pytest.importorskip("mediapipe")
data = pytest.importorskip("skimage.data")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def rig(_empty_scene):
    erlnet_blender.register()
    bpy.ops.erlnet.add_head()
    yield find_rig(bpy.context)
    erlnet_blender.unregister()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(data.astronaut()).save(folder / "astronaut.jpg", quality=95)
    Image.fromarray(data.astronaut()[300:, :200]).save(folder / "sky.png")
    (folder / "words.png").write_text("no picture")
    return folder


def test_a_photo_sets_the_identity_and_says_how_well(rig, photos):
    bone = rig.pose.bones["jaw"]
    bone.rotation_euler = (0.1, 0, 0)
    assert not identity_of(rig).any()
    assert bpy.ops.erlnet.fit_photo(filepath=str(photos / "astronaut.jpg")) == {"FINISHED"}
    assert np.abs(identity_of(rig)).max() > 0.3
    assert is_seated(rig)
    assert bone.rotation_euler.x == pytest.approx(0.1)
    assert rig.animation_data is None or rig.animation_data.action is None
    job = jobs.ended(protocol.FIT_PHOTO)
    assert job.header["residual"] < 0.04
    assert "% of the distance between the eyes" in job.message
    assert jobs.ended(protocol.BAKE) is None


def test_a_failure_is_one_sentence_and_changes_nothing(rig, photos):
    before = np.linspace(-1, 1, len(identity_of(rig))).astype(np.float32)
    set_shape(rig, before)
    for name, sentence in (("sky.png", "No face"), ("words.png", "Not a readable picture"), ("none.png", "No such")):
        with pytest.raises(RuntimeError, match=sentence):
            bpy.ops.erlnet.fit_photo(filepath=str(photos / name))
        assert np.array_equal(identity_of(rig), before)
        assert jobs.current() is None


def test_it_needs_a_head():
    erlnet_blender.register()
    try:
        assert not bpy.ops.erlnet.fit_photo.poll()
        assert not bpy.ops.erlnet.choose_photo.poll()
    finally:
        erlnet_blender.unregister()
