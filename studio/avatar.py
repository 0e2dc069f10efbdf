"""`python -m studio.avatar build/capture -o erlnet_blender/assets/default_avatar.safetensors`: train, judge, label.

The avatar's metadata say the command, the seed and the figures on the held-out shots, so that the file tells
how it was made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from erlnet_blender.errors import ErlnetError
from erlnet_blender.neural.dbf_nerf.avatar import Avatar
from erlnet_blender.neural.dbf_nerf.dataset import CaptureDataset
from erlnet_blender.neural.dbf_nerf.evaluation import evaluate, save_comparison
from erlnet_blender.neural.dbf_nerf.renderer import AvatarRenderer
from erlnet_blender.neural.dbf_nerf.training import train


def main() -> int:
    """Parse the call, train, evaluate, write."""
    parser = argparse.ArgumentParser(prog="python -m studio.avatar", description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seconds", type=float, help="stop after this much training, whatever the steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rays", type=int, default=4096)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates")
    parser.add_argument("--mirror-waves", type=int, default=0, help="octaves for the eyes' highlights; 2 is enough")
    parser.add_argument("--start-from", type=Path, help="an avatar to fine-tune")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("build/avatar"), help="state and pictures of the run")
    arguments = parser.parse_args()
    try:
        make(arguments)
    except ErlnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def make(arguments: argparse.Namespace) -> None:
    """Train in the work folder; the finished avatar moves to its place at the end."""
    capture = CaptureDataset.load(arguments.capture)
    preview = arguments.work / "preview.png"

    def look(avatar: Avatar) -> None:
        avatar.save(arguments.work / "latest.safetensors")

    avatar = train(
        arguments.capture,
        arguments.work / "avatar.safetensors",
        steps=arguments.steps,
        seconds=arguments.seconds,
        threads=arguments.threads,
        seed=arguments.seed,
        resume=arguments.resume,
        rays=arguments.rays,
        samples=arguments.samples,
        rate=arguments.rate,
        sizes={"mirror_waves": arguments.mirror_waves},
        start_from=arguments.start_from,
        state_path=arguments.work / "state.pt",
        report=lambda line: print(line, flush=True),
        after_state=look,
    )
    # Judge what will be shipped: half-precision weights.
    shipped = Avatar.load(arguments.work / "avatar.safetensors")
    figures = {split: evaluate(shipped, arguments.capture, split) for split in ("test", "sweep") if capture.of(split)}
    command = "python -m studio.avatar " + " ".join(sys.argv[1:])
    avatar.made = {**avatar.made, "command": command, "evaluation": figures}
    avatar.save(arguments.out)
    save_comparison(AvatarRenderer(shipped), capture, capture.of("test")[:6], preview)
    for split, values in figures.items():
        print(split, values, flush=True)


if __name__ == "__main__":
    sys.exit(main())
