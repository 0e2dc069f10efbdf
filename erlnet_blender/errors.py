"""The one family of errors a user may see.

Every error says what happened, to which file or object, and what to do next, in one sentence.
The command line prints it after ``error:`` and ends with status 2; an operator reports it.
"""

from __future__ import annotations


class ErlnetError(Exception):
    """An input or a call is at fault.

    Args:
        what: what happened, e.g. ``"Audio is empty"``.
        where: the file, object or option it happened to; may be empty.
        remedy: what to do next, e.g. ``"choose a recording with sound in it"``.
    """

    def __init__(self, what: str, where: object = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, str(where), remedy
        parts = [part for part in (what, self.where, remedy) if part]
        super().__init__(", ".join(" ".join(part.split()) for part in parts))


class Cancelled(ErlnetError):
    """The user stopped the work; nothing was changed."""

    def __init__(self, what: str = "Cancelled") -> None:
        super().__init__(what)


class WorkerError(ErlnetError):
    """The worker process failed; the scene is untouched."""
