"""FLAME's files of every kind become head files of ours, number by number."""

import hashlib
import json
import os
import sys
import time

import numpy as np
import pytest

from erlnet_blender import cli
from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats import user_folders
from erlnet_blender.formats.flame import model as flame_model
from erlnet_blender.formats.flame.landmarks import IBUG_INNER
from erlnet_blender.formats.flame.read import Companions, read_flame
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.worker import flame_conversion
from erlnet_blender.worker.flame_conversion import convert_flame, head_file_of

from .. import flame_files as files

SMALL = {"shapes": 12, "expressions": 4}


def assert_same(head, shapes=300, expressions=100):
    wanted = files.flame_sized_head()
    for name in ("v_template", "faces", "posedirs"):
        np.testing.assert_array_equal(getattr(head, name), getattr(wanted, name), name)
    np.testing.assert_allclose(head.J_regressor, wanted.J_regressor, atol=1e-7)
    np.testing.assert_allclose(head.weights, wanted.weights, atol=2e-7)  # made to sum to one at every loading
    np.testing.assert_array_equal(head.shapedirs, wanted.shapedirs[..., :shapes])
    np.testing.assert_array_equal(head.expressiondirs, wanted.expressiondirs[..., :expressions])
    assert head.parents.tolist() == [-1, 0, 1, 1, 1]


@pytest.fixture
def small_model(tmp_path):
    return files.write_flame2023_open(tmp_path, **SMALL)


def test_the_test_head_has_flames_counts():
    arrays = files.flame_arrays()
    assert arrays["v_template"].shape == (5023, 3)
    assert arrays["f"].shape == (9976, 3)
    assert arrays["shapedirs"].shape == (5023, 3, 400)
    assert arrays["posedirs"].shape == (5023, 3, 36)
    edges = np.sort(arrays["f"][:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(int), 1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert np.bincount(uses).tolist()[1:] == [60, 14934], "a disc with 60 boundary edges and two closed balls"


@pytest.mark.parametrize(
    "write",
    [
        files.write_flame2020,
        lambda folder: files.write_flame2020(folder, "female"),
        lambda folder: files.write_flame2020(folder, name="flame2023_no_jaw.pkl"),
        files.write_flame2023_open,
        files.write_npz,
        files.write_pt,
    ],
    ids=["2020 generic", "2020 female", "2023 no_jaw", "2023 Open", "npz", "pt"],
)
def test_every_kind_is_read_to_the_last_digit(write, tmp_path):
    path = write(tmp_path)
    head, _ = read_flame(path)
    assert_same(head)
    assert head.meta["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert head.id.endswith(head.meta["sha256"][:12])
    assert head.meta["licence"]
    assert head.regions["eyeballs"].sum() == 2 * 546


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_python_2_wrote_three_protocols(protocol, tmp_path):
    path = files.write_flame2020(tmp_path, protocol=protocol, shapes=3, expressions=2)
    head, _ = read_flame(path, Companions(expressions=2))
    assert_same(head, 3, 2)


@pytest.mark.parametrize("protocol", range(6))
def test_todays_python_writes_six_protocols(protocol, tmp_path):
    model = files.model_dict(shapes=3, expressions=2)
    head, _ = read_flame(files.pickled(model, tmp_path / "m.pkl", protocol=protocol), Companions(expressions=2))
    assert_same(head, 3, 2)


def test_reading_needs_neither_scipy_nor_chumpy_nor_torch(tmp_path):
    import subprocess

    path = files.write_flame2020(tmp_path, **SMALL)
    files.write_landmark_embedding(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from erlnet_blender.formats.flame.read import Companions, read_flame\n"
        f"head, _ = read_flame(Path({str(path)!r}), Companions(expressions=4))\n"
        "assert (head.landmark_faces >= 0).sum() == 51\n"
        "print(sorted({'scipy', 'chumpy', 'torch', 'bpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_chumpys_slices(tmp_path):
    path = files.write_flame2020(tmp_path, select=True, shapes=3, expressions=2)
    head, _ = read_flame(path, Companions(expressions=2))
    assert_same(head, 3, 2)


def test_big_endian_and_fortran_order_are_only_layout(tmp_path):
    model = files.model_dict(shapes=3, expressions=2)
    model["v_template"] = np.asfortranarray(model["v_template"]).astype(">f8")
    model["shapedirs"] = np.asfortranarray(model["shapedirs"])
    head, _ = read_flame(files.pickled(model, tmp_path / "m.pkl"), Companions(expressions=2))
    assert_same(head, 3, 2)


def test_fewer_components(tmp_path):
    head, _ = read_flame(files.write_flame2020(tmp_path, expressions=50))
    assert_same(head, 300, 50)
    with pytest.raises(ErlnetError, match="--expressions"):
        read_flame(files.write_flame2020(tmp_path, shapes=100, expressions=50))


def test_teeth_of_trackers(tmp_path):
    np.savez(tmp_path / "teeth.npz", **files.model_dict(teeth=True, shapes=300, expressions=2))
    head, _ = read_flame(tmp_path / "teeth.npz")
    assert head.v_template.shape == (5143, 3)
    assert head.faces.shape == (10144, 3)
    assert np.flatnonzero(head.regions["teeth"]).tolist() == list(range(5023, 5143))
    assert head.id.startswith("flame-teeth-")


def test_editions_are_recognised_and_never_guessed(tmp_path, monkeypatch):
    by_metadata, _ = read_flame(files.write_flame2023_open(tmp_path, **SMALL))
    assert by_metadata.id.startswith("flame-2023-open-")
    assert "CC-BY-4.0" in by_metadata.meta["licence"]
    male, _ = read_flame(files.write_flame2023_open(tmp_path, gender="male", **SMALL))
    assert male.id.startswith("flame-2023-open-male-")
    path = files.write_flame2020(tmp_path, **SMALL)
    unknown, _ = read_flame(path, Companions(expressions=4))
    assert unknown.id == f"flame-{unknown.meta['sha256'][:12]}"
    # A file with a published sha256 is that edition; here the table is given this file's own.
    edition = next(iter(flame_model._HASHES.values()))
    monkeypatch.setitem(flame_model._HASHES, (unknown.meta["sha256"], ""), edition)
    known, _ = read_flame(path, Companions(expressions=4))
    assert known.id == f"flame-2020-generic-{unknown.meta['sha256'][:12]}"


@pytest.mark.parametrize(
    ("write", "index"),
    [
        (files.write_landmark_embedding, IBUG_INNER),
        (lambda folder: files.write_landmark_embedding(folder, eyes=True), (*IBUG_INNER, 468, 473)),
        (files.write_static_embedding, IBUG_INNER),
        (lambda folder: files.write_static_embedding(folder, 68, protocol=0), IBUG_INNER),
        (files.write_mediapipe_embedding, files.MEDIAPIPE_105),
    ],
    ids=["DECA", "with eyes", "51", "68", "MediaPipe"],
)
def test_landmarks_come_in_mediapipes_order(write, index, tmp_path):
    path = files.write_flame2023_open(tmp_path, **SMALL)
    write(tmp_path)
    head, notes = read_flame(path)
    assert np.flatnonzero(head.landmark_faces >= 0).tolist() == sorted(index)
    assert [note for note in notes if note.endswith(f"{len(index)} landmarks")]
    default = HeadModel.load(default_head_path())
    error = np.linalg.norm(places(head)[list(index)] - places(default)[list(index)], axis=1)
    assert np.median(error) < 0.002
    assert error[np.array(index) < 468].max() < 0.006


def places(head):
    return (head.v_template[head.faces[head.landmark_faces]] * head.landmark_bary[..., None]).sum(1)


def test_pt_brings_its_own_landmarks(tmp_path):
    head, _ = read_flame(files.write_pt(tmp_path))
    assert set(np.flatnonzero(head.landmark_faces >= 0)) == {*files.MEDIAPIPE_105, *IBUG_INNER, 468, 473}
    assert places(head)[468, 0] < 0 < places(head)[473, 0]


@pytest.mark.parametrize("write", [files.write_masks, lambda f: files.write_masks(f, 0), files.write_masks_triangles])
def test_masks_become_regions(write, small_model):
    write(small_model.parent)
    head, _ = read_flame(small_model)
    assert head.regions["eyeballs"].sum() == 1092
    assert head.regions["skin"].sum() == 3931
    for name in ("lips", "neck", "scalp", "face", "forehead", "boundary"):
        expected = files.masks()[name]
        if write is files.write_masks_triangles:
            # A lone vertex of the mask is in none of its triangles.
            expected = np.unique(head.faces[np.isin(head.faces, expected).all(1)])
        np.testing.assert_array_equal(np.flatnonzero(head.regions[name]), expected, name)


@pytest.mark.parametrize("write", [files.write_uv_npz, files.write_uv_obj, lambda f: files.write_uv_obj(f, True)])
def test_texture_coordinates(write, small_model):
    write(small_model.parent)
    head, _ = read_flame(small_model)
    uv, uv_faces = files.texture_coordinates()
    assert head.uv.shape == (5118, 2)
    np.testing.assert_allclose(head.uv[head.uv_faces], uv[uv_faces], atol=1e-6)


def test_eyelids(small_model):
    files.write_eyelids(small_model.parent)
    head, _ = read_flame(small_model)
    np.testing.assert_array_equal(head.eyelids[1], np.load(small_model.parent / "r_eyelid.npy").astype(np.float32))


def test_a_bad_companion_is_left_out_unless_it_was_asked_for(small_model):
    dynamic = files.write_dynamic_embedding(small_model.parent)
    bad = small_model.parent / "FLAME_masks.pkl"
    bad.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    head, notes = read_flame(small_model)
    assert any("FLAME_masks.pkl was left out" in note and "os.system" in note for note in notes)
    assert "lips" not in head.regions
    with pytest.raises(ErlnetError, match="os.system"):
        read_flame(small_model, Companions(masks=bad))
    with pytest.raises(ErlnetError, match="depends on the view"):
        read_flame(small_model, Companions(landmarks=(dynamic,)))


def run(capsys, *words):
    status = cli.main([str(word) for word in words])
    written = capsys.readouterr()
    return status, written.out, written.err


def test_the_command_line_converts(tmp_path, capsys):
    path = files.write_flame2020(tmp_path)
    other = tmp_path / "elsewhere"
    other.mkdir()
    masks, uv, lids = files.write_masks(other), files.write_uv_obj(other), files.write_eyelids(other)
    landmarks = files.write_mediapipe_embedding(other)
    output = tmp_path / "made" / "head.npz"
    chosen = ["--masks", masks, "--uv", uv, "--eyelids", lids, "--landmarks", landmarks]
    status, out, err = run(capsys, "convert", path, "-o", output, "--json", *chosen)
    assert (status, err) == (0, "")
    head = HeadModel.load(output)
    assert_same(head)
    assert json.loads(out)["id"] == head.id
    assert (head.landmark_faces >= 0).sum() == 105
    assert head.eyelids is not None
    assert head.uv is not None
    assert head.regions["lips"].any()
    assert [entry.name for entry in output.parent.iterdir()] == ["head.npz"]
    status, out, _ = run(capsys, "convert", output, "-o", tmp_path / "again.npz")  # a head of ours passes through
    assert status == 0
    assert HeadModel.load(tmp_path / "again.npz").id == head.id


def test_a_reader_that_does_not_end_is_killed(small_model, tmp_path, monkeypatch):
    slow = tmp_path / "slow_python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    start = time.monotonic()
    with pytest.raises(ErlnetError, match="more than 0.5 s"):
        convert_flame(small_model, tmp_path / "out" / "head.npz", python=slow, timeout_s=0.5)
    assert time.monotonic() - start < 10
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no such limits there")
def test_the_child_is_confined(tmp_path):
    import subprocess

    code = (
        "import os, socket, subprocess, sys\n"
        "from erlnet_blender.worker import flame_child\n"
        "flame_child.confine()\n"
        "def tried(call):\n"
        "    try: call()\n"
        "    except (PermissionError, MemoryError) as error: print(type(error).__name__)\n"
        "    else: print('done')\n"
        "tried(lambda: os.system('true'))\n"
        "tried(lambda: subprocess.run(['true']))\n"
        "tried(lambda: os.fork())\n"
        "tried(lambda: socket.socket())\n"
        "tried(lambda: bytearray(8 << 30))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["PermissionError"] * 4 + ["MemoryError"]


def test_a_reader_that_dies_is_an_error_of_the_file(small_model, tmp_path):
    dying = tmp_path / "dying_python"
    dying.write_text("#!/bin/sh\necho broken >&2\nkill -9 $$\n")
    dying.chmod(0o755)
    with pytest.raises(ErlnetError, match=r"was stopped \(broken\)"):
        convert_flame(small_model, tmp_path / "head.npz", python=dying)


def test_conversions_are_kept_for_the_user_and_made_once(small_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    before = set(small_model.parent.iterdir())
    first = head_file_of(small_model, sys.executable)
    assert first.path.is_relative_to(user_folders.data_folder())
    monkeypatch.setattr(flame_conversion, "convert_flame", None)  # a second conversion would fail
    again = head_file_of(small_model)
    assert (again.path, again.id) == (first.path, first.id)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (small_model.parent / "uv_coords.npz").touch()  # a companion that is no good does not stand in the way
    files.write_masks(small_model.parent)  # other companions, another head
    other = head_file_of(small_model, sys.executable)
    assert other.path != first.path
    assert "lips" in HeadModel.load(other.path).regions
    added = {entry.name for entry in set(small_model.parent.iterdir()) - before}
    assert added == {"FLAME_masks.pkl", "uv_coords.npz", "data"}
    assert head_file_of(default_head_path()).path == default_head_path()
