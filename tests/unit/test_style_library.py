"""Styles are kept whole, under any name, and a file that is no style is named and does no harm."""

from __future__ import annotations

import json

import numpy as np
import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.style_library import (
    NAME,
    PICTURE,
    SETTINGS,
    clean_name,
    delete_style,
    library_folder,
    list_styles,
    load_style,
    rename_style,
    save_style,
)

PICTURE_OF_NOISE = np.random.default_rng(0).integers(0, 255, (96, 96, 4)).astype(np.uint8)
HAPPY = {"style": "happy", "strength": 0.75}


def a_track(frames=5):
    return FaceTrack(expr=np.random.default_rng(1).normal(size=(frames, 4)), fps=25.0, head_id="somebody")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    return library_folder()


def test_settings_and_motions_come_back(folder):
    assert list_styles() == []
    save_style("Grandma", HAPPY, PICTURE_OF_NOISE)
    save_style("uncle", {}, PICTURE_OF_NOISE, a_track().arrays())
    grandma, uncle = list_styles()
    assert (grandma.name, grandma.settings, grandma.has_motion) == ("Grandma", HAPPY, False)
    np.testing.assert_array_equal(grandma.picture, PICTURE_OF_NOISE)
    assert (uncle.name, uncle.settings, uncle.has_motion) == ("uncle", {}, True)
    # The file is a face track wherever one is asked for.
    np.testing.assert_array_equal(FaceTrack.load(uncle.path).expr, a_track().expr)
    assert {style.path.parent for style in (grandma, uncle)} == {folder}


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "con", "a/b\\c:d*e?", "Ömür 嗨", "x" * 500, ".", "-rf", "a\n\t\0b", "name.npz"],
)
def test_names_are_data(folder, name):
    style = save_style(name, HAPPY, PICTURE_OF_NOISE)
    assert style.path.parent == folder
    assert style.path.name.isascii()
    assert len(style.path.name) < 60
    assert style.name == clean_name(name)
    assert [other.name for other in list_styles()] == [style.name]


@pytest.mark.parametrize("name", ["", "   ", "\n\0"])
def test_no_name_is_refused(name):
    with pytest.raises(ErlnetError, match="needs a name"):
        save_style(name, HAPPY, PICTURE_OF_NOISE)


def test_the_same_name_replaces(folder):
    first = save_style("Grandma", HAPPY, PICTURE_OF_NOISE)
    second = save_style("  Grandma ", {"style": "sad"}, PICTURE_OF_NOISE)
    assert first.path == second.path
    assert [style.settings for style in list_styles()] == [{"style": "sad"}]


def test_renamed_styles_keep_their_file_and_motion(folder):
    style = save_style("Grandma", HAPPY, PICTURE_OF_NOISE, a_track().arrays())
    save_style("Uncle", HAPPY, PICTURE_OF_NOISE)
    renamed = rename_style(style.path, "Great-grandma")
    assert (renamed.name, renamed.path, renamed.settings) == ("Great-grandma", style.path, HAPPY)
    np.testing.assert_array_equal(FaceTrack.load(renamed.path).expr, a_track().expr)
    with pytest.raises(ErlnetError, match="a style of this name, Uncle"):
        rename_style(style.path, "Uncle")
    # The old name is free again.
    assert save_style("Grandma", HAPPY, PICTURE_OF_NOISE).path != style.path
    delete_style(style.path)
    assert [style.name for style in list_styles()] == ["Grandma", "Uncle"]


def damaged(path, **changed):
    arrays = {NAME: "Bad", SETTINGS: json.dumps(HAPPY), PICTURE: PICTURE_OF_NOISE, **changed}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    "changed",
    [
        {NAME: None},
        {NAME: "\n"},
        {SETTINGS: "{"},
        {SETTINGS: "[1]"},
        {SETTINGS: '{"style": [1]}'},
        {SETTINGS: "{}"},
        {PICTURE: np.zeros((2, 2))},
        {PICTURE: np.zeros((4000, 4000), np.uint8)},
        {PICTURE: None},
    ],
    ids=str,
)
def test_damaged_files_are_named_and_can_be_deleted(folder, changed):
    folder.mkdir(parents=True)
    damaged(folder / "bad.npz", **changed)
    save_style("Good", HAPPY, PICTURE_OF_NOISE)
    bad, good = list_styles()
    assert (bad.name, good.name) == ("bad", "Good")
    assert "bad.npz" in bad.fault or "needs a name" in bad.fault
    with pytest.raises(ErlnetError):
        load_style(bad.path)
    with pytest.raises(ErlnetError):
        rename_style(bad.path, "Better")
    delete_style(bad.path)
    assert [style.name for style in list_styles()] == ["Good"]


@pytest.mark.parametrize("content", [b"", b"PK\3\4 not really", b"\0" * 5000])
def test_files_of_another_kind(folder, content):
    folder.mkdir(parents=True)
    (folder / "other.npz").write_bytes(content)
    (folder / "notes.txt").write_text("mine")
    (style,) = list_styles()
    assert "other.npz" in style.fault


def test_pickles_are_not_opened(folder):
    folder.mkdir(parents=True)
    np.savez(folder / "evil.npz", **{NAME: np.array([{}], object), SETTINGS: "{}", PICTURE: PICTURE_OF_NOISE})
    (style,) = list_styles()
    assert "Not a readable style" in style.fault
