"""``erlnet convert``: files of other tools, or for another head, become files of ours; the kind of the input decides.

Every kind is one `Conversion` in `CONVERSIONS`: how its input is told from the others, which options it has
besides INPUT and ``-o``, and what it does. A new kind is a new line there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import arguments
from .errors import ErlnetError

if TYPE_CHECKING:
    from .formats.head_model import HeadModel

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
    command.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    for conversion in CONVERSIONS:
        conversion.add_options(command.add_argument_group(conversion.kind))


def convert(options: argparse.Namespace) -> None:
    """Run the first conversion that recognises the input.

    Raises:
        ErlnetError: no such file, or none of the conversions knows it.
    """
    if not os.path.lexists(options.input):
        raise ErlnetError("No such file", options.input, "check the path")
    for conversion in CONVERSIONS:
        if conversion.recognises(options.input):
            figures = conversion.run(options) or {}
            if options.json:
                print(json.dumps({"output": str(options.output), **figures}))
            else:
                print(options.output, *_lines(figures), sep="\n")
            return
    kinds = ", ".join(conversion.kind for conversion in CONVERSIONS)
    raise ErlnetError("Not a file that can be converted", options.input, f"choose one of: {kinds}")


def _lines(figures: dict) -> list[str]:
    """A line for each figure, and for each entry of those that are lists."""
    lines = []
    for name, value in figures.items():
        for entry in value if isinstance(value, list) else [value]:
            lines.append(f"{name}: {entry:.3g}" if isinstance(entry, float) else f"{name}: {entry}")
    return lines


def _is_track(path: Path) -> bool:
    from .formats.npz import members

    return {"expr", "head_id"} <= members(path)


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


def _is_dataset(path: Path) -> bool:
    """Nothing else is a folder; its reader says what is wrong with it."""
    return path.is_dir()


def _add_dataset_options(group: argparse._ArgumentGroup) -> None:
    group.description = (
        "Footage for `erlnet train avatar`, of GaussianAvatars, VHAP, INSTA, NeRFace, IMavatar, AD-NeRF, RAD-NeRF, "
        "ER-NeRF, SyncTalk or GaussianTalker, into a folder OUT. Name the head that was tracked with --head; if the "
        "avatar is to be of another one, with --from-head."
    )
    group.add_argument(
        "--torso", choices=("still", "tracked"), default="still",
        help="still (default): the neck turns and the torso does not; tracked: root and neck as in the dataset",
    )  # fmt: skip


def _convert_dataset(options: argparse.Namespace) -> dict:
    """The capture; what was assumed on the way is printed."""
    from .console import progress
    from .formats.head_model import HeadModel, default_head_path
    from .neural.dbf_nerf.datasets import as_capture

    head, tracked_with = (_named_head(path) for path in (options.head, options.from_head))
    if head is None and tracked_with is not None:
        head = HeadModel.load(default_head_path())
    with contextlib.nullcontext() if options.json else progress("converting") as shown:
        capture, assumed = as_capture(options.input, options.output, head, tracked_with, options.torso, shown)
    if capture.folder != options.output:
        raise ErlnetError("This is a capture of ERLNet's own already", options.input, "train with it as it is")
    return {"pictures": len(capture.shots), "moments": len(capture.track), "assumed": assumed}


def _named_head(path: Path | None) -> HeadModel | None:
    """A head of ours, or FLAME's own file converted on the way."""
    from .formats.head_model import HeadModel
    from .worker.flame_conversion import head_file_of

    return None if path is None else HeadModel.load(head_file_of(path).path)


def _is_head(path: Path) -> bool:
    """Anything that no other conversion claims may be a head; its reader says what is wrong with it."""
    return True


def _add_head_options(group: argparse._ArgumentGroup) -> None:
    beside = "default: what lies beside INPUT under its usual name"
    group.add_argument(
        "--landmarks", type=Path, action="append", default=[], metavar="FILE",
        help=f"landmark embedding (.npy, .pkl, .npz); may be given again; {beside}",
    )  # fmt: skip
    group.add_argument("--masks", type=Path, metavar="FILE", help="FLAME_masks.pkl or FLAME_masks_triangles.npy")
    group.add_argument("--uv", type=Path, metavar="FILE", help=".obj or .npz with texture coordinates")
    group.add_argument("--eyelids", type=Path, metavar="DIR", help="folder of l_eyelid.npy and r_eyelid.npy")
    group.add_argument(
        "--expressions", type=arguments.count, metavar="N", help="how many of the last components are expressions"
    )


def _convert_head(options: argparse.Namespace) -> dict:
    from .formats.flame.read import Companions
    from .formats.head_model import HeadModel, is_head_file
    from .worker.flame_conversion import convert_flame

    if options.output.suffix != ".npz":
        raise ErlnetError("The output is not a .npz file", options.output, "name it HEAD.npz")
    notes: list[str] = []
    if is_head_file(options.input):
        HeadModel.load(options.input).save(options.output)
    else:
        chosen = (tuple(options.landmarks), options.masks, options.uv, options.eyelids, options.expressions)
        notes = convert_flame(options.input, options.output, Companions(*chosen)).notes
    meta = HeadModel.load(options.output).meta
    return {**{key: str(meta.get(key, "")) for key in ("id", "name", "licence")}, "note": notes}


# In the order of asking; the last one takes what is left.
CONVERSIONS = (
    Conversion("track for another head", _is_track, _add_track_options, _refit_track),
    Conversion("footage for an avatar", _is_dataset, _add_dataset_options, _convert_dataset),
    Conversion("FLAME head model", _is_head, _add_head_options, _convert_head),
)
