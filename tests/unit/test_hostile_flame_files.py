"""Files that are no FLAME model, or one with a trap in it: each is refused in its own words, and nothing runs."""

import subprocess
import sys
import time

import pytest

from erlnet_blender import cli
from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.flame.read import read_flame

from ..hostile_flame_files import BAD, CODE, MARKER

# Seconds of computing that a refusal may take.
PATIENCE_S = 2.0
# What a careless loader does with each kind of file.
CARELESS = """
import pickle, sys
import numpy as np
for path in sys.argv[1:]:
    try:
        if path.endswith((".npy", ".npz")):
            data = np.load(path, allow_pickle=True)
            [data[name] for name in getattr(data, "files", ())]
        elif path.endswith(".pt"):
            import torch
            torch.load(path, weights_only=False)
        else:
            pickle.load(open(path, "rb"), encoding="latin1")
    except Exception as error:
        print(path, repr(error))
"""


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """Name to the file of each trap, each in a folder of its own."""
    paths = {}
    for name, (write, _) in CODE.items():
        folder = tmp_path_factory.mktemp("trap")
        paths[name] = write(folder)
    return paths


def refusal(path):
    start = time.process_time()
    with pytest.raises(ErlnetError) as caught:
        read_flame(path)
    assert time.process_time() - start < PATIENCE_S
    assert str(path) == caught.value.where
    assert caught.value.remedy
    return caught.value.what


@pytest.mark.parametrize("name", CODE)
def test_a_trap_is_refused_by_name_and_does_not_run(name, traps):
    before = set(sys.modules)
    what = refusal(traps[name])
    assert what.startswith("Refused, it contains ")
    assert CODE[name][1] in what
    assert not (traps[name].parent / MARKER).exists()
    assert set(sys.modules) == before, "reading imports nothing"


def test_the_traps_are_real(traps):
    """A careless loader runs every one of them; without this the test above could not fail."""
    subprocess.run([sys.executable, "-c", CARELESS, *map(str, traps.values())], capture_output=True, check=True)
    ran = {name for name, path in traps.items() if (path.parent / MARKER).exists()}
    for path in traps.values():
        (path.parent / MARKER).unlink(missing_ok=True)
    assert ran == set(CODE)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_its_own_words(name, tmp_path):
    write, said = BAD[name]
    path = write(tmp_path)
    before = set(tmp_path.iterdir())
    assert said in refusal(path)
    assert set(tmp_path.iterdir()) == before


def test_no_two_refusals_of_different_kinds_read_alike():
    said = [words for _, words in BAD.values()]
    alike = {"ends before its pickle does", ".npy header is not"}  # one fault, met in several places
    assert len({*said} - alike) == len([words for words in said if words not in alike])


@pytest.mark.parametrize("name", ["reduce", "stack global", "torch zip"])
def test_the_command_line_refuses_and_leaves_nothing(name, traps, tmp_path, capsys):
    output = tmp_path / "head.npz"
    assert cli.main(["convert", str(traps[name]), "-o", str(output)]) == 2
    written = capsys.readouterr()
    assert written.err.startswith("error: Refused, it contains ")
    assert written.err.count("\n") == 1
    assert CODE[name][1] in written.err
    assert not list(tmp_path.iterdir())
    assert not (traps[name].parent / MARKER).exists()


@pytest.mark.parametrize("name", ["pipe", "links in a circle", "folder", "empty", "missing", "SMPL", "zip bomb"])
def test_the_command_line_survives(name, tmp_path, capsys):
    path = BAD[name][0](tmp_path)
    assert cli.main(["convert", str(path), "-o", str(tmp_path / "out" / "head.npz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else True
