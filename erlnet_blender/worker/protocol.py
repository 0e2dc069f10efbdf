"""What travels between Blender and its worker: a JSON header and raw little-endian buffers.

A message on the wire is ``b"ERLN"``, the header's length (uint32, little-endian), the header as
UTF-8 JSON ``{"version", "id", "kind", "header", "arrays": [{"name", "shape", "dtype"}]}``, then the
arrays' bytes one after the other. Nothing is pickled, every size is checked before it is believed.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

VERSION = 1
MAGIC = b"ERLN"
MAX_HEADER_BYTES = 16 << 20
MAX_ARRAY_BYTES = 4 << 30
# Booleans, integers, floats and unicode text; never objects.
ALLOWED_DTYPE_KINDS = "biufU"

# Requests, from Blender to the worker.
HELLO, BAKE, RENDER, FIT_PHOTO = "hello", "bake", "render", "fit_photo"
CANCEL, SHUTDOWN = "cancel", "shutdown"
# Events, from the worker to Blender.
PROGRESS, RESULT, ERROR, CANCELLED, HEARTBEAT = "progress", "result", "error", "cancelled", "heartbeat"

_PREFIX = struct.Struct("<4sI")


class ProtocolError(Exception):
    """The bytes are not a message of this version; the stream cannot be trusted any more."""


@dataclass
class Message:
    """One request or event.

    Args:
        id: the request it belongs to; 0 for none.
        kind: one of the kinds above.
        header: plain JSON values.
        arrays: name to array.
    """

    id: int
    kind: str
    header: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def encode(message: Message) -> bytes:
    """The bytes of `message`.

    Raises:
        ProtocolError: an array holds Python objects, or the message is too large.
    """
    described, buffers = [], []
    for name, value in message.arrays.items():
        # `ascontiguousarray` would turn a scalar into an array of one; `asarray` keeps the shape.
        array = np.asarray(value)
        if array.dtype.kind not in ALLOWED_DTYPE_KINDS:
            raise ProtocolError(f"array {name} has type {array.dtype}, which cannot be sent")
        array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        described.append({"name": name, "shape": list(array.shape), "dtype": array.dtype.str})
        buffers.append(array.tobytes())
    content = {
        "version": VERSION,
        "id": message.id,
        "kind": message.kind,
        "header": message.header,
        "arrays": described,
    }
    header = json.dumps(content, separators=(",", ":")).encode()
    if len(header) > MAX_HEADER_BYTES or sum(map(len, buffers)) > MAX_ARRAY_BYTES:
        raise ProtocolError(f"message {message.kind} is too large")
    return b"".join([_PREFIX.pack(MAGIC, len(header)), header, *buffers])


class MessageReader:
    """Messages from a stream of bytes that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take `data`, yield every message that is now complete.

        Raises:
            ProtocolError: wrong magic, wrong version, malformed header, absurd sizes.
        """
        self._bytes += data
        while (message := self._take()) is not None:
            yield message

    def _take(self) -> Message | None:
        start = bytes(self._bytes[: len(MAGIC)])
        if start != MAGIC[: len(start)]:
            raise ProtocolError(f"expected a message, found {bytes(self._bytes[:40])!r}")
        if len(self._bytes) < _PREFIX.size:
            return None
        _, header_length = _PREFIX.unpack_from(self._bytes)
        if header_length > MAX_HEADER_BYTES:
            raise ProtocolError(f"a header of {header_length} bytes")
        body = _PREFIX.size + header_length
        if len(self._bytes) < body:
            return None
        content = _parse_header(bytes(self._bytes[_PREFIX.size : body]))
        described = [_array_description(entry) for entry in content["arrays"]]
        sizes = [math.prod(shape) * dtype.itemsize for _, shape, dtype in described]
        if sum(sizes) > MAX_ARRAY_BYTES:
            raise ProtocolError(f"arrays of {sum(sizes)} bytes")
        if len(self._bytes) < body + sum(sizes):
            return None
        arrays, offset = {}, body
        for (name, shape, dtype), size in zip(described, sizes, strict=True):
            # A bytearray, so that the receiver may write to its array.
            arrays[name] = np.ndarray(shape, dtype, buffer=self._bytes[offset : offset + size])
            offset += size
        del self._bytes[:offset]
        return Message(content["id"], content["kind"], content["header"], arrays)


def _parse_header(data: bytes) -> dict:
    try:
        content = json.loads(data)
    except ValueError as error:
        raise ProtocolError(f"a header that is not JSON ({error})") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        version = content.get("version") if isinstance(content, dict) else None
        raise ProtocolError(f"version {version} of the protocol, expected {VERSION}")
    expected = {"id": int, "kind": str, "header": dict, "arrays": list}
    for key, kind in expected.items():
        if not isinstance(content.get(key), kind):
            raise ProtocolError(f"a header without a valid {key!r}")
    return content


def _array_description(entry: object) -> tuple[str, tuple[int, ...], np.dtype]:
    try:
        name, shape = str(entry["name"]), tuple(int(size) for size in entry["shape"])  # type: ignore[index]
        dtype = np.dtype(str(entry["dtype"]))  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"a malformed array description ({error})") from error
    if dtype.kind not in ALLOWED_DTYPE_KINDS or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ProtocolError(f"array {name} of type {dtype} and shape {shape}")
    return name, shape, dtype
