"""``erlnet convert``: files of other tools, or for another head, become files of ours; the kind of the input decides.

Every kind is one `Conversion` in `CONVERSIONS`: how its input is told from the others, which options it has
besides INPUT and ``-o``, and what it does. A new kind is a new line there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import ErlnetError

# Everything that is not in the standard library is imported where it is needed, as in `cli`.


@dataclass(frozen=True)
class Conversion:
    """A kind of input.

    Args:
        kind: what the input is, for the help and messages.
        recognises: whether a file is of this kind; may look inside, must not trust it, must not raise.
        add_options: declares the options of this kind.
        run: converts ``options.input`` to ``options.output``; returns figures to print, or nothing.
    """

    kind: str
    recognises: Callable[[Path], bool]
    add_options: Callable[[argparse._ArgumentGroup], None]
    run: Callable[[argparse.Namespace], dict | None]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``erlnet convert``."""
    command.add_argument("input", type=Path, metavar="INPUT")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.npz")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    for conversion in CONVERSIONS:
        conversion.add_options(command.add_argument_group(conversion.kind))


def convert(options: argparse.Namespace) -> None:
    """Run the first conversion that recognises the input.

    Raises:
        ErlnetError: no such file, or none of the conversions knows it.
    """
    if not options.input.exists():
        raise ErlnetError("No such file", options.input, "check the path")
    for conversion in CONVERSIONS:
        if conversion.recognises(options.input):
            figures = conversion.run(options) or {}
            if options.json:
                print(json.dumps({"output": str(options.output), **figures}))
            else:
                print(options.output, *(f"{name}: {value:.3g}" for name, value in figures.items()), sep="\n")
            return
    kinds = ", ".join(conversion.kind for conversion in CONVERSIONS)
    raise ErlnetError("Not a file that can be converted", options.input, f"choose one of: {kinds}")


def _is_track(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"expr.npy", "head_id.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _add_track_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--head", type=Path, metavar="H", help="head (.npz) to refit it to, default: the shipped one")
    group.add_argument("--from-head", type=Path, metavar="H", help="head that it is for now, default: the shipped one")


def _refit_track(options: argparse.Namespace) -> dict:
    """The track for another head; the figures are the residual in millimetres, see `neural.flame.refit`."""
    from .console import progress
    from .face_track import FaceTrack
    from .formats.head_model import HeadModel, default_head_path
    from .neural.flame.refit import check_source, refit

    if options.output.suffix != ".npz":
        raise ErlnetError("The output is not a .npz file", options.output, "name it OUT.npz")
    track = FaceTrack.load(options.input)
    source, target = (HeadModel.load(path or default_head_path()) for path in (options.from_head, options.head))
    check_source(track, source)
    with contextlib.nullcontext() if options.json else progress("refitting") as shown:
        fitted = refit(track, source, target, shown)
    fitted.track.save(options.output)
    return fitted.figures()


def _is_head(path: Path) -> bool:
    """Anything that no other conversion claims may be a head; its reader says what is wrong with it."""
    return True


def _add_head_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--landmarks", type=Path, metavar="FILE", help="landmark embedding; default: beside INPUT")
    group.add_argument("--masks", type=Path, metavar="FILE", help="vertex masks; default: beside INPUT")
    group.add_argument("--uv", type=Path, metavar="FILE", help=".obj or .npz with texture coordinates")
    group.add_argument("--eyelids", type=Path, metavar="DIR", help="folder of l_eyelid.npy and r_eyelid.npy")


def _convert_head(options: argparse.Namespace) -> None:
    from .formats.head_model import HeadModel

    HeadModel.load(options.input).save(options.output)


# In the order of asking; the last one takes what is left.
CONVERSIONS = (
    Conversion("track for another head", _is_track, _add_track_options, _refit_track),
    Conversion("FLAME head model", _is_head, _add_head_options, _convert_head),
)
