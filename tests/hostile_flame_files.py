"""Files that are no FLAME model, or one with a trap in it: name to a writer, and what the refusal must say.

Whatever runs code runs ``touch MARKER``, where MARKER lies in the folder that the file is written to.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .flame_files import deca_embedding, masks, model_dict, pickled

MARKER = "it_ran"
SMALL = {"shapes": 3, "expressions": 2}


class _Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def model(**changes: object) -> dict:
    """A small and valid model, changed; a change of None leaves the key out."""
    values = model_dict(**SMALL)
    values["supr_expression_metadata"] = {"expr_components": "last_2", "n_expr": 2, "supr_gender": "neutral"}
    return {name: value for name, value in (values | changes).items() if value is not None}


def _touch(folder: Path) -> str:
    return f"touch {folder / MARKER}"


def _raw(data: bytes | Callable[[Path], bytes], name: str = "model.pkl") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data(folder) if callable(data) else data)
        return path

    return write


def _short(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _dumped(make: Callable[[Path], object], protocol: int = 2) -> Callable[[Path], Path]:
    return lambda folder: pickled(make(folder), folder / "model.pkl", protocol=protocol)


def _changed(**changes: object) -> Callable[[Path], Path]:
    return _dumped(lambda _: model(**changes), 4)


def _wrong(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], Path]:
    """A model one of whose arrays is changed."""
    return lambda folder: pickled(model(**{name: change(np.array(model()[name]))}), folder / "model.pkl", protocol=4)


def _put(array: np.ndarray, place: object, value: object) -> np.ndarray:
    array[place] = value
    return array


def _array(shape: tuple, dtype: np.dtype | str, data: bytes, described: bytes = b"") -> bytes:
    """A pickle of {'v_template': array} with any shape, type and data; `described` replaces the type's state."""
    text = described or pickle.dumps(np.dtype(dtype), 2)[2:-1]
    body = (
        b"\x80\x02}"
        + _short("v_template")
        + b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    )
    sides = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", side) for side in shape) + b"t"
    return body + b"(K\x01" + sides + text + b"\x89B" + struct.pack("<I", len(data)) + data + b"tbs."


def _dtype_with(state: bytes) -> bytes:
    return b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8\x89\x88tR" + state + b"b"


def _npz(**values: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "model.npz", **values)
        return folder / "model.npz"

    return write


def _zip(members: Callable[[Path], dict[str, bytes]], name: str = "model.npz", packed: bool = False) -> Callable:
    def write(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
            for member, data in members(folder).items():
                archive.writestr(member, data)
        return folder / name

    return write


def _npy(value: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=value.dtype.hasobject)
    return buffer.getvalue()


def _npy_with(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(118)[:117] + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def _laughs() -> object:
    """Nine lists of nine lists of nine …: a billion leaves in a few hundred bytes."""
    value: list = [0.0] * 10
    for _ in range(9):
        value = [value] * 10
    return value


def _nested_torch(folder: Path) -> object:
    """A storage as torch pickles it, whose inner file calls os.system."""
    import torch

    inner = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    inner += pickle.dumps({"little_endian": True}, 2) + pickle.dumps(_Calls(os.system, _touch(folder)), 2)
    return {"v_template": _Calls(torch.storage._load_from_bytes, inner)}


def _stretched_tensor() -> dict[str, bytes]:
    """A tensor of 2^40 numbers that are all the same one."""
    side = b"\x8a\x08" + struct.pack("<q", 1 << 20)
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + side + side + b"\x86K\x00K\x00\x86\x89NtR"
    keys = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
    body = b"".join(_short(key) + tensor for key in keys)
    return {"m/data.pkl": b"\x80\x02}(" + body + b"u.", "m/data/0": b"\0" * 4}


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "model.pkl")
    return folder / "model.pkl"


def _loop(folder: Path) -> Path:
    (folder / "model.pkl").symlink_to(folder / "other.pkl")
    (folder / "other.pkl").symlink_to(folder / "model.pkl")
    return folder / "model.pkl"


def _folder(folder: Path) -> Path:
    (folder / "model.pkl").mkdir()
    return folder / "model.pkl"


def _broken_sparse() -> object:
    matrix = model()["J_regressor"]
    matrix.indices = matrix.indices + 4
    return matrix


def _smpl() -> dict:
    return {
        "v_template": np.zeros((6890, 3)), "f": np.zeros((13776, 3), np.uint32), "weights": np.zeros((6890, 24)),
        "shapedirs": np.zeros((6890, 3, 10)), "posedirs": np.zeros((6890, 3, 207)), "J_regressor": np.zeros((24, 6890)),
        "kintree_table": np.zeros((2, 24), np.int64),
    }  # fmt: skip


def _touch_line(folder: Path) -> bytes:
    """The command as a Python 2 string in a pickle."""
    return b"S'" + _touch(folder).encode() + b"'\n"


def _system(folder: Path) -> _Calls:
    return _Calls(os.system, _touch(folder))


# Files that run `touch MARKER` in whatever unpickles them without care: the writer, and what is refused.
CODE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "reduce": (_dumped(_system), "posix.system"),
    "reduce in a good model": (_dumped(lambda f: model(v_template=_system(f))), "posix.system"),
    "popped before a good model": (
        _raw(lambda f: b"\x80\x04cos\nsystem\n(" + _touch_line(f) + b"tR0" + pickle.dumps(model(), 4)[2:]),
        "os.system",
    ),
    "global eval": (
        _raw(lambda f: b"c__builtin__\neval\n(S'__import__(\"os\").system(\"" + _touch(f).encode() + b"\")'\ntR."),
        "__builtin__.eval",
    ),
    "stack global": (_dumped(lambda f: _Calls(exec, f"import os; os.system('{_touch(f)}')"), 4), "builtins.exec"),
    "inst": (_raw(lambda f: b"(" + _touch_line(f) + b"ios\nsystem\n."), "os.system"),
    "obj": (_raw(lambda f: b"(cposix\nsystem\n" + _touch_line(f) + b"o."), "posix.system"),
    "subprocess": (_dumped(lambda f: _Calls(subprocess.Popen, ["touch", str(f / MARKER)]), 4), "subprocess.Popen"),
    "getattr chain": (
        _raw(lambda f: b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR("
             + _touch_line(f) + b"tR."),
        "__builtin__.getattr",
    ),
    "build of a partial": (
        _raw(lambda f: b"\x80\x02cfunctools\npartial\nc__builtin__\nprint\n\x85\x81(cos\nsystem\n("
             + _touch_line(f) + b"t}Ntb)R."),
        "functools.partial",
    ),
    "object npy": (_raw(lambda f: _npy(np.array({"v_template": _system(f)}, object)), "model.npy"), "posix.system"),
    "object in npz": (_zip(lambda f: {"f.npy": _npy(np.array(_system(f), object))}), "posix.system"),
    "torch zip": (
        _zip(lambda f: {"m/data.pkl": pickle.dumps(_system(f), 2), "m/version": b"3\n", "m/byteorder": b"little"},
             "model.pt"),
        "posix.system",
    ),
    "torch file in a storage": (_dumped(_nested_torch), "posix.system"),
}  # fmt: skip

_SHAPE = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"

# Everything else that is not to be believed: the writer, and a part of what is said.
BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    # Names and opcodes.
    "unknown class": (_raw(b"\x80\x02cunittest.mock\nMock\n)\x81}b."), "unittest.mock.Mock"),
    "numpy runs strings": (_raw(b"cnumpy.testing._private.utils\nrunstring\n."), "numpy.testing._private.utils.runst"),
    "array of another class": (
        _raw(b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nobject\nK\x00\x85C\x01btR."), "not NumPy's own"),
    "state of a dict": (_raw(b"\x80\x02}}b."), "sets the state of a dict"),
    "state of a label": (_raw(b"\x80\x02cnumpy\nndarray\n}b."), "sets the state of a numpy.ndarray"),
    "call of a number": (_raw(b"\x80\x02K\x01)R."), "calls a int"),
    "call of a label": (_raw(b"\x80\x02cnumpy\nndarray\n)R."), "calls numpy.ndarray"),
    "newobj_ex": (_raw(b"\x80\x04ccollections\nOrderedDict\n)}\x92."), "instance of collections.OrderedDict"),
    "extension": (_raw(b"\x80\x02\x82\x01."), "extension code"),
    "persistent id": (_raw(b"\x80\x02}Pmodel\n."), "persistent id"),
    "outside buffer": (_raw(b"\x80\x05\x97."), "buffers outside"),
    "undefined opcode": (_raw(b"\x80\x02\xff."), "opcode ff"),
    "protocol 9": (_raw(b"\x80\x09}."), "protocol 9"),
    "list as a key": (_raw(b"\x80\x02}]K\x01s."), "a list as a key"),
    "append to a number": (_raw(b"\x80\x02K\x01K\x02a."), "fills a int as if it were a list"),
    "empty memo": (_raw(b"\x80\x02h\x07."), "memo 7 is empty"),
    "empty stack": (_raw(b"\x80\x02R."), "pop from empty list"),
    # Bombs.
    "nested lists": (_raw(b"(" + b"]" * 400_000 + b"."), "more than 300000 steps"),
    "laughs": (_dumped(lambda _: model(v_template=_laughs())), "something other than numbers"),
    "many entries": (_raw(b"\x80\x02}(" + b"".join(b"M" + struct.pack("<H", i) + b"N" for i in range(5000)) + b"u."),
                     "more than 4096 entries"),
    "long integer": (_raw(b"\x80\x02\x8b\xff\xff\xff\x7f" + b"\xff" * 3000), "an integer of 2147483647 bytes"),
    "long decimal": (_raw(b"(I" + b"9" * 5000 + b"\n."), "a malformed integer"),
    "promised string": (_raw(b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"x."), "ends before its pickle does"),
    "promised frame": (_raw(b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N."), "ends before its pickle does"),
    "truncated": (lambda f: _cut(_changed()(f), 0.6), "ends before its pickle does"),
    "stretched tensor": (_zip(lambda _: _stretched_tensor(), "model.pt"), "more than 1024 MB"),
    "zip bomb": (_zip(lambda _: {"v_template.npy": _npy(np.zeros(1 << 20))}, packed=True), "-fold"),
    "many members": (_zip(lambda _: {f"{i}.npy": b"" for i in range(1300)}), "1300 members"),
    # Arrays.
    "huge shape": (_raw(_array((100_000, 100_000), "<f8", b"\0" * 80)), "(100000, 100000) and type float64 with 80"),
    "huge side": (_raw(_array((1 << 40,), "<f8", b"\0" * 80)), "shape (1099511627776,)"),
    "negative side": (_raw(_array((-5, 3), "<f8", b"\0" * 80)), "shape (-5, 3)"),
    "objects as raw data": (_raw(_array((10,), object, b"\0" * 80)), "whose number is not"),
    "structure": (_raw(_array((5,), [("a", "<f8")], b"\0" * 40)), "type V8"),
    "metadata": (_raw(_array((5,), "f8", b"\0" * 40, _dtype_with(
        b"(K\x04X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}t"))), "alignment or metadata"),
    "alignment": (_raw(_array((5,), "f8", b"\0" * 40, _dtype_with(
        b"(K\x03X\x01\x00\x00\x00<NNNK\x10K\x10K\x00t"))), "fields, alignment"),
    "complex numbers": (_raw(_array((5,), "<c16", b"\0" * 80)), "type c16"),
    "broken sparse": (lambda f: pickled(model(J_regressor=_broken_sparse()), f / "m.pkl"), "outside its shape"),
    "text beyond Unicode": (_raw(_array((2,), "<U1", b"\xff" * 8)), "text that is none"),
    "header is code": (_raw(_npy_with("__import__('os').system('true')"), "m.npy"), ".npy header is not"),
    "header lies": (_raw(_npy_with(_SHAPE % "5023, 3", b"\0" * 24), "m.npy"), "needs 120552 bytes and has 24"),
    "header negative": (_raw(_npy_with(_SHAPE % "-5, 3"), "m.npy"), ".npy header is not"),
    # Archives and what is no model file.
    "traversal": (_zip(lambda _: {"../../v_template.npy": b""}), "a member called ../../v_template.npy"),
    "absolute": (_zip(lambda _: {"/etc/v_template.npy": b""}), "a member called /etc"),
    "archive of the model": (_zip(lambda _: {"FLAME2020/generic_model.pkl": b"x"}), "generic_model.pkl inside"),
    "torn zip": (lambda f: _cut(_npz(**model_dict(**SMALL))(f), 0.9), "damaged zip file"),
    "flipped zip": (lambda f: _flipped(_npz(**model_dict(**SMALL))(f)), "Bad CRC-32"),
    "gzip": (_raw(gzip.compress(b"x" * 100)), "compressed with gzip"),
    "login page": (_raw(b"\n<!DOCTYPE html><html><body>Sign in</body></html>"), "web page"),
    "lfs pointer": (_raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "git-lfs"),
    "text": (_raw(b"This is no model.\n"), "no head model, no pickle"),
    "empty": (_raw(b""), "file is empty"),
    "folder": (_folder, "a folder"),
    "pipe": (_fifo, "a pipe"),
    "links in a circle": (_loop, "Cannot be opened"),
    "missing": (lambda f: f / "model.pkl", "No such file"),
    # Models that are none, or damaged.
    "SMPL": (_dumped(lambda _: _smpl()), "expected 5023 vertices, found 6890 (an SMPL body)"),
    "landmarks": (_dumped(lambda _: deca_embedding()), "landmark embedding"),
    "masks": (_dumped(lambda _: masks()), "FLAME's masks"),
    "texture": (_npz(mean=np.zeros(3), tex_dir=np.zeros(3)), "texture model"),
    "motion": (_npz(exp=np.zeros((5, 50)), pose=np.zeros((5, 6))), "recorded motion"),
    "one array": (_raw(_npy(np.zeros((5023, 3))), "m.npy"), "a single array"),
    "no weights": (_changed(weights=None), "it has no weights"),
    "NaN": (_wrong("v_template", lambda v: _put(v, (7, 1), np.nan)), "v_template holds NaN"),
    "infinity in a basis": (_wrong("shapedirs", lambda v: _put(v, (7, 1, 0), np.inf)), "shapedirs holds NaN"),
    "wrong endianness": (_wrong("v_template", lambda v: v.byteswap()), "v_template"),
    "millimetres": (_wrong("v_template", lambda v: v * 1000), "no head in metres"),
    "faces": (_wrong("f", lambda f: _put(f, (3, 0), 5023)), "f points outside"),
    "fewer faces": (_wrong("f", lambda f: f[:9000]), "f has shape (9000, 3)"),
    "weights": (_wrong("weights", lambda w: w * 0.9), "do not sum to one"),
    "kintree": (_wrong("kintree_table", lambda k: _put(k, (0, 3), 2)), "kintree_table has parents [-1, 0, 1, 2, 1]"),
    "other pose": (_changed(bs_type="quaternion"), "bs_type is quaternion"),
    "short posedirs": (_wrong("posedirs", lambda p: p[..., :27]), "posedirs has shape (5023, 3, 27)"),
    "regressor": (_changed(J_regressor=np.full((5, 5023), 0.01)), "joints outside"),
    "text for numbers": (_changed(v_template="5023 x 3"), "v_template is no list of places"),
    "undivided components": (_changed(supr_expression_metadata=None), "does not say which are expressions"),
    "wrong division": (
        _changed(supr_expression_metadata={"n_expr": 5, "expr_components": "last_5"}), "5 of them cannot be"),
}  # fmt: skip


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def _flipped(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    return path
