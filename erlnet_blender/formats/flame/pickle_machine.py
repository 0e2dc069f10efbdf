"""Follows a pickle without Python's own module: protocols 0 to 5, no imports, no calls but into our table.

The opcodes are those that CPython documents in Lib/pickletools.py. What would run foreign code there (a class
looked up by name, a callable applied to arguments, a state handed to an object) here meets a `Known` of our
own or ends in an ErlnetError. Strings of Python 2 are read as Latin-1, as FLAME's loaders do.
"""

from __future__ import annotations

import codecs
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from .budget import Budget, shown

_MAX_INTEGER_BYTES = 256
_MAX_ENTRIES = 4096  # of a dictionary or a set: keys that collide make larger ones slow
_HASHABLE = (str, bytes, int, float, type(None))


@dataclass(frozen=True)
class Known:
    """What stands for an importable name.

    Args:
        name: for messages.
        make: what calling it builds, from the arguments and the budget; None: it is only a label.
        blank: the record that an instance without arguments starts as, to be filled by its state.
    """

    name: str
    make: Callable[[tuple, Budget], Any] | None = None
    blank: Callable[[], Record] | None = None


class Record:
    """An object of the file that is filled by a state after it was made."""

    def build(self, state: Any, budget: Budget) -> None:
        """Take the state over, checked."""
        raise NotImplementedError


def unpickle(
    file: BinaryIO,
    known: dict[tuple[str, str], Known],
    budget: Budget,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The object that a pickle describes; the file is left behind its last opcode.

    Args:
        file: seekable, at the start of the pickle.
        known: (module, name) to what stands for it.
        persistent: what a persistent id stands for; None: there may be none.

    Raises:
        ErlnetError: the pickle asks for what is not known, is damaged, or costs too much.
    """
    return _Machine(file, known, budget, persistent).run()


class _Machine:
    def __init__(self, file: BinaryIO, known: dict, budget: Budget, persistent: Callable | None) -> None:
        self.file, self.known, self.budget, self.persistent = file, known, budget, persistent
        here = file.tell()
        self.left = file.seek(0, os.SEEK_END) - here
        file.seek(here)
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        try:
            while True:
                self.budget.step()
                opcode = self.read(1)
                if opcode == b".":
                    return self.stack.pop()
                operation = _OPERATIONS.get(opcode)
                if operation is None:
                    self.budget.refuse(f"it is no pickle (opcode {opcode.hex()} is not defined)")
                operation(self)
        except (IndexError, ValueError, struct.error, OverflowError, UnicodeError) as error:
            self.budget.refuse(f"it is a damaged pickle ({shown(error)})", "download it again")

    # Reading.

    def read(self, count: int) -> bytes:
        if count > self.left:
            self.budget.refuse("it ends before its pickle does", "download it again")
        self.left -= count
        return self.file.read(count)

    def line(self) -> bytes:
        text = self.file.readline()
        self.left -= len(text)
        if not text.endswith(b"\n"):
            self.budget.refuse("it ends before its pickle does", "download it again")
        self.budget.spend(len(text))
        return text[:-1]

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.read(struct.calcsize(layout)))[0]

    def sized(self, layout: str) -> bytes:
        """Bytes after their count."""
        count = self.number(layout)
        if count < 0:
            self.budget.refuse(f"it is a damaged pickle (a string of {count} bytes)", "download it again")
        self.budget.spend(min(count, self.left))
        return self.read(count)

    def integer(self, count: int) -> int:
        if not 0 <= count <= _MAX_INTEGER_BYTES:
            self.budget.refuse(f"it holds an integer of {count} bytes")
        return int.from_bytes(self.read(count), "little", signed=True)

    def decimal(self) -> int | bool:
        text = self.line()
        if text in (b"00", b"01"):
            return text == b"01"
        if not re.fullmatch(rb"[+-]?[0-9]{1,600}L?", text):
            self.budget.refuse(f"it holds a malformed integer {shown(text[:40])}")
        return int(text.rstrip(b"L"))

    def quoted(self) -> str:
        """A Python 2 string as source text."""
        text = self.line().strip()
        if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
            self.budget.refuse("it holds a string without quotes")
        return codecs.escape_decode(text[1:-1])[0].decode("latin-1")  # type: ignore[attr-defined]

    # The stack.

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            self.budget.refuse(f"it fills a {type(self.stack[-1]).__name__} as if it were a {kind.__name__}")
        return self.stack[-1]

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            self.budget.refuse(f"it is a damaged pickle (memo {index} is empty)", "download it again")
        self.push(self.memo[index])

    # Containers.

    def pairs(self, target: dict, items: list) -> None:
        if len(items) % 2 or len(target) + len(items) // 2 > _MAX_ENTRIES:
            self.budget.refuse(f"it holds a dictionary with an odd end or more than {_MAX_ENTRIES} entries")
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.check_key(key)
            target[key] = value

    def check_key(self, key: Any) -> None:
        if not isinstance(key, _HASHABLE):
            self.budget.refuse(f"it uses a {type(key).__name__} as a key")

    def new_dict(self) -> None:
        items, target = self.since_mark(), {}
        self.pairs(target, items)
        self.push(target)

    def set_items(self, items: list) -> None:
        self.pairs(self.top(dict), items)

    def append(self, items: list) -> None:
        self.top(list).extend(items)

    def add_items(self, items: list) -> None:
        self.top(set).update(self.keys(items))

    def keys(self, items: list) -> set:
        if len(items) > _MAX_ENTRIES:
            self.budget.refuse(f"it holds a set of more than {_MAX_ENTRIES} entries")
        for item in items:
            self.check_key(item)
        return set(items)

    def pop(self) -> Any:
        """The top of the stack; a mark counts as an item."""
        return self.stack.pop() if self.stack else self.since_mark()

    # What would run code in Python's own machine.

    def named(self, module: str, name: str) -> Known:
        found = self.known.get((module, name))
        if found is None:
            self.budget.refuse(f"it contains {shown(module)}.{shown(name)}, which no FLAME file needs")
        return found

    def named_by_line(self) -> Known:
        return self.named(self.line().decode("utf-8"), self.line().decode("utf-8"))

    def named_by_stack(self) -> Known:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            self.budget.refuse("it contains a name that is no text")
        return self.named(module, name)

    def call(self, target: Any, arguments: Any) -> Any:
        if not isinstance(target, Known):
            self.budget.refuse(f"it calls a {type(target).__name__}")
        if target.make is None or not isinstance(arguments, tuple):
            self.budget.refuse(f"it calls {target.name} as no FLAME file does")
        return target.make(arguments, self.budget)

    def instance(self, target: Any, arguments: Any) -> Any:
        if isinstance(target, Known) and target.blank is not None and arguments == ():
            return target.blank()
        return self.call(target, arguments)

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Record):
            name = target.name if isinstance(target, Known) else type(target).__name__
            self.budget.refuse(f"it sets the state of a {name}")
        target.build(state, self.budget)

    def refuse_instance(self, target: Any) -> None:
        """INST, OBJ and NEWOBJ_EX, which nothing has written into a FLAME file."""
        self.budget.refuse(f"it makes an instance of {getattr(target, 'name', 'something')} as no FLAME file does")

    def persistent_id(self, key: Any) -> Any:
        if self.persistent is None:
            self.budget.refuse("it contains a persistent id, which no FLAME pickle needs")
        return self.persistent(key)

    def refuse_extension(self) -> None:
        self.budget.refuse("it contains an extension code (EXT), which no FLAME file needs")

    def refuse_buffer(self) -> None:
        self.budget.refuse("it refers to buffers outside the file")


def _two(machine: _Machine) -> tuple[Any, Any]:
    """(what lay below, the top), both taken off the stack."""
    above = machine.stack.pop()
    return machine.stack.pop(), above


def _tuple_of(count: int) -> Callable[[_Machine], None]:
    def operation(m: _Machine) -> None:
        if len(m.stack) < count:
            raise IndexError("the stack is empty")
        items = tuple(m.stack[len(m.stack) - count :])
        del m.stack[len(m.stack) - count :]
        m.push(items)

    return operation


def _set_one(m: _Machine) -> None:
    key, value = _two(m)
    m.set_items([key, value])


def _protocol(m: _Machine) -> None:
    version = m.number("<B")
    if version > 5:
        m.budget.refuse(f"it is a pickle of protocol {version}, known are 0 to 5")


def _frame(m: _Machine) -> None:
    if m.number("<Q") > m.left:
        m.budget.refuse("it ends before its pickle does", "download it again")


_OPERATIONS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    b"(": _Machine.mark,
    b"0": _Machine.pop,
    b"1": _Machine.since_mark,
    b"2": lambda m: m.push(m.stack[-1]),
    # Numbers and constants.
    b"I": lambda m: m.push(m.decimal()),
    b"L": lambda m: m.push(m.decimal()),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.push(m.integer(m.number("<B"))),
    b"\x8b": lambda m: m.push(m.integer(m.number("<i"))),
    b"F": lambda m: m.push(float(m.line()[:64])),
    b"G": lambda m: m.push(m.number(">d")),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    # Text and bytes.
    b"S": lambda m: m.push(m.quoted()),
    b"T": lambda m: m.push(m.sized("<i").decode("latin-1")),
    b"U": lambda m: m.push(m.sized("<B").decode("latin-1")),
    b"V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
    b"X": lambda m: m.push(m.sized("<I").decode("utf-8", "surrogatepass")),
    b"\x8c": lambda m: m.push(m.sized("<B").decode("utf-8", "surrogatepass")),
    b"\x8d": lambda m: m.push(m.sized("<Q").decode("utf-8", "surrogatepass")),
    b"B": lambda m: m.push(m.sized("<I")),
    b"C": lambda m: m.push(m.sized("<B")),
    b"\x8e": lambda m: m.push(m.sized("<Q")),
    b"\x96": lambda m: m.push(m.sized("<Q")),
    # Containers.
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.since_mark()),
    b"a": lambda m: m.append([m.stack.pop()]),
    b"e": lambda m: m.append(m.since_mark()),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"\x85": _tuple_of(1),
    b"\x86": _tuple_of(2),
    b"\x87": _tuple_of(3),
    b"}": lambda m: m.push({}),
    b"d": _Machine.new_dict,
    b"s": _set_one,
    b"u": lambda m: m.set_items(m.since_mark()),
    b"\x8f": lambda m: m.push(set()),
    b"\x90": lambda m: m.add_items(m.since_mark()),
    b"\x91": lambda m: m.push(frozenset(m.keys(m.since_mark()))),
    # The memo.
    b"g": lambda m: m.get(int(m.line()[:20])),
    b"h": lambda m: m.get(m.number("<B")),
    b"j": lambda m: m.get(m.number("<I")),
    b"p": lambda m: m.put(int(m.line()[:20])),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    # Names, calls, states.
    b"c": lambda m: m.push(m.named_by_line()),
    b"\x93": lambda m: m.push(m.named_by_stack()),
    b"R": lambda m: m.push(m.call(*_two(m))),
    b"\x81": lambda m: m.push(m.instance(*_two(m))),
    b"\x92": lambda m: m.refuse_instance(m.stack[-3]),
    b"b": _Machine.build,
    b"i": lambda m: m.refuse_instance(m.named_by_line()),
    b"o": lambda m: m.refuse_instance(m.since_mark()[0]),
    b"P": lambda m: m.push(m.persistent_id(m.line().decode("ascii"))),
    b"Q": lambda m: m.push(m.persistent_id(m.stack.pop())),
    b"\x82": _Machine.refuse_extension,
    b"\x83": _Machine.refuse_extension,
    b"\x84": _Machine.refuse_extension,
    b"\x97": _Machine.refuse_buffer,
    b"\x98": _Machine.refuse_buffer,
}
