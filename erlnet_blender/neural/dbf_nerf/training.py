"""Training an avatar from a capture; resumable at any time."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from ...errors import ErlnetError
from ...formats.atomic import atomic_path
from ...formats.head_model import HeadModel, default_head_path
from .avatar import Avatar, check_head, new_field
from .band import default_band, hair_strands
from .dataset import CaptureDataset
from .driving_mesh import DrivingMesh
from .ray_band import RayBand
from .ray_pool import RayPool, build_ray_pool, describe, premultiplied
from .render_rays import Pixels, render_rays
from .volume_rendering import over

_STATE_EVERY_S = 60.0
_REPORT_EVERY_S = 15.0
_GRID_RATE, _NETWORK_RATE = 1e-2, 2e-3
_FINE_SHARE = 0.4  # weight of the pixels with edges, a tenth as many as rays
_WARM_UP_STEPS, _HOLD, _FINAL_RATE = 100, 0.45, 0.04


@dataclass
class TrainingPlan:
    """What a run should do.

    Args:
        steps: how many; seconds: stop after this much training time, if given, whatever the steps.
        rays: rays a step; samples: samples a ray; threads: CPU threads; seed: of everything random.
        sizes: of the network, as in `FieldConfig`.
        start_from: an avatar whose weights to start from (a fine-tune).
    """

    steps: int = 6000
    seconds: float | None = None
    rays: int = 4096
    samples: int = 8
    threads: int = 2
    seed: int = 0
    rate: float = 1.0
    sizes: dict = field(default_factory=dict)
    start_from: str | os.PathLike | None = None


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
    **options,
) -> Avatar:
    """Train on the capture's "train" shots and write the avatar to `out`.

    Args:
        dataset: folder of a capture; resume: go on from the state beside `out` (or at `state_path`), if there.
        head: the head model that the capture shows, the shipped one if left out.
        report: gets one line every few seconds; after_state: called with the avatar whenever the state is saved.
        options: the rest of `TrainingPlan`.

    Raises:
        ErlnetError: the capture cannot be used, or the state belongs to another run.
    """
    plan = TrainingPlan(steps=steps, seconds=seconds, threads=threads, seed=seed, **options)
    if plan.steps < 1 or plan.rays < 16 or plan.samples < 2 or plan.samples % 2:
        raise ErlnetError("Training needs at least 1 step, 16 rays and an even number of samples")
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    capture = CaptureDataset.load(dataset)
    head = head or HeadModel.load(default_head_path())
    check_head(head.id, capture.track.head_id)
    shots = capture.of("train")
    if not shots:
        raise ErlnetError("The capture has no training pictures", capture.folder)
    if plan.start_from is not None:
        avatar = Avatar.load(plan.start_from)
        mesh = avatar.driving_mesh(head)
    else:
        band = default_band(head, hair_strands(head))
        mesh = DrivingMesh(head, band)
        avatar = Avatar(new_field(mesh, **plan.sizes), band, head.id, plan.samples)
    avatar.samples = plan.samples
    pool = build_ray_pool(mesh, capture, shots)
    report(describe(pool))
    state_path = Path(state_path) if state_path else Path(out).with_suffix(".state.pt")
    run = _Run(plan, avatar, mesh, pool, state_path, report)
    if resume:
        run.restore()
    run.loop(after_state)
    avatar.made = {**avatar.made, "training": run.figures(), "capture_frames": len(shots)}
    avatar.save(out)
    return avatar


class _Run:
    """One optimisation: network, optimiser, schedule, and its state on disk."""

    def __init__(
        self, plan: TrainingPlan, avatar: Avatar, mesh: DrivingMesh, pool: RayPool, state_path: Path, report: Callable
    ) -> None:
        self.plan, self.avatar, self.mesh, self.pool = plan, avatar, mesh, pool
        self.state_path, self.report = state_path, report
        network = avatar.field.requires_grad_(True).train()
        grids = [value for name, value in network.named_parameters() if "grid" in name]
        others = [value for name, value in network.named_parameters() if "grid" not in name]
        groups = [{"params": grids, "lr": _GRID_RATE * plan.rate}, {"params": others, "lr": _NETWORK_RATE * plan.rate}]
        # eps far below the tiny gradients of rarely seen table rows, after instant-ngp
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15, fused=True)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.step, self.elapsed_s, self.losses = 0, 0.0, []

    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        by_time = self.elapsed_s / self.plan.seconds if self.plan.seconds else 0.0
        return max(self.step / self.plan.steps, by_time)

    def loop(self, after_state: Callable[[Avatar], None] | None) -> None:
        """Train to the end of the plan."""
        saved = reported = time.monotonic()
        while self.progress() < 1:
            began = time.monotonic()
            self.losses.append(self._update())
            self.step += 1
            now = time.monotonic()
            self.elapsed_s += now - began
            if now - reported > _REPORT_EVERY_S:
                reported = now
                self.report(self._line())
            if now - saved > _STATE_EVERY_S:
                self.save()
                if after_state:
                    after_state(self.avatar)
                saved = time.monotonic()
        self.save()
        self.report(self._line())

    def _update(self) -> float:
        loss = self._ray_loss()
        if len(self.pool.fine.rays):
            loss = loss + _FINE_SHARE * self._edge_loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self._rate_factor()
        self.optimizer.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ErlnetError(f"Training diverged at step {self.step}", "", "start again with another seed")
        return value

    def _ray_loss(self) -> Tensor:
        """Pixels that take one ray."""
        chosen = self.pool.draw(self.plan.rays, self.generator)
        pixels = self._render(self.pool.frame[chosen], self.pool.band[chosen])
        background = torch.rand(len(chosen), 3, generator=self.generator)
        return image_loss(pixels.colour, pixels.alpha, self.pool.targets(chosen), background)

    def _edge_loss(self) -> Tensor:
        """Pixels whose rays are averaged."""
        fine, count = self.pool.fine, max(1, self.plan.rays // 10)
        chosen = torch.randint(len(fine.rays), (count,), generator=self.generator)
        rays = fine.rays[chosen]
        place, corner = torch.nonzero(rays >= 0, as_tuple=True)
        ray = rays[place, corner]
        pixels = self._render(fine.frame[ray], fine.band[ray])
        value = torch.cat([pixels.colour, pixels.alpha[:, None]], 1) / rays.shape[1]
        mean = value.new_zeros(count, 4).index_add(0, place, value)
        background = torch.rand(count, 3, generator=self.generator)
        return image_loss(mean[:, :3], mean[:, 3], premultiplied(fine.rgba[chosen]), background)

    def _render(self, frame: Tensor, band: RayBand) -> Pixels:
        jitter = torch.rand(len(band), self.plan.samples, generator=self.generator)
        return render_rays(
            self.avatar.field, self.mesh, self.pool.frames, frame.long(), band, self.plan.samples, jitter
        )

    def _rate_factor(self) -> float:
        """High for almost half of the run, since the empty shell must be carved first; then down smoothly."""
        decay = max(0.0, (self.progress() - _HOLD) / (1 - _HOLD))
        return min(1.0, (self.step + 1) / _WARM_UP_STEPS) * _FINAL_RATE**decay

    def _line(self) -> str:
        recent = float(np.mean(self.losses[-200:])) if self.losses else float("nan")
        speed = self.step / max(self.elapsed_s, 1e-9)
        return (
            f"step {self.step} {100 * self.progress():.0f} % {self.elapsed_s:.0f} s {speed:.1f} it/s loss {recent:.4f}"
        )

    def figures(self) -> dict:
        """What the avatar's metadata say about the run."""
        return {
            "steps": self.step,
            "seconds": round(self.elapsed_s),
            "rays": self.plan.rays,
            "samples": self.plan.samples,
            "seed": self.plan.seed,
            "threads": self.plan.threads,
            "loss": round(float(np.mean(self.losses[-200:])), 5) if self.losses else None,
        }

    def save(self) -> None:
        """Write the whole state at once."""
        state = {
            "field": self.avatar.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "band": torch.as_tensor(self.avatar.band),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        with atomic_path(self.state_path) as temporary:
            torch.save(state, temporary)

    def restore(self) -> None:
        """Go on from the state, if there is one."""
        if not self.state_path.is_file():
            return
        try:
            state = torch.load(self.state_path, weights_only=True)
            if not np.array_equal(state["band"].numpy(), self.avatar.band):
                raise ValueError("its head or band is another one")
            self.avatar.field.load_state_dict(state["field"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
        except Exception as error:  # a damaged pickle raises almost anything
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ErlnetError(f"Cannot resume ({reason})", self.state_path, "delete it and start again") from error
        self.report(f"resumed at step {self.step}")


def image_loss(colour: Tensor, alpha: Tensor, target: Tensor, background: Tensor) -> Tensor:
    """Huber loss of the pictures over a random background, plus a little on alpha alone.

    Args:
        colour: (N, 3) premultiplied; alpha: (N,); target: (N, 4) premultiplied; background: (N, 3).
    """
    ours, truth = over(colour, alpha, background), over(target[:, :3], target[:, 3], background)
    return 20 * smooth_l1_loss(ours, truth, beta=0.05) + 0.05 * (alpha - target[:, 3]).abs().mean()
