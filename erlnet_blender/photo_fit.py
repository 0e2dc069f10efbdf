"""``erlnet fit``: a photograph in, the identity of a head out, as a track of one frame."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path

from .console import progress
from .errors import ErlnetError

# Everything that is not in the standard library is imported where it is needed, as in `cli`.


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``erlnet fit``."""
    command.add_argument("photo", type=Path, metavar="PHOTO", help="of one face from the front")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="SHAPE.npz")
    command.add_argument("--head", type=Path, metavar="H", help="head model (.npz), default: the shipped one")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def fit(options: argparse.Namespace) -> None:
    """Fit the head, write the track, print the residual in percent of the inter-ocular distance.

    Raises:
        ErlnetError: no picture, no face, no head, or a place that cannot be written to.
    """
    from .face_track import FaceTrack
    from .formats.head_model import HeadModel
    from .worker import protocol
    from .worker.client import shared_client

    if options.output.suffix != ".npz":
        raise ErlnetError("The output is not a .npz file", options.output, "name it SHAPE.npz")
    # What can be said at once is said before the worker starts.
    if not options.photo.is_file():
        raise ErlnetError("No such picture", options.photo, "check the path")
    if options.head is not None:
        HeadModel.load(options.head)
    request = {"photo": str(options.photo.absolute()), "head": str(options.head.absolute() if options.head else "")}
    with contextlib.nullcontext() if options.json else progress("fitting") as shown:
        header, arrays = shared_client().call(protocol.FIT_PHOTO, request, progress=shown)
    track = FaceTrack.from_arrays(arrays)
    track.save(options.output)
    percent = 100 * header["residual"]
    if options.json:
        shape = [round(float(value), 4) for value in track.shape]
        figures = {"residual_percent": round(percent, 3), "shape": shape, "notes": header["notes"]}
        print(json.dumps({"output": str(options.output), "head_id": track.head_id, **figures}))
        return
    for note in header["notes"]:
        print(f"note: {note}")
    print(options.output, f"landmark residual: {percent:.1f} % of the inter-ocular distance", sep="\n")
