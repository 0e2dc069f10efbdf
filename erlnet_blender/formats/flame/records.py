"""What the objects in FLAME's pickles become: arrays, sparse matrices and chumpy's wrappers, none of them live.

How NumPy, SciPy and chumpy lay out their pickled states follows their public ``__reduce__`` and ``__getstate__``.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .budget import Budget, shown
from .pickle_machine import Known, Record

_MAX_DIMENSIONS = 8
_MAX_SIDE = 1 << 31
_DESCRIPTION = re.compile(r"[<>|=]?([biufSUO])([0-9]{0,3})")
_NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
_MAX_TEXT = 256


def numeric_dtype(description: object, budget: Budget) -> np.dtype:
    """A plain dtype of numbers or short text from NumPy's short notation, e.g. ``<f8``; ``O`` for objects."""
    text = description.decode("latin-1") if isinstance(description, bytes) else str(description)
    match = _DESCRIPTION.fullmatch(text)
    if match is None:
        budget.refuse(f"it holds an array of type {shown(text, 24)}, known are plain numbers and text")
    kind, size = match.groups()
    fits = kind + size in _NUMBERS or (kind in "SU" and size.isdigit() and int(size) <= _MAX_TEXT)
    if not fits and kind + size not in ("O", "O8", "O4"):
        budget.refuse(f"it holds an array of type {shown(text, 24)}, known are plain numbers and text")
    return np.dtype(object) if kind == "O" else np.dtype(text)


def checked_shape(shape: Any, budget: Budget) -> tuple[int, ...]:
    """A shape whose sides are small whole numbers."""
    if not isinstance(shape, (tuple, list)) or len(shape) > _MAX_DIMENSIONS:
        budget.refuse(f"it holds an array of no or more than {_MAX_DIMENSIONS} dimensions")
    sides: list = list(shape)
    if not all(type(side) is int and 0 <= side < _MAX_SIDE for side in sides):
        budget.refuse(f"it holds an array of shape {shown(tuple(map(_side, sides)))}")
    return tuple(sides)


def _is_tuple(value: Any, *lengths: int) -> bool:
    return isinstance(value, tuple) and len(value) in lengths


def _side(value: object) -> object:
    return value if isinstance(value, int) and abs(value) < 10**20 else "…"


class DtypeRecord(Record):
    """``numpy.dtype``: `value` is set; structure, alignment and metadata are refused."""

    def __init__(self, arguments: tuple, budget: Budget) -> None:
        if not _is_tuple(arguments, 1, 2, 3) or not isinstance(arguments[0], (str, bytes)):
            budget.refuse("it makes a NumPy type from something other than its name")
        self.value = numeric_dtype(arguments[0], budget)

    def build(self, state: Any, budget: Budget) -> None:
        """(version, byte order, subtype, names, fields, size, alignment, flags[, metadata])."""
        if not _is_tuple(state, 8, 9) or state[1] not in ("<", ">", "|", "="):
            budget.refuse("it holds a NumPy type in a layout that is not known")
        plain = self.value.kind in "SUO" or state[5:8] in ((-1, -1, 0), (-1, -1, 0.0))
        if any(part is not None for part in (*state[2:5], *state[8:])) or not plain:
            budget.refuse("it holds a NumPy type with fields, alignment or metadata")
        if self.value.kind != "O":
            self.value = self.value.newbyteorder(state[1])


class ArrayRecord(Record):
    """``numpy.ndarray``: `array` for numbers and text, `items` and `shape` for Python objects."""

    def __init__(self) -> None:
        self.array: np.ndarray | None = None
        self.items: list | None = None
        self.shape: tuple[int, ...] = ()

    def build(self, state: Any, budget: Budget) -> None:
        """(version, shape, dtype, Fortran order, data)."""
        if not _is_tuple(state, 5) or not isinstance(state[2], DtypeRecord):
            budget.refuse("it holds an array in a layout that is not known")
        _, shape, dtype, fortran, data = state
        self.fill(data, dtype.value, shape, "F" if fortran else "C", budget)

    def fill(self, data: Any, dtype: np.dtype, shape: Any, order: str, budget: Budget) -> None:
        """Take over raw data, or the list of objects if `dtype` is one of objects."""
        self.shape = checked_shape(shape, budget)
        count = math.prod(self.shape)
        if dtype.kind == "O":
            if not isinstance(data, list) or len(data) != count:
                budget.refuse("it holds an array of objects whose number is not what its shape says")
            self.items = data
            return
        if not isinstance(data, (str, bytes)) or len(data) != count * dtype.itemsize:
            held = f"{len(data)} bytes" if isinstance(data, (str, bytes)) else f"a {type(data).__name__}"
            budget.refuse(f"it holds an array of shape {self.shape} and type {dtype} with {held} of data")
        budget.spend(2 * len(data))
        raw = data.encode("latin-1") if isinstance(data, str) else data
        if dtype.kind == "U" and (np.frombuffer(raw, np.dtype("u4").newbyteorder(dtype.byteorder)) > 0x10FFFF).any():
            budget.refuse("it holds text that is none")  # Python's own strings trust NumPy here
        array = np.frombuffer(raw, dtype).reshape(self.shape, order=order)  # type: ignore[call-overload]
        self.array = array.astype(dtype.newbyteorder("="), copy=False)


class ArraySource(Record):
    """An object that stands for an array and is turned into one when everything has been read."""

    def to_array(self, budget: Budget) -> np.ndarray:
        """The array, checked."""
        raise NotImplementedError


class SparseRecord(ArraySource):
    """``scipy.sparse`` matrices of compressed columns or rows."""

    def __init__(self, by_column: bool) -> None:
        self.by_column, self.state = by_column, {}

    def build(self, state: Any, budget: Budget) -> None:
        """A dictionary with data, indices, indptr and _shape."""
        if not isinstance(state, dict):
            budget.refuse("it holds a sparse matrix in a layout that is not known")
        self.state = state

    def to_array(self, budget: Budget) -> np.ndarray:
        """The matrix with its zeros."""
        data, indices, starts = (_member(self.state, name, budget) for name in ("data", "indices", "indptr"))
        rows, columns = (*checked_shape(self.state.get("_shape", self.state.get("shape")), budget), 0, 0)[:2]
        major = columns if self.by_column else rows
        steps = np.diff(starts)
        fits = starts.shape == (major + 1,) and data.shape == indices.shape == (len(data),)
        fits = fits and indices.dtype.kind in "iu" and starts.dtype.kind in "iu"
        if not fits or starts[0] != 0 or starts[-1] != len(data) or (steps < 0).any():
            budget.refuse("it holds a sparse matrix whose parts do not fit together")
        if len(data) and (indices.min() < 0 or indices.max() >= (rows if self.by_column else columns)):
            budget.refuse("it holds a sparse matrix with entries outside its shape")
        budget.spend(8 * rows * columns)
        matrix = np.zeros((rows, columns))
        other = np.repeat(np.arange(major), steps)
        np.add.at(matrix, (indices, other) if self.by_column else (other, indices), data)
        return matrix


def _member(state: dict, name: str, budget: Budget) -> np.ndarray:
    value = state.get(name)
    if not isinstance(value, ArrayRecord) or value.array is None or value.array.ndim != 1:
        budget.refuse(f"it holds a sparse matrix without {name}")
    return value.array


class ChumpyRecord(Record):
    """chumpy's ``Ch`` (its array is the state's x) and ``Select`` (some entries of another one)."""

    def __init__(self) -> None:
        self.state: dict = {}

    def build(self, state: Any, budget: Budget) -> None:
        """A dictionary: the instance's attributes."""
        if not isinstance(state, dict):
            budget.refuse("it holds a chumpy object in a layout that is not known")
        self.state = state


def as_array(value: Any, budget: Budget, what: str) -> np.ndarray:
    """Anything array-like out of a file as a NumPy array of numbers or text.

    Args:
        what: the name of the value, for messages.
    """
    for _ in range(4):  # chumpy wraps arrays, arrays of no dimensions wrap objects
        if isinstance(value, ChumpyRecord):
            if "a" in value.state:
                return _selected(value.state, budget, what)
            if "x" not in value.state:
                budget.refuse(f"its {what} is a chumpy object without x")
            value = value.state["x"]
        elif isinstance(value, ArrayRecord) and value.items is not None and value.shape == ():
            value = value.items[0]
    if isinstance(value, ArraySource):
        return value.to_array(budget)
    if isinstance(value, ArrayRecord):
        if value.items is not None:
            return _from_numbers(value.items, budget, what).reshape(value.shape or -1)
        if value.array is not None:
            return value.array
        budget.refuse(f"its {what} is an array that was never filled")
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (int, float, str, bool)):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return _from_list(value, budget, what)
    budget.refuse(f"its {what} is a {type(value).__name__} and no array")


def _selected(state: dict, budget: Budget, what: str) -> np.ndarray:
    """chumpy's Select: entries `idxs` of the array under `a`, in `preferred_shape`."""
    inner = state["a"].state if isinstance(state["a"], ChumpyRecord) else {}
    if "x" not in inner or "idxs" not in state:
        budget.refuse(f"its {what} selects from something other than an array")
    source = as_array(inner["x"], budget, what).ravel()
    places = as_array(state["idxs"], budget, what).ravel()
    if places.dtype.kind not in "iu" or (len(places) and (places.min() < 0 or places.max() >= len(source))):
        budget.refuse(f"its {what} selects entries that are not there")
    budget.spend(8 * len(places))
    shape = state.get("preferred_shape")
    return source[places].reshape(checked_shape(shape, budget) if isinstance(shape, (tuple, list)) else -1)


def _from_list(value: list | tuple, budget: Budget, what: str) -> np.ndarray:
    """Numbers in up to three levels of lists of equal lengths; counted while they are copied."""
    shape, level = [len(value)], list(value)
    while level and isinstance(level[0], (list, tuple)) and len(shape) < 3:
        width = len(level[0])
        if any(not isinstance(item, (list, tuple)) or len(item) != width for item in level):
            budget.refuse(f"its {what} is a list of lists of different lengths")
        budget.step(width * len(level))
        shape.append(width)
        level = [entry for item in level for entry in item]
    return _from_numbers(level, budget, what).reshape(shape)


def _from_numbers(items: list, budget: Budget, what: str) -> np.ndarray:
    budget.step(len(items))
    budget.spend(8 * len(items))
    plain = [item.reshape(-1)[0] if isinstance(item, np.ndarray) and item.size == 1 else item for item in items]
    if not all(isinstance(item, (int, float, np.number)) and abs(item) < 2**62 for item in plain):
        budget.refuse(f"its {what} is a list of something other than numbers")
    return np.array(plain)


def text_of(value: Any) -> str:
    """A short text out of a file, however it was wrapped; empty if it is none."""
    if isinstance(value, ArrayRecord):
        value = value.array if value.array is not None else (value.items or [""])[0]
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return shown(value) if isinstance(value, str) else ""


def _reconstruct(arguments: tuple, budget: Budget) -> ArrayRecord:
    if not arguments or not isinstance(arguments[0], Known) or arguments[0].name != "numpy.ndarray":
        budget.refuse("it makes an array of a class that is not NumPy's own")
    return ArrayRecord()


def _scalar(arguments: tuple, budget: Budget) -> Any:
    if len(arguments) != 2 or not isinstance(arguments[0], DtypeRecord) or arguments[0].value.kind == "O":
        budget.refuse("it holds a NumPy number in a layout that is not known")
    record = ArrayRecord()
    record.fill(arguments[1], arguments[0].value, (), "C", budget)
    return record.array.item()  # type: ignore[union-attr]


def _from_buffer(arguments: tuple, budget: Budget) -> ArrayRecord:
    if len(arguments) != 4 or not isinstance(arguments[1], DtypeRecord) or arguments[3] not in ("C", "F"):
        budget.refuse("it holds an array in a layout that is not known")
    data, dtype, shape, order = arguments
    record = ArrayRecord()
    record.fill(data, dtype.value, shape, order, budget)
    return record


def _encode(arguments: tuple, budget: Budget) -> bytes:
    if len(arguments) != 2 or not isinstance(arguments[0], str) or arguments[1] not in ("latin1", "latin-1"):
        budget.refuse("it encodes text as no FLAME file does")
    budget.spend(len(arguments[0]))
    return arguments[0].encode("latin-1")


def _reconstructor(arguments: tuple, budget: Budget) -> Record:
    target = arguments[0] if arguments else None
    if not isinstance(target, Known) or target.blank is None or arguments[2:] != (None,):
        budget.refuse("it makes an object as no FLAME file does")
    return target.blank()


def _one_list(arguments: tuple, budget: Budget) -> list:
    if len(arguments) > 1 or not isinstance(arguments[0] if arguments else [], (list, tuple)):
        budget.refuse("it fills a set with something other than a list")
    items = list(arguments[0]) if arguments else []
    budget.step(len(items))
    if len(items) > 4096 or not all(isinstance(item, (str, bytes, int, float, type(None))) for item in items):
        budget.refuse("it fills a set with something other than a few names")
    return items


def _ordered(arguments: tuple, budget: Budget) -> dict:
    if arguments not in ((), ([],)):
        budget.refuse("it fills an ordered dictionary as no FLAME file does")
    return {}


def _no_bytes(arguments: tuple, budget: Budget) -> bytes:
    if arguments:
        budget.refuse("it makes bytes as no FLAME file does")
    return b""


def _make_table() -> dict[tuple[str, str], Known]:
    table: dict[tuple[str, str], Known] = {}

    def know(modules: str, name: str, make: Any = None, blank: Any = None) -> None:
        first = modules.split()[0]
        for module in modules.split():
            table[module, name] = Known(f"{first}.{name}", make, blank)

    know("numpy", "ndarray")
    know("numpy", "dtype", DtypeRecord)
    know("numpy.core.multiarray numpy._core.multiarray", "_reconstruct", _reconstruct)
    know("numpy.core.multiarray numpy._core.multiarray", "scalar", _scalar)
    know("numpy.core.numeric numpy._core.numeric", "_frombuffer", _from_buffer)
    know("_codecs", "encode", _encode)
    know("copy_reg copyreg", "_reconstructor", _reconstructor)
    know("__builtin__ builtins", "object")
    know("__builtin__ builtins", "bytes", _no_bytes)
    know("__builtin__ builtins", "set", lambda a, b: set(_one_list(a, b)))
    know("__builtin__ builtins", "frozenset", lambda a, b: frozenset(_one_list(a, b)))
    know("collections", "OrderedDict", _ordered)
    know("chumpy.ch", "Ch", None, ChumpyRecord)
    know("chumpy.reordering", "Select", None, ChumpyRecord)
    for form in ("matrix", "array"):
        know("scipy.sparse.csc scipy.sparse._csc", f"csc_{form}", None, lambda: SparseRecord(True))
        know("scipy.sparse.csr scipy.sparse._csr", f"csr_{form}", None, lambda: SparseRecord(False))
    return table


KNOWN = _make_table()
