"""Tensors without torch: the names that torch pickles, its files (zip, and the older stream), their storages.

Layouts follow torch/serialization.py and torch/_utils.py: a tensor is a storage with an offset, a size and
strides; a storage is a persistent id in the pickle, with its numbers in a member of the archive.
"""

from __future__ import annotations

import io
import math
from typing import Any, BinaryIO

import numpy as np

from .budget import Budget, shown
from .pickle_machine import Known, Record, unpickle
from .records import KNOWN, ArraySource, checked_shape

_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "|b1",
}  # fmt: skip
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MAX_STORAGES = 256


class Storage(Record):
    """Numbers in a row; in the older stream they follow after the tensors that look at them."""

    def __init__(self, dtype: np.dtype, count: int) -> None:
        self.dtype, self.count = dtype, count
        self.numbers: np.ndarray | None = None

    def build(self, state: Any, budget: Budget) -> None:
        budget.refuse("it sets the state of a tensor's storage")

    def fill(self, raw: bytes, budget: Budget) -> None:
        """Take the numbers over."""
        if len(raw) != self.count * self.dtype.itemsize:
            budget.refuse(f"a tensor's storage should hold {self.count} numbers and has {len(raw)} bytes")
        self.numbers = np.frombuffer(raw, self.dtype)


class TensorRecord(ArraySource):
    """A tensor whose storage may be filled later."""

    def __init__(self, storage: Storage, offset: int, size: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.size, self.strides = storage, offset, size, strides

    def build(self, state: Any, budget: Budget) -> None:
        budget.refuse("it sets the state of a tensor")

    def to_array(self, budget: Budget) -> np.ndarray:
        """A copy of the numbers, in the tensor's shape."""
        numbers = self.storage.numbers
        if numbers is None:
            budget.refuse("a tensor has no storage")
        reach = self.offset + sum((side - 1) * step for side, step in zip(self.size, self.strides, strict=True))
        empty = 0 in self.size
        if not empty and reach >= len(numbers):
            budget.refuse(f"a tensor of shape {self.size} reaches outside its storage of {len(numbers)} numbers")
        item = numbers.dtype.itemsize
        budget.spend(math.prod(self.size) * item)
        if empty:
            return np.zeros(self.size, numbers.dtype)
        steps = [step * item for step in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.size, steps, writeable=False).copy()


def _tensor(arguments: tuple, budget: Budget) -> TensorRecord:
    if len(arguments) < 4 or not isinstance(arguments[0], Storage) or type(arguments[1]) is not int:
        budget.refuse("it holds a tensor in a layout that is not known")
    size, strides = checked_shape(arguments[2], budget), checked_shape(arguments[3], budget)
    if len(size) != len(strides) or arguments[1] < 0:
        budget.refuse("it holds a tensor in a layout that is not known")
    return TensorRecord(arguments[0], arguments[1], size, strides)


def _parameter(arguments: tuple, budget: Budget) -> TensorRecord:
    if not arguments or not isinstance(arguments[0], TensorRecord):
        budget.refuse("it holds a parameter in a layout that is not known")
    return arguments[0]


def _size(arguments: tuple, budget: Budget) -> tuple[int, ...]:
    return checked_shape(arguments[0] if arguments else (), budget)


def _from_bytes(arguments: tuple, budget: Budget) -> Storage:
    """A storage that was pickled without torch.save: the older stream in a string."""
    if len(arguments) != 1 or not isinstance(arguments[0], (bytes, str)):
        budget.refuse("it holds a tensor's storage in a layout that is not known")
    raw = arguments[0]
    budget.spend(len(raw))
    found = read_stream(io.BytesIO(raw.encode("latin-1") if isinstance(raw, str) else raw), budget)
    if not isinstance(found, Storage):
        budget.refuse("it holds a tensor's storage in a layout that is not known")
    return found


def _tensor_names() -> dict[tuple[str, str], Known]:
    table = {
        ("torch._utils", "_rebuild_tensor_v2"): Known("torch._utils._rebuild_tensor_v2", _tensor),
        ("torch._utils", "_rebuild_tensor"): Known("torch._utils._rebuild_tensor", _tensor),
        ("torch._utils", "_rebuild_parameter"): Known("torch._utils._rebuild_parameter", _parameter),
        ("torch", "Size"): Known("torch.Size", _size),
    }
    for name in _STORAGES:
        table["torch", name] = Known(f"torch.{name}")
    return table


# Inside torch's own files; and inside pickles of others, which may hold such a file once, as a string.
INSIDE = KNOWN | _tensor_names()
ALL_KNOWN = INSIDE | {
    ("torch.storage", "_load_from_bytes"): Known("torch.storage._load_from_bytes", _from_bytes),
}


def _storage_of(key: Any, budget: Budget, found: dict[str, Storage]) -> Storage:
    """What a persistent id ('storage', class, key, device, count[, view]) stands for."""
    fits = isinstance(key, tuple) and len(key) in (5, 6) and key[0] == "storage" and isinstance(key[1], Known)
    if not fits or not isinstance(key[2], str) or type(key[4]) is not int or not 0 <= key[4] < 1 << 31:
        budget.refuse("it holds a tensor's storage in a layout that is not known")
    if len(key) == 6 and key[5] is not None:
        budget.refuse("it holds a tensor that looks at a part of another's storage")
    dtype = _STORAGES.get(key[1].name.removeprefix("torch."))
    if dtype is None or len(found) >= _MAX_STORAGES:
        budget.refuse(f"it holds a tensor's storage of type {shown(key[1].name)}, or too many of them")
    storage = found.setdefault(key[2], Storage(np.dtype(dtype), key[4]))
    if storage.dtype != np.dtype(dtype) or storage.count != key[4]:
        budget.refuse("two tensors disagree on their storage")
    return storage


def read_stream(file: BinaryIO, budget: Budget) -> Any:
    """The object in torch's older file: five pickles, then the numbers of each storage after their count."""
    if unpickle(file, {}, budget) != _MAGIC or unpickle(file, {}, budget) != _PROTOCOL:
        budget.refuse("it is no file of torch")
    system = unpickle(file, {}, budget)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        budget.refuse("its tensors were written by a big-endian machine")
    found: dict[str, Storage] = {}
    value = unpickle(file, INSIDE, budget, lambda key: _storage_of(key, budget, found))
    keys = unpickle(file, {}, budget)
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in found for key in keys):
        budget.refuse("its list of storages is damaged")
    for key in keys:
        size = found[key].count * found[key].dtype.itemsize
        if int.from_bytes(file.read(8), "little") != found[key].count:
            budget.refuse("a tensor's storage has another length than its pickle says")
        budget.spend(size)
        found[key].fill(file.read(size), budget)
    return value


def read_members(members: dict[str, bytes], budget: Budget) -> Any:
    """The object in torch's zip file, from its members by name: FOLDER/data.pkl, FOLDER/data/KEY."""
    pickle_name = next(name for name in members if name.endswith("/data.pkl"))
    folder = pickle_name.removesuffix("data.pkl")
    if members.get(f"{folder}byteorder", b"little").strip() != b"little":
        budget.refuse("its tensors were written by a big-endian machine")
    found: dict[str, Storage] = {}
    value = unpickle(io.BytesIO(members[pickle_name]), INSIDE, budget, lambda key: _storage_of(key, budget, found))
    for key, storage in found.items():
        storage.fill(members.get(f"{folder}data/{key}", b""), budget)
    return value
