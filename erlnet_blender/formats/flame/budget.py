"""What reading one untrusted file may cost."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NoReturn

from ...errors import ErlnetError

MAX_FILE_BYTES = 512 << 20
MAX_BYTES = 1 << 30
MAX_STEPS = 300_000
MAX_SECONDS = 20.0
REMEDY = "choose the model file as its makers hand it out"


@dataclass
class Budget:
    """Memory, steps and seconds that are left for the file `where`; spending more raises ErlnetError."""

    where: str
    bytes_left: int = MAX_BYTES
    steps_left: int = MAX_STEPS
    ends_s: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def spend(self, count: int) -> None:
        """Ask for `count` bytes before they are allocated."""
        self.bytes_left -= count
        if count < 0 or self.bytes_left < 0:
            self.refuse(f"its contents would take more than {MAX_BYTES >> 20} MB of memory")

    def step(self, count: int = 1) -> None:
        """Do `count` steps of reading."""
        self.steps_left -= count
        if self.steps_left < 0:
            self.refuse(f"reading it takes more than {MAX_STEPS} steps")
        if self.steps_left % 1024 == 0 and time.monotonic() > self.ends_s:
            self.refuse(f"reading it takes more than {MAX_SECONDS:.0f} s")

    def refuse(self, why: str, remedy: str = REMEDY) -> NoReturn:
        """Raise the ErlnetError that says why this file is not read."""
        raise ErlnetError(f"Refused, {why}", self.where, remedy)


def shown(text: object, limit: int = 60) -> str:
    """A name from the file, fit for a message: printable, on one line, short."""
    plain = "".join(c if c.isprintable() and c.isascii() else "?" for c in str(text)[: limit + 1])
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
