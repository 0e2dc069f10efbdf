"""Drops a file onto a window, as a file manager does it (XDND): python drag.py WINDOW X Y FILE; X11 only.

Run as a process of its own, since Blender asks for the name of the file while it handles the drop.
"""

from __future__ import annotations

import ctypes
import sys
import time
from ctypes import c_char_p, c_int, c_long, c_ulong, c_void_p
from pathlib import Path

CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31
ATOM, PATIENCE_S = 4, 60.0


class ClientMessage(ctypes.Structure):
    _fields_ = [
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("window", c_ulong),
        ("message_type", c_ulong),
        ("format", c_int),
        ("data", c_long * 5),
    ]


class SelectionRequest(ctypes.Structure):
    _fields_ = [
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("owner", c_ulong),
        ("requestor", c_ulong),
        ("selection", c_ulong),
        ("target", c_ulong),
        ("property", c_ulong),
        ("time", c_ulong),
    ]


class Selection(ctypes.Structure):
    _fields_ = [
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("requestor", c_ulong),
        ("selection", c_ulong),
        ("target", c_ulong),
        ("property", c_ulong),
        ("time", c_ulong),
    ]


class Event(ctypes.Union):
    _fields_ = [
        ("type", c_int),
        ("client", ClientMessage),
        ("request", SelectionRequest),
        ("selection", Selection),
        ("pad", c_long * 24),
    ]


class Source:
    """What is dragged: a file, over a window."""

    def __init__(self, target: int, file: Path) -> None:
        self.x11 = ctypes.CDLL("libX11.so.6")
        for name, result in (("XOpenDisplay", c_void_p), ("XInternAtom", c_ulong), ("XDefaultRootWindow", c_ulong)):
            getattr(self.x11, name).restype = result
        self.x11.XCreateSimpleWindow.restype = c_ulong
        self.display = c_void_p(self.x11.XOpenDisplay(None))
        root = c_ulong(self.x11.XDefaultRootWindow(self.display))
        self.window = self.x11.XCreateSimpleWindow(self.display, root, 0, 0, 1, 1, 0, c_ulong(0), c_ulong(0))
        self.target, self.uri = target, f"{file.resolve().as_uri()}\r\n".encode()
        self.selection = self.atom("XdndSelection")
        self.x11.XSetSelectionOwner(self.display, c_ulong(self.selection), c_ulong(self.window), c_ulong(0))

    def atom(self, name: str) -> int:
        return self.x11.XInternAtom(self.display, c_char_p(name.encode()), 0)

    def tell(self, name: str, *data: int) -> None:
        """Send the target a message of the protocol."""
        event = Event()
        event.client = ClientMessage(CLIENT_MESSAGE, 0, 1, self.display, self.target, self.atom(name), 32)
        event.client.data[: len(data) + 1] = [self.window, *data]
        self.x11.XSendEvent(self.display, c_ulong(self.target), 0, c_long(0), ctypes.byref(event))
        self.x11.XFlush(self.display)

    def hear(self, name: str) -> list[int]:
        """Answer what is asked, until this message comes; its numbers."""
        event, end_s = Event(), time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if not self.x11.XPending(self.display):
                time.sleep(0.01)
                continue
            self.x11.XNextEvent(self.display, ctypes.byref(event))
            if event.type == SELECTION_REQUEST:
                self._hand_over(event.request)
            elif event.type == CLIENT_MESSAGE and event.client.message_type == self.atom(name):
                return list(event.client.data)
        sys.exit(f"no {name}")

    def _hand_over(self, asked: SelectionRequest) -> None:
        self.x11.XChangeProperty(
            self.display,
            c_ulong(asked.requestor),
            c_ulong(asked.property),
            c_ulong(asked.target),
            8,
            0,
            c_char_p(self.uri),
            len(self.uri),
        )
        event = Event()
        event.selection = Selection(
            SELECTION_NOTIFY,
            0,
            1,
            self.display,
            asked.requestor,
            asked.selection,
            asked.target,
            asked.property,
            asked.time,
        )
        self.x11.XSendEvent(self.display, c_ulong(asked.requestor), 0, c_long(0), ctypes.byref(event))
        self.x11.XFlush(self.display)


def main() -> None:
    target, x, y, file = sys.argv[1:]
    source = Source(int(target), Path(file))
    source.tell("XdndEnter", 5 << 24, source.atom("text/uri-list"), 0, 0)
    for _ in range(2):
        source.tell("XdndPosition", 0, int(x) << 16 | int(y), 0, source.atom("XdndActionCopy"))
        status = source.hear("XdndStatus")
    if not status[1] & 1:
        sys.exit("the window does not take it")
    source.tell("XdndDrop", 0, 0)
    source.hear("XdndFinished")


if __name__ == "__main__":
    main()
