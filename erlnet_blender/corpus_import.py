"""``erlnet corpus``: recordings of people with tracked faces become a corpus that ``erlnet train speech`` reads."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from . import arguments
from .errors import ErlnetError

# Everything that is not in the standard library is imported where it is needed, as in `cli`.

_SPLITS = ("train", "development", "test", "release")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``erlnet corpus``."""
    command.add_argument(
        "source", type=Path, metavar="SOURCE", help="folder of recordings and tracks of the same names"
    )
    command.add_argument("-o", "--output", type=Path, required=True, metavar="CORPUS", help="folder to write")
    command.add_argument("--append", action="store_true", help="add to the corpus in that folder")
    command.add_argument(
        "--head", type=Path, metavar="H", help="head that was tracked: FLAME's own file or a head (.npz)"
    )
    command.add_argument("--speaker", default="", metavar="NAME", help="of all, default: told by folders and names")
    command.add_argument("--split", choices=_SPLITS, default="", help="of all, default: a tenth of speakers to test, …")
    command.add_argument("--fps", type=arguments.positive, metavar="N", help="of tracks that do not say, default: told")
    command.add_argument(
        "--late", type=float, default=0.0, metavar="MS", help="by how many milliseconds the tracks run after the sound"
    )
    command.add_argument("--language", default="und", metavar="TAG", help="such as en or pt-BR")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def import_corpus(options: argparse.Namespace) -> None:
    """Read the folder, write the items, name what was left out.

    Raises:
        ErlnetError: nothing could be used, a head model is needed, or a place that cannot be written to.
    """
    if not options.source.is_dir():
        raise ErlnetError("No such folder", options.source, "check the path")
    if not -1000 <= options.late <= 1000:
        raise ErlnetError(f"Tracks cannot be {options.late:g} ms late", "--late", "choose -1000 to 1000")
    from .console import progress
    from .neural.adf.corpus.tracked.importing import Settings, import_recordings

    head = None
    if options.head is not None:
        from .formats.head_model import HeadModel
        from .worker.flame_conversion import head_file_of

        head = HeadModel.load(head_file_of(options.head).path)
    settings = Settings(
        options.speaker, options.split, options.fps, options.late / 1000, options.language, options.append
    )
    with contextlib.nullcontext() if options.json else progress("importing") as shown:
        done = import_recordings(options.source, options.output, settings, head, shown)
    if options.json:
        print(json.dumps({"output": str(options.output), **vars(done)}, ensure_ascii=False))
        return
    for note in done.notes:
        print(f"note: {note}")
    for sentence in done.left_out:
        print(f"left out: {sentence}", file=sys.stderr)
    print(options.output)
    print(f"{done.items} items, {done.duration_s / 60:.1f} min, of {', '.join(done.speakers)}; "
          f"{len(done.left_out)} left out")  # fmt: skip
