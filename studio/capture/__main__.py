"""`python -m studio.capture -o build/capture`: render the capture; go on where an earlier run stopped."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.atomic import write_bytes
from erlnet_blender.formats.head_model import HeadModel, default_head_path
from erlnet_blender.neural.dbf_nerf.dataset import frame_entry

from .poses import Shoot, shoot


def main() -> int:
    """Parse the call, render, print a line a picture."""
    parser = argparse.ArgumentParser(prog="python -m studio.capture", description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the capture")
    parser.add_argument("--head", type=Path, default=default_head_path())
    parser.add_argument("--frames", type=int, default=204, help="training poses")
    parser.add_argument("--test", type=int, default=24, help="held-out poses")
    parser.add_argument("--sweep", type=int, default=12, help="poses of a turn of the neck")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--samples", type=int, default=16, help="Cycles samples a pixel")
    parser.add_argument("--judge-samples", type=int, default=32, help="likewise for the held-out poses")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    try:
        capture(arguments)
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def capture(arguments: argparse.Namespace) -> None:
    """Render every pose that has no picture yet; the index always lists what is there."""
    out: Path = arguments.out
    head = HeadModel.load(arguments.head)
    plan = shoot(head, arguments.frames, arguments.test, arguments.sweep, arguments.size, arguments.seed)
    (out / "images").mkdir(parents=True, exist_ok=True)
    if (out / "track.npz").is_file():
        there = FaceTrack.load(out / "track.npz")
        if there.expr.shape != plan.track.expr.shape or not np.allclose(there.neck_pose, plan.track.neck_pose):
            raise ErlnetError("Another capture is here", out, "choose another folder, or delete it")
    plan.track.save(out / "track.npz")
    missing = [number for number in spread(plan.splits) if not picture_path(out, number).is_file()]
    if missing:
        from .film import FilmSet

        film = FilmSet(head, arguments.size, arguments.threads)
        for done, number in enumerate(missing):
            began = time.monotonic()
            film.samples(arguments.samples if plan.splits[number] == "train" else arguments.judge_samples)
            film.shoot(plan.track[number], plan.cameras[number], picture_path(out, number))
            write_index(out, plan, arguments)
            print(f"{done + 1}/{len(missing)} picture {number} {time.monotonic() - began:.1f} s", flush=True)
    write_index(out, plan, arguments)


def picture_path(out: Path, number: int) -> Path:
    """Where a pose's picture lies."""
    return out / "images" / f"{number:05d}.png"


def spread(splits: list[str]) -> list[int]:
    """All numbers, with every split spread evenly, so that an unfinished capture is of use."""
    count = {split: splits.count(split) for split in splits}
    seen = dict.fromkeys(count, 0)
    places = []
    for number, split in enumerate(splits):
        places.append(((seen[split] + 0.5) / count[split], number))
        seen[split] += 1
    return [number for _, number in sorted(places)]


def write_index(out: Path, plan: Shoot, arguments: argparse.Namespace) -> None:
    """transforms.json with the pictures that exist."""
    frames = [
        frame_entry(f"images/{number:05d}.png", number, camera, split)
        for number, (camera, split) in enumerate(zip(plan.cameras, plan.splits, strict=True))
        if picture_path(out, number).is_file()
    ]
    made = {
        "samples": arguments.samples,
        "judge_samples": arguments.judge_samples,
        "seed": arguments.seed,
        "view_transform": "Standard",
    }
    data = {"camera_model": "OPENCV", "made": made, "frames": frames}
    write_bytes(out / "transforms.json", json.dumps(data, indent=1).encode())


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # bpy may keep threads alive; everything is written by now.
    os._exit(status)
