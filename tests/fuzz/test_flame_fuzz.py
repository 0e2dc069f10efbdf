"""Four hundred and twenty valid files with a few bytes changed: each is a head or one sentence, and soon."""

import io
import os
import random
import sys
import time
import zipfile

import pytest

from erlnet_blender.errors import ErlnetError
from erlnet_blender.formats.flame.read import Companions, read_flame
from erlnet_blender.formats.head_model import HeadModel

from .. import flame_files as files

PER_KIND, PATIENCE_S = 60, 2.0
SMALL = {"shapes": 2, "expressions": 2}


KINDS = {
    "python 2": lambda folder: files.write_flame2020(folder, **SMALL),
    "protocol 0": lambda folder: files.write_flame2020(folder, protocol=0, **SMALL),
    "open": lambda folder: files.write_flame2023_open(folder, **SMALL),
    "npz": lambda folder: files.write_npz(folder, **SMALL),
    "pt": lambda folder: files.write_pt(folder, **SMALL),
}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Mostly one change: a byte, a number of four bytes, a cut, a doubled or missing piece; often near what is
    structure and not numbers, which is where strings of printable bytes are."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = _structural(result, rng) if rng.random() < 0.8 else rng.randrange(len(result))
        kind = rng.randrange(6)
        if kind == 0:
            result[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            result[place] = rng.randrange(256)
        elif kind == 2:
            value = rng.choice((0, 1, -1, 2**31 - 1, 2**32 - 1, 1 << 20)) & 0xFFFFFFFF
            result[place : place + 4] = value.to_bytes(4, "little")
        elif kind == 3 and rng.random() < 0.3:
            del result[place:]
        elif kind == 4:
            piece = result[place : place + rng.randint(1, 40)]
            result[place:place] = piece * rng.randint(1, 3)
        else:
            del result[place : place + rng.randint(1, 40)]
        if not result:
            break
    return bytes(result)


def mutated_inside(data: bytes, rng: random.Random) -> bytes:
    """A zip file one of whose members is changed before it is packed, so that its checksum fits."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    pickles = [name for name in members if name.endswith("data.pkl")]
    name = rng.choice(pickles or list(members))
    members[name] = mutated(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()


def _structural(data: bytearray, rng: random.Random) -> int:
    """A place near one of the words that stand between the numbers."""
    words = (b"numpy", b"dtype", b"shapedirs", b"weights", b"v_template", b"PK", b"chumpy", b"_shape", b"indptr", b"f8")
    word = rng.choice(words)
    start = rng.randrange(len(data))
    found = data.find(word, start)
    found = data.find(word) if found < 0 else found
    return min(max(found, 0) + rng.randint(-12, 40), len(data) - 1) if found >= 0 else start


@pytest.mark.parametrize(
    ("kind", "mutate"),
    [*((kind, mutated) for kind in KINDS), ("npz", mutated_inside), ("pt", mutated_inside)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_mutations_end_in_a_head_or_a_sentence(kind, mutate, tmp_path):
    source = KINDS[kind](tmp_path)
    data = source.read_bytes()
    rng = random.Random(f"flame {kind}")
    path = tmp_path / "mutated"
    ends = {"head": 0, "refused": 0}
    modules, entries = set(sys.modules), None
    for _ in range(PER_KIND):
        path.write_bytes(mutate(data, rng))
        entries = entries or set(os.listdir(tmp_path))
        start = time.process_time()
        try:
            head, _ = read_flame(path, Companions(expressions=2))
            assert isinstance(head, HeadModel)
            ends["head"] += 1
        except ErlnetError as error:
            ends["refused"] += "\n" not in str(error)
        assert time.process_time() - start < PATIENCE_S
    assert set(sys.modules) == modules
    assert set(os.listdir(tmp_path)) == entries
    assert sum(ends.values()) == PER_KIND
    assert ends["refused"] > PER_KIND / 4, ends
