"""What each part of DBF-NeRF buys, in one table: ``python -m benchmarks.dbf_nerf_ablation CAPTURE``.

Every variant is trained on the same data for as many steps from the same seeds, once on the capture's poses and once
on poses with errors like a tracker's (``--pose-error``: of the neck's rotation in degrees and of the root's
translation in metres, standard deviations of each coordinate; the same for all variants of a seed). Measured is on
the shots "test" and "sweep" at the poses that are true. Finished runs are kept in the JSON file (``-o``) and not done
again; one that was killed goes on from its last state.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from erlnet_blender.errors import ErlnetError
from erlnet_blender.face_track import FaceTrack
from erlnet_blender.formats.atomic import write_bytes
from erlnet_blender.formats.head_model import HeadModel
from erlnet_blender.neural.dbf_nerf.dataset import CaptureDataset
from erlnet_blender.neural.dbf_nerf.evaluation import evaluate
from erlnet_blender.neural.dbf_nerf.training import train

HEAD_ONLY = 0.3  # weight of the head branch's own picture
# Each changes one thing of the first; a single field has no head branch to be looked at alone.
VARIANTS: dict[str, dict] = {
    "fused": {},
    "composite": {"sizes": {"branches": "composite"}},
    "single": {"sizes": {"branches": "single"}, "head_only": 0.0},
    "fused without deform": {"sizes": {"deform": False}},
    "fused without head-only supervision": {"head_only": 0.0},
    "fused without active pool": {"active_pool": False},
    "fused without pose refinement": {"refine_poses": False},
}
SPLITS = ("test", "sweep")
COLUMNS = (
    ("test", "psnr_full"), ("test", "psnr_head"), ("test", "psnr_neck"), ("test", "ssim_neck"), ("test", "psnr_mouth"),
    ("test", "psnr_eyes"), ("sweep", "psnr_full"), ("sweep", "psnr_neck"),
)  # fmt: skip
PAIRED = ("test", "psnr_neck")


def disturbed(track: FaceTrack, timesteps: list[int], rotation_deg: float, move_m: float, seed: int) -> FaceTrack:
    """A track whose necks and roots are off in the frames `timesteps`, by errors that the seed alone decides.

    Args:
        rotation_deg, move_m: standard deviation of each coordinate of the error.
    """
    random = np.random.default_rng([seed, 77])
    turns = np.radians(rotation_deg) * random.standard_normal((len(track), 3))
    moves = move_m * random.standard_normal((len(track), 3))
    neck, translation = track.neck_pose.copy(), track.translation.copy()
    turned = Rotation.from_rotvec(turns[timesteps]) * Rotation.from_rotvec(neck[timesteps])
    neck[timesteps] = turned.as_rotvec()
    translation[timesteps] += moves[timesteps]
    return replace(track, neck_pose=neck, translation=translation)


def write_disturbed(folder: Path, out: Path, rotation_deg: float, move_m: float, seed: int) -> Path:
    """The capture in `folder` with disturbed poses of its training frames, at `out`; it shares the pictures' bytes."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)

    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder, out, copy_function=link)
    capture = CaptureDataset.load(folder)
    timesteps = sorted({shot.timestep for shot in capture.of("train")})
    (out / "track.npz").unlink()  # not to write through the link
    disturbed(capture.track, timesteps, rotation_deg, move_m, seed).save(out / "track.npz")
    return out


@dataclass
class Ablation:
    """Runs that are done, and the way to more.

    Args:
        capture: its folder; out: the JSON file; avatars lie in a folder of its name beside it.
        steps: of each run; pose_error: degrees and metres, see `disturbed`.
        options: of all runs alike, as `train` has them.
        head: the head model that the capture shows, the shipped one if left out.
    """

    capture: Path
    out: Path
    steps: int
    pose_error: tuple[float, float]
    options: dict = field(default_factory=dict)
    head: HeadModel | None = None
    report: Callable[[str], None] = print

    def __post_init__(self) -> None:
        self.done: dict[str, dict] = {}
        self.folder = self.out.with_suffix("")
        if not self.out.is_file():
            return
        try:
            data = json.loads(self.out.read_text("utf-8"))
            self.done, capture = dict(data["runs"]), data["capture"]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ErlnetError("Not the figures of an ablation", self.out, "choose another name for them") from error
        if capture != str(self.capture.resolve()):
            raise ErlnetError(f"These are figures of {capture}", self.out, "choose another name for the new ones")

    @property
    def poses(self) -> list[str]:
        """The captures' poses, in words."""
        rotation_deg, move_m = self.pose_error
        return ["perfect", *([f"off by {rotation_deg:g}° and {1000 * move_m:g} mm"] if rotation_deg or move_m else [])]

    def key(self, variant: str, poses: str, seed: int) -> str:
        """The run's name in the JSON file."""
        told = {name: value for name, value in self.options.items() if name not in ("threads", "device")}
        more = [f"; {name} {value}" for name, value in sorted(told.items())]
        return f"{variant}; poses {poses}; {self.steps} steps{''.join(more)}; seed {seed}"

    def run(self, variant: str, poses: str, seed: int) -> dict:
        """Figures of a run, which is done now unless it has been."""
        key = self.key(variant, poses, seed)
        if key not in self.done:
            self.report(f"== {key}")
            name = f"{variant.replace(' ', '-')}-{sha256(key.encode()).hexdigest()[:10]}"
            self.done[key] = self._measure(variant, poses, seed, name)
            data = {"capture": str(self.capture.resolve()), "runs": self.done}
            write_bytes(self.out, json.dumps(data, indent=1, sort_keys=True).encode() + b"\n")
        return self.done[key]

    def _measure(self, variant: str, poses: str, seed: int, name: str) -> dict:
        folder = self.capture
        if poses != "perfect":
            folder = write_disturbed(self.capture, self.folder / f"capture-{seed}", *self.pose_error, seed)
        settings = {"head_only": HEAD_ONLY, "active_pool": True, "refine_poses": True, **self.options}
        settings = {**settings, **VARIANTS[variant]}
        settings["sizes"] = {**self.options.get("sizes", {}), **settings.get("sizes", {})}
        path, state = self.folder / f"{name}.safetensors", self.folder / f"{name}.state.pt"
        avatar = train(
            folder, path, steps=self.steps, seed=seed, resume=True, head=self.head, state_path=state,
            report=self.report, **settings,
        )  # fmt: skip
        capture = CaptureDataset.load(self.capture)
        figures = {
            split: evaluate(path, self.capture, split, head=self.head) for split in SPLITS if capture.of(split)
        }
        state.unlink(missing_ok=True)
        return {"training": avatar.made["training"], **figures}

    def tables(self, variants: list[str], seeds: list[int]) -> str:
        """A table for each kind of poses: mean and standard deviation over seeds; runs that are missing are done."""
        # Seeds outside, so that all rows are there early.
        runs = {
            (poses, variant, seed): self.run(variant, poses, seed)
            for seed in seeds
            for poses in self.poses
            for variant in variants
        }
        return "\n".join(
            table(poses, {variant: [runs[poses, variant, seed] for seed in seeds] for variant in variants})
            for poses in self.poses
        )


def table(poses: str, rows: dict[str, list[dict]]) -> str:
    """Markdown: mean ± standard deviation over seeds, and of the neck's PSNR seed by seed against the first row."""
    first, reference = next(iter(rows.items()))
    columns = [(split, name) for split, name in COLUMNS if all(name in run.get(split, {}) for run in reference)]
    titles = [f"{split} {name.replace('_', ' ')}" for split, name in columns]
    paired = PAIRED in columns
    titles += ["minutes", *([f"{' '.join(PAIRED).replace('_', ' ')} − {first}"] if paired else [])]
    lines = [f"## Poses: {poses}", "", "| | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for variant, runs in rows.items():
        cells = [spread([run[split][name] for run in runs], 4 if "ssim" in name else 2) for split, name in columns]
        cells.append(spread([run["training"]["seconds"] / 60 for run in runs], 1))
        if paired:
            split, name = PAIRED
            gains = [run[split][name] - other[split][name] for run, other in zip(runs, reference, strict=True)]
            cells.append(spread(gains, 2))
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def spread(values: list[float], digits: int) -> str:
    """Mean ± standard deviation of a sample; of one value the value alone."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


def main() -> None:
    """Run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("build/ablation.json"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument(
        "--pose-error", nargs=2, type=float, default=[1.0, 0.002], metavar=("DEG", "M"), help="0 0: perfect poses only"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    given = parser.parse_args()
    options = {"threads": given.threads, "device": given.device}
    try:
        ablation = Ablation(given.capture, given.out, given.steps, tuple(given.pose_error), options)
        print(ablation.tables(given.variants, list(range(given.seeds))))
    except ErlnetError as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
