"""What a head speaks like is saved with a picture, and makes another head speak like it, in any file."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.panels.style_library import style_items
from erlnet_blender.scene.delivery import delivery_of
from erlnet_blender.scene.keyframes import write_track
from erlnet_blender.scene.own_styles import saved_styles
from erlnet_blender.scene.rig import find_rig, head_of
from erlnet_blender.scene.thumbnail import draw_head, posed

from .synthetic_head import random_track

pytestmark = pytest.mark.usefixtures("enabled")


@pytest.fixture(autouse=True)
def _own_library(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def rig(enabled, rig):
    return rig


def library():
    return bpy.context.window_manager.erlnet


def test_settings_are_saved_and_used_on_another_head(rig):
    speech = rig.erlnet.speech
    speech.style, speech.strength, speech.emotion, speech.intensity = "sad", 1.25, "angry", 0.4
    speech.second_style, speech.mix, speech.blinks = "happy", 0.25, 30
    assert bpy.ops.erlnet.save_style(name="Grandma") == {"FINISHED"}
    bpy.ops.erlnet.add_head()
    other = find_rig(bpy.context)
    assert other != rig
    assert bpy.ops.erlnet.use_style() == {"FINISHED"}
    for name in ("style", "strength", "emotion", "intensity", "second_style", "mix", "blinks"):
        assert getattr(other.erlnet.speech, name) == getattr(speech, name)


def test_a_motion_is_saved_and_spoken_like(rig):
    bpy.context.scene.render.fps = 25
    track = random_track(head_of(rig), 120)
    write_track(rig, track, 11, "Speech")
    bpy.ops.erlnet.save_style(name="Grandma", source="MOTION")
    (style,) = saved_styles()
    np.testing.assert_allclose(FaceTrack.load(style.path).expr, track.expr, atol=1e-5)
    bpy.ops.erlnet.use_style()
    assert delivery_of(rig, bpy.context.scene, 1, 10).style == str(style.path)
    rig.erlnet.speech.style = "calm"
    bpy.ops.erlnet.use_style(second=True)
    delivery = delivery_of(rig, bpy.context.scene, 1, 10)
    assert (delivery.style, delivery.second_style) == ("calm", str(style.path))


def test_settings_that_speak_like_another_head_take_its_motion_along(rig):
    write_track(rig, random_track(head_of(rig), 120), 1, "Speech")
    bpy.ops.erlnet.add_head()
    other = find_rig(bpy.context)
    other.erlnet.speech.style, other.erlnet.speech.style_rig, other.erlnet.speech.strength = "RIG", rig, 0.5
    bpy.ops.erlnet.save_style(name="Like the first")
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.erlnet.add_head()
    bpy.ops.erlnet.use_style()
    speech = find_rig(bpy.context).erlnet.speech
    assert (speech.style, speech.strength) == ("FILE", 0.5)
    assert len(FaceTrack.load(speech.style_file)) == 120


def test_track_files_are_taken_in(rig, tmp_path):
    random_track(head_of(rig), 100).save(tmp_path / "take.npz")
    bpy.ops.erlnet.save_style(name="Take", source="FILE", filepath=str(tmp_path / "take.npz"))
    assert [style.has_motion for style in saved_styles()] == [True]
    random_track(head_of(rig), 20).save(tmp_path / "short.npz")
    with pytest.raises(RuntimeError, match=r"lasts 0.8 s, too short.*4 s or more"):
        bpy.ops.erlnet.save_style(name="Short", source="FILE", filepath=str(tmp_path / "short.npz"))
    with pytest.raises(RuntimeError, match=r"No such face track.*nothing\.npz"):
        bpy.ops.erlnet.save_style(name="None", source="FILE", filepath=str(tmp_path / "nothing.npz"))
    assert len(saved_styles()) == 1


def test_a_head_that_does_not_move_has_no_motion_to_save(rig):
    with pytest.raises(RuntimeError, match="does not move yet, Head, bake a voice first"):
        bpy.ops.erlnet.save_style(name="Still", source="MOTION")


def test_the_panel_lists_renames_and_deletes(rig):
    with pytest.raises(RuntimeError, match="library is empty"):
        bpy.ops.erlnet.use_style()
    for name in ("Uncle", "Grandma"):
        bpy.ops.erlnet.save_style(name=name)
    items = style_items(None, None)
    assert [item[1] for item in items] == ["Grandma", "Uncle"]
    assert [item[4] for item in items] == [0, 1]
    grandma = items[0][0]
    assert library().saved_style == grandma  # the one that was saved last is chosen
    bpy.ops.erlnet.rename_style(name="Zoe")
    assert [item[1] for item in style_items(None, None)] == ["Uncle", "Zoe"]
    assert library().saved_style == grandma
    bpy.ops.erlnet.delete_style()
    assert [item[1] for item in style_items(None, None)] == ["Uncle"]
    bpy.ops.erlnet.delete_style()
    assert style_items(None, None) == []


def test_styles_of_a_later_version_change_nothing(rig):
    from erlnet_blender.formats.style_library import save_style

    picture = np.zeros((96, 96, 4), np.uint8)
    for settings in ({"strength": 0.5, "style": "bored"}, {"emotion": "happy", "mix": 7.0}, {"blinks": "often"}):
        style = save_style("Later", settings, picture)
        library().saved_style = style.path.name
        with pytest.raises(RuntimeError, match="is not known to this version, Later, save the style again"):
            bpy.ops.erlnet.use_style()
        speech = rig.erlnet.speech
        assert (speech.style, speech.strength, speech.emotion) == ("neutral", 1.0, "neutral")


def test_pictures_show_the_pose():
    """The mouth of a surprised head is open and dark where that of a neutral one is not; nothing else is drawn."""
    head = HeadModel.load(default_head_path())
    neutral, surprised = draw_head(head, posed(head, {})), draw_head(head, posed(head, {"surprised": 1.0}))
    for picture in (neutral, surprised):
        assert picture.shape == (96, 96, 4)
        assert (picture[0, 0] == 0).all()
        assert picture[48, 48, 3] == 255
        assert 0.3 < (picture[..., 3] > 128).mean() < 0.9
        # No holes: every row of the face, between the ears, is one run.
        for row in picture[20:70, 16:80, 3] > 128:
            assert np.abs(np.diff(row.astype(int))).sum() <= 2
    changed = np.abs(neutral.astype(int) - surprised.astype(int)).sum(2) > 60
    assert changed[55:85, 35:61].sum() > 40  # mouth and chin
    assert changed[25:50, 20:76].sum() > 20  # brows and eyes
