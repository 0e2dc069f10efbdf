"""Which kind of file it is, told from its first bytes, and what is in it: pickle, .npy, .npz or torch's zip."""

from __future__ import annotations

import io
import math
import os
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import ErlnetError
from .budget import MAX_FILE_BYTES, Budget, shown
from .pickle_machine import unpickle
from .records import ArrayRecord, checked_shape, numeric_dtype
from .torch_files import ALL_KNOWN, read_members

_NPY = b"\x93NUMPY"
_MAX_MEMBERS = 1200  # torch's file has one for each tensor
_MAX_HEADER = 4096
# What NumPy writes in front of an array, in this order and no other.
_HEADER = re.compile(
    r"\{'descr': '([^']{1,16})', 'fortran_order': (True|False), 'shape': \(([0-9, L]{0,120})\),? ?\}\s*"
)
# First bytes of files that people take for the model, and what to say.
_MISTAKEN = (
    (rb"\s*<(!doctype|html|\?xml)", "it is a web page, most likely the login form", "log in and download it again"),
    (rb"version https://git-lfs", "it is a pointer of git-lfs and not the file itself", "run `git lfs pull` there"),
    (rb"\x1f\x8b", "it is compressed with gzip", "unpack it first"),
    (rb"BZh[1-9]", "it is compressed with bzip2", "unpack it first"),
    (rb"\xfd7zXZ", "it is compressed with xz", "unpack it first"),
    (rb"7z\xbc\xaf|Rar!", "it is an archive", "unpack it first"),
    (rb"\x89HDF", "it is an HDF5 file", ""),
    (rb"%PDF", "it is a PDF", ""),
)


def open_regular(path: Path) -> BinaryIO:
    """Open a file that is one: no folder, pipe or device, not empty, not too large.

    Raises:
        ErlnetError: it is not, or cannot be opened.
    """
    try:
        kind = os.stat(path)
        if stat.S_ISDIR(kind.st_mode):
            raise ErlnetError("This is a folder", path, "choose the model file in it")
        if not stat.S_ISREG(kind.st_mode):
            raise ErlnetError("This is a pipe or a device and no file", path, "choose the model file")
        # Should it have become a pipe since, opening must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise ErlnetError(f"Cannot be opened ({getattr(error, 'strerror', error)})", path, "check the path") from error
    file = os.fdopen(handle, "rb")
    kind = os.fstat(handle)
    if not stat.S_ISREG(kind.st_mode) or not 0 < kind.st_size <= MAX_FILE_BYTES:
        file.close()
        what = "The file is empty" if kind.st_size == 0 else f"Larger than {MAX_FILE_BYTES >> 20} MB"
        raise ErlnetError(what, path, "download it again" if kind.st_size == 0 else "choose the model file")
    return file


def read_contents(file: BinaryIO, budget: Budget) -> Any:
    """What a file holds: a dictionary, a record or an array. Nothing of it is run.

    Raises:
        ErlnetError: another kind of file, or refused.
    """
    start = file.read(64)
    file.seek(0)
    for pattern, what, remedy in _MISTAKEN:
        if re.match(pattern, start, re.IGNORECASE):
            budget.refuse(what, remedy or "choose the model file as its makers hand it out")
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(file, budget)
    if start.startswith(_NPY):
        return _plain(read_npy(file, budget))
    if start[:1] == b"\x80" or re.match(rb"[(}\]c]", start):
        return _plain(unpickle(file, ALL_KNOWN, budget))
    budget.refuse("it is no head model, no pickle, .npy, .npz or .pt file at all")


def _plain(value: Any) -> Any:
    """An array of no dimensions that wraps one object, as np.save makes of a dictionary, is that object."""
    if isinstance(value, ArrayRecord) and value.items is not None and value.shape == ():
        return value.items[0]
    return value


def read_npy(file: BinaryIO, budget: Budget) -> Any:
    """An array from a .npy stream; where it holds Python objects, the record that its pickle describes."""
    version = file.read(8)[6:]
    width = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}.get(version)
    length = int.from_bytes(file.read(width or 0), "little")
    header = file.read(min(length, _MAX_HEADER)).decode("latin-1")
    match = _HEADER.fullmatch(header) if width and length <= _MAX_HEADER else None
    if match is None:
        budget.refuse(f"its .npy header is not what NumPy writes: {shown(header.strip()) or 'nothing'}")
    description, fortran, sides = match.groups()
    dtype = numeric_dtype(description, budget)
    numbers = [side.strip(" L") for side in sides.split(",") if side.strip(" L")]
    if not all(number.isdigit() and len(number) <= 18 for number in numbers):
        budget.refuse(f"its .npy header has a shape of {shown(sides)}")
    shape = checked_shape(tuple(map(int, numbers)), budget)
    if dtype.kind == "O":
        return unpickle(file, ALL_KNOWN, budget)
    size = math.prod(shape) * dtype.itemsize
    here = file.tell()
    held = file.seek(0, os.SEEK_END) - here
    file.seek(here)
    if held < size:
        budget.refuse(f"its array of shape {shape} needs {size} bytes and has {held}", "download it again")
    record = ArrayRecord()
    budget.spend(size)
    record.fill(file.read(size), dtype, shape, "F" if fortran == "True" else "C", budget)
    return record


def _read_zip(file: BinaryIO, budget: Budget) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _check_members(infos, budget)
            names = [info.filename for info in infos]
            wanted = [info for info in infos if not info.is_dir()]
            if any(name.endswith("/data.pkl") for name in names):
                return read_members({info.filename: _member(archive, info, budget) for info in wanted}, budget)
            arrays = [info for info in wanted if info.filename.endswith(".npy")]
            if not arrays:
                inside = next((name for name in names if name.endswith((".pkl", ".npz", ".npy", ".pt"))), "")
                found = f"with {shown(inside)} inside" if inside else "without a model inside"
                budget.refuse(f"it is an archive {found}", "unpack it and choose the model file in it")
            values = {}
            for info in arrays:
                member = io.BytesIO(_member(archive, info, budget))
                if member.getbuffer()[:6] != _NPY:
                    budget.refuse(f"its member {shown(info.filename)} is no .npy file")
                values[info.filename.removesuffix(".npy")] = _plain(read_npy(member, budget))
            return values
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        budget.refuse(f"it is a damaged zip file ({shown(error)})", "download it again")


def _check_members(infos: list[zipfile.ZipInfo], budget: Budget) -> None:
    if len(infos) > _MAX_MEMBERS:
        budget.refuse(f"it is a zip file with {len(infos)} members, at most {_MAX_MEMBERS} are read")
    for info in infos:
        name = info.filename
        parts = re.split(r"[/\\]", name)
        if not name or name.startswith(("/", "\\")) or ".." in parts or ":" in name or not name.isprintable():
            budget.refuse(f"it is a zip file with a member called {shown(name)}")
        if info.flag_bits & 1:
            budget.refuse(f"its member {shown(name)} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            budget.refuse(f"its member {shown(name)} is compressed in an unusual way")
        # A tall ratio is a bomb; zeros alone reach a thousand, and a basis is not zeros.
        if info.file_size > 1 << 22 and info.file_size > 200 * max(info.compress_size, 1):
            budget.refuse(f"its member {shown(name)} would grow {info.file_size // max(info.compress_size, 1)}-fold")
    if len({info.filename for info in infos}) != len(infos):
        budget.refuse("it is a zip file with two members of one name")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> bytes:
    budget.spend(info.file_size)
    with archive.open(info) as stream:
        data = stream.read(info.file_size + 1)
    if len(data) != info.file_size:
        budget.refuse(f"its member {shown(info.filename)} is larger than its entry says")
    return data


def numbers_of(value: Any) -> np.ndarray | None:
    """The array of a record that is one of numbers, e.g. a .npy file on its own; None otherwise."""
    return value.array if isinstance(value, ArrayRecord) else None
