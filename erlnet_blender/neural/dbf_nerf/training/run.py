"""One optimisation: network, poses, optimiser, schedule, and its state on disk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....errors import Cancelled, ErlnetError
from ....formats.atomic import atomic_path
from ....formats.head_model import HeadModel
from ..avatar import Avatar
from ..dataset import CaptureDataset
from ..driving_mesh import DrivingMesh
from ..hash_grid import HashGrid
from ..losses import image_loss, pixel_loss
from ..ray_band import RayBand
from ..ray_pool import premultiplied
from ..render_rays import Pixels, render_rays
from .active_pool import SHARE, ActivePool
from .distributed import Crew
from .material import Material
from .plan import GRID_RATE, NETWORK_RATE, TrainingPlan
from .previews import Previews
from .refinement import ENDS, STARTS, Refinement, level_weights

_STATE_EVERY_S = 60.0
_REPORT_EVERY_S = 15.0
_FINE_SHARE = 0.4  # weight of the pixels with edges, a tenth as many as rays


class Run:
    """One optimisation of an avatar.

    Args:
        crew: the processes that share it; state_path: where its state is kept; out: where the avatar will be.
        report, progress, cancelled: see `train`.
    """

    def __init__(
        self, plan: TrainingPlan, avatar: Avatar, head: HeadModel, capture: CaptureDataset, device: torch.device,
        crew: Crew, state_path: Path, out: Path, report: Callable[[str], None],
        progress: Callable[[float, str], None] | None, cancelled: Callable[[], bool] | None,
    ) -> None:  # fmt: skip
        self.plan, self.avatar, self.device, self.crew, self.state_path = plan, avatar, device, crew, state_path
        self.report = report if crew.leads else lambda line: None
        self.told, self.cancelled = progress or (lambda share, line: None), cancelled or (lambda: False)
        self.mesh = DrivingMesh(head, avatar.band, device)
        self.material = Material(self.mesh, capture, plan)
        self.previews = Previews(avatar, self.mesh, capture, out, plan.patience)
        self.refinement = None
        if plan.refine_poses:
            self.refinement = Refinement(self.mesh, self.material.track(), self.material.small_pictures())
        if avatar.field.config.appearance:
            avatar.field.learn_appearances(len(self.material.track()))
        network = avatar.field.requires_grad_(True).train()
        self._grids = [part for part in network.modules() if isinstance(part, HashGrid)]
        grids = [value for name, value in network.named_parameters() if "grid" in name]
        others = [value for name, value in network.named_parameters() if "grid" not in name]
        groups: list[dict] = [
            {"params": part, "lr": rate * plan.rate} for part, rate in ((grids, GRID_RATE), (others, NETWORK_RATE))
        ]
        # eps far below the tiny gradients of rarely seen table rows, after instant-ngp
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15, fused=True)
        self.pose_optimizer = torch.optim.Adam(self.refinement.groups(), eps=1e-10) if self.refinement else None
        for optimizer in (self.optimizer, self.pose_optimizer):
            for group in optimizer.param_groups if optimizer else ():
                group["initial_lr"] = group["lr"]
        # Every process of a crew draws rays of its own.
        self.generator = torch.Generator(device).manual_seed(plan.seed + 7919 * crew.rank)
        self.active = ActivePool(device)
        self.step, self.elapsed_s, self.losses = 0, 0.0, []

    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        return self.plan.progress(self.step, self.elapsed_s)

    def loop(self, after_state: Callable[[Avatar], None] | None) -> None:
        """Train to the end of the plan, or until the held-out pictures get no better."""
        saved = reported = time.monotonic()
        while self.progress() < 1 and not self.previews.stale:
            if self.cancelled():
                self.save()
                raise Cancelled
            began = time.monotonic()
            if self.material.is_due(self.progress()):
                self._gather()
            self.losses.append(self._update())
            self.step += 1
            self.elapsed_s = self.crew.agreed(self.elapsed_s + time.monotonic() - began)
            now = time.monotonic()
            if now - reported > _REPORT_EVERY_S:
                reported = now
                self._tell()
            if now - saved > _STATE_EVERY_S:
                self._keep(after_state)
                saved = time.monotonic()
        self._keep(None)
        self._tell()

    def _gather(self) -> None:
        """Take a new share of the capture into memory, posed as it is now held to be."""
        track = None
        if self.refinement is not None:
            track = self.refinement.refined_track()
            self.refinement.note_built()
        self.material.gather(self.progress(), track)
        self.active = ActivePool(self.device)
        self.report(self.material.described())

    def _keep(self, after_state: Callable[[Avatar], None] | None) -> None:
        if not self.crew.leads:
            return
        self.save()
        self.report(self.previews.look(self.refinement.refined_track() if self.refinement else None, self.step))
        if after_state:
            after_state(self.avatar)

    def _update(self) -> float:
        progress = self.progress()
        poses_move = self.refinement is not None and STARTS < progress < ENDS
        if self.refinement is not None:
            for grid in self._grids:
                shown = level_weights(progress, len(grid.levels)).to(self.device)
                grid.shown = None if bool((shown == 1).all()) else shown
        self.frames = self.material.pool.frames
        if poses_move:
            self.frames = self.refinement.moving(self.frames, self.material.chosen)
        loss = self._ray_loss()
        if len(self.material.pool.fine.rays):
            loss = loss + _FINE_SHARE * self._edge_loss()
        if poses_move:
            loss = loss + self.refinement.pull_back()
        self._descend(loss, progress, poses_move)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ErlnetError(f"Training diverged at step {self.step}", "", "start again with another seed")
        return value

    def _descend(self, loss: Tensor, progress: float, poses_move: bool) -> None:
        optimizers = [self.optimizer, *([self.pose_optimizer] if poses_move else [])]
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        factor = self.plan.rate_factor(self.step, progress)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
            self.crew.average_gradients([p for group in optimizer.param_groups for p in group["params"]])
            optimizer.step()

    def _ray_loss(self) -> Tensor:
        """Pixels that take one ray."""
        pool = self.material.pool
        worst = self.active.draw(round(SHARE * self.plan.rays), self.generator) if self.plan.active_pool else None
        chosen = pool.draw(self.plan.rays - (0 if worst is None else len(worst)), self.generator).long()
        if worst is not None:
            chosen = torch.cat([worst, chosen])
        pixels = self._render(pool.frame[chosen], pool.band[chosen], self.plan.head_only > 0)
        background = self._random(len(chosen), 3)
        loss, errors = pixel_loss(pixels, pool.targets(chosen), background, self.plan.head_only)
        if self.plan.active_pool:
            self.active.note(chosen, errors)
        return loss

    def _edge_loss(self) -> Tensor:
        """Pixels whose rays are averaged."""
        fine, count = self.material.pool.fine, max(1, self.plan.rays // 10)
        chosen = torch.randint(len(fine.rays), (count,), generator=self.generator, device=self.device)
        rays = fine.rays[chosen]
        place, corner = torch.nonzero(rays >= 0, as_tuple=True)
        ray = rays[place, corner]
        pixels = self._render(fine.frame[ray], fine.band[ray])
        value = torch.cat([pixels.colour, pixels.alpha[:, None]], 1) / rays.shape[1]
        mean = value.new_zeros(count, 4).index_add(0, place, value)
        return image_loss(mean[:, :3], mean[:, 3], premultiplied(fine.rgba[chosen]), self._random(count, 3))

    def _random(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def _render(self, frame: Tensor, band: RayBand, head_alone: bool = False) -> Pixels:
        jitter = self._random(len(band), self.plan.samples)
        field, codes = self.avatar.field, self.avatar.field.appearances
        appearance = codes[self.material.chosen] if codes is not None else None
        return render_rays(
            field, self.mesh, self.frames, frame.long(), band, self.plan.samples, jitter, head_alone, appearance
        )

    def _tell(self) -> None:
        recent = float(np.mean(self.losses[-200:])) if self.losses else float("nan")
        speed, share = self.step / max(self.elapsed_s, 1e-9), self.progress()
        line = f"step {self.step} {100 * share:.0f} % {self.elapsed_s:.0f} s {speed:.1f} it/s loss {recent:.4f}"
        self.report(line)
        self.told(share, line)

    def figures(self) -> dict:
        """What the avatar's metadata say about the run."""
        plan = self.plan
        return {
            "steps": self.step,
            "seconds": round(self.elapsed_s),
            "rays": plan.rays,
            "samples": plan.samples,
            "seed": plan.seed,
            "threads": plan.threads,
            "head_only": plan.head_only,
            "active_pool": plan.active_pool,
            "refined_poses": plan.refine_poses,
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
        if self.refinement is not None:
            state |= {"poses": self.refinement.state_dict(), "pose_optimizer": self.pose_optimizer.state_dict()}
        with atomic_path(self.state_path) as temporary:
            torch.save(state, temporary)

    def restore(self) -> None:
        """Go on from the state, if there is one.

        Raises:
            ErlnetError: it is damaged, or another run's.
        """
        if not self.state_path.is_file():
            return
        try:
            state = torch.load(self.state_path, weights_only=True, map_location=self.device)
            if not np.array_equal(state["band"].cpu().numpy(), self.avatar.band):
                raise ValueError("its head or band is another one")
            if ("poses" in state) != (self.refinement is not None):
                raise ValueError("one refines poses, the other does not")
            self.avatar.field.load_state_dict(state["field"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"].cpu())
            if self.refinement is not None:
                self.refinement.load_state_dict(state["poses"], strict=False)
                self.pose_optimizer.load_state_dict(state["pose_optimizer"])
            self.step, self.elapsed_s = int(state["step"]), float(state["elapsed_s"])
        except Exception as error:  # a damaged pickle raises almost anything
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ErlnetError(f"Cannot resume ({reason})", self.state_path, "delete it and start again") from error
        self.report(f"resumed at step {self.step}")
