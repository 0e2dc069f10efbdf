"""``erlnet evaluate``: the figures that the documentation quotes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .errors import ErlnetError

# Everything that is not in the standard library is imported where it is needed, as in `cli`.


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``erlnet evaluate``."""
    command.add_argument("what", choices=("speech", "avatar"))
    command.add_argument("data", type=Path, metavar="CORPUS|DATASET")
    command.add_argument("--weights", type=Path, metavar="W", help="default: the shipped ones")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    speech = command.add_argument_group("speech")
    speech.add_argument("--split", choices=("test", "development", "train"), default="test", help="default: test")
    speech.add_argument("--voice", default="", metavar="V", help="only voices whose name contains this")
    parts = "of events,noise,geometry,sync,style,baselines,speed, default: all these; also memory, which takes minutes"
    speech.add_argument("--only", metavar="PARTS", help=parts)
    speech.add_argument("--baseline", type=Path, metavar="W", help="weights of an earlier model to compare with")
    speech.add_argument("--errors", type=Path, metavar="FILE", help="list every missed and made-up contact, as JSON")


def evaluate(options: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        ErlnetError: no such data, voice or weights.
    """
    if not options.data.is_dir():
        raise ErlnetError("No such folder", options.data, "make it with `make speech` or `make avatar`")
    if options.what == "speech":
        from .neural.adf.evaluation.report import PARTS, evaluate

        only = options.only.split(",") if options.only else PARTS
        figures = evaluate(
            options.data, options.weights, options.split, options.voice, options.errors, only, options.baseline
        )
    else:
        from .neural.dbf_nerf.avatar import default_avatar_path
        from .neural.dbf_nerf.evaluation import evaluate

        figures = evaluate(options.weights or default_avatar_path(), options.data)
    if options.json:
        print(json.dumps(_without_nan(figures)))
    else:
        _print_figures(figures)


def _without_nan(value):
    """The share of no events at all is NaN, which JSON does not know: null."""
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and value != value else value


def _print_figures(figures: dict, indent: str = "") -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print_figures(value, indent + "  ")
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"{indent}{name:{32 - len(indent)}}{shown}")
