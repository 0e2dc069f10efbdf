"""Training an avatar from a capture: fields, and if wanted poses, from pictures; resumable at any time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from ....errors import ErlnetError
from ....formats.head_model import HeadModel, default_head_path
from ..avatar import Avatar, check_head, new_field
from ..band import default_band, hair_strands
from ..dataset import CaptureDataset
from ..driving_mesh import DrivingMesh
from ..renderer import choose_device
from .distributed import Crew
from .plan import TrainingPlan
from .run import Run

__all__ = ["TrainingPlan", "train"]

_POSES_OFF_M = 0.003
"""How much farther rays look where poses may be off, so that the picture is within reach of them."""


def train(
    dataset: str | os.PathLike,
    out: str | os.PathLike,
    steps: int = 6000,
    resume: bool = False,
    threads: int = 2,
    seed: int = 0,
    seconds: float | None = None,
    head: HeadModel | None = None,
    state_path: str | os.PathLike | None = None,
    report: Callable[[str], None] = print,
    after_state: Callable[[Avatar], None] | None = None,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    **options,
) -> Avatar:
    """Train on the capture's "train" shots and write the avatar to `out`.

    Beside `out` lie, while it trains and after, a picture of how held-out frames look (`.preview.png`), and with
    `refine_poses` the refined track (`.track.npz`).

    Args:
        dataset: folder of a capture; resume: go on from the state beside `out` (or at `state_path`), if there.
        head: the head model that the capture shows, the shipped one if left out.
        report: gets one line every few seconds; progress: the share that is done, and the same line.
        after_state: called with the avatar whenever the state is saved; cancelled: asked at every step.
        options: the rest of `TrainingPlan`.

    Raises:
        ErlnetError: the capture cannot be used, or the state belongs to another run; Cancelled, after saving.
    """
    plan = TrainingPlan(steps=steps, seconds=seconds, threads=threads, seed=seed, **options)
    crew = Crew()
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    device = choose_device(plan.device)
    if device.type == "cuda" and crew.size > 1:
        device = torch.device("cuda", crew.local_rank)
    capture = CaptureDataset.load(dataset)
    head = head or HeadModel.load(default_head_path())
    check_head(head.id, capture.track.head_id)
    if not capture.of("train"):
        raise ErlnetError("The capture has no training pictures", capture.folder)
    avatar = _first_avatar(plan, head, device)
    state_path = Path(state_path) if state_path else Path(out).with_suffix(".state.pt")
    run = Run(plan, avatar, head, capture, device, crew, state_path, Path(out), report, progress, cancelled)
    if resume:
        run.restore()
    run.loop(after_state)
    avatar.made = {**avatar.made, "training": run.figures(), "capture_frames": len(capture.of("train"))}
    if crew.leads:
        avatar.save(out)
    crew.leave()
    return avatar


def _first_avatar(plan: TrainingPlan, head: HeadModel, device: torch.device) -> Avatar:
    if plan.start_from is not None:
        avatar = Avatar.load(plan.start_from)
        avatar.driving_mesh(head)  # refuses another head
    else:
        band = default_band(head, hair_strands(head))
        if plan.refine_poses:
            band = band + _POSES_OFF_M
        avatar = Avatar(new_field(DrivingMesh(head, band), **plan.sizes), band, head.id, plan.samples)
    avatar.samples = plan.samples
    avatar.field.to(device)
    return avatar
