"""The share of a capture that training has in memory, and when the next one takes its turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ....face_track import FaceTrack
from ..dataset import CaptureDataset
from ..driving_mesh import DrivingMesh
from ..ray_pool import RayPool, build_ray_pool, describe
from .plan import TrainingPlan
from .refinement import PICTURE

_ROUNDS = 8
"""Shares of a run that each get another part of a capture that is too large to be had in memory as a whole."""
_POSED_ANEW = (0.12, 0.3, 0.5, 0.75)
"""When rays are cast anew at refined poses."""


class Material:
    """Rays of the training shots.

    Attributes:
        pool: the rays in memory; chosen: (n,) which training frames they show, as numbers into `track()`.
    """

    pool: RayPool
    chosen: Tensor

    def __init__(self, mesh: DrivingMesh, capture: CaptureDataset, plan: TrainingPlan) -> None:
        self.mesh, self.capture, self.plan = mesh, capture, plan
        self.shots = capture.of("train")
        timesteps = sorted({shot.timestep for shot in self.shots})
        self._frames = {timestep: number for number, timestep in enumerate(timesteps)}
        self._gathered: float | None = None
        turns = [number / _ROUNDS for number in range(1, _ROUNDS)] if len(self.shots) > plan.frames_at_once else []
        self._moments = sorted({*turns, *(_POSED_ANEW if plan.refine_poses else ())})

    def track(self) -> FaceTrack:
        """The frames that training pictures show, each once, as the capture has them."""
        return self.capture.track[np.array(sorted(self._frames))]

    def small_pictures(self) -> Tensor:
        """(F, 4, 64, 64) premultiplied pictures of those frames, of the first camera that shows each."""
        first: dict[int, Tensor] = {}
        for shot in self.shots:
            if shot.timestep not in first:
                picture = Image.fromarray(self.capture.picture(shot)).convert("RGBa")
                small = np.asarray(picture.resize((PICTURE, PICTURE), Image.Resampling.BOX), np.float32) / 255
                first[shot.timestep] = torch.from_numpy(small).permute(2, 0, 1)
        return torch.stack([first[timestep] for timestep in sorted(first)])

    def is_due(self, progress: float) -> bool:
        """Whether the rays in memory should be replaced at this share of the run."""
        if self._gathered is None:
            return True
        return any(self._gathered < moment <= progress for moment in self._moments)

    def gather(self, progress: float, track: FaceTrack | None) -> None:
        """Cast rays of the next part of the shots, or of all of them if there are few enough.

        Args:
            track: the frames as they are now held to be, as `track()` has them; None: as the capture has them.
        """
        self._gathered = progress
        part = self.shots
        if len(part) > self.plan.frames_at_once:
            turn = sum(moment <= progress for moment in self._moments)
            order = np.random.default_rng([self.plan.seed, turn]).permutation(len(part))
            part = [self.shots[number] for number in sorted(order[: self.plan.frames_at_once])]
        capture = self.capture
        if track is not None:
            capture = replace(capture, track=track)
            shown = [replace(shot, timestep=self._frames[shot.timestep]) for shot in part]
        else:
            shown = part
        self.chosen = torch.tensor([self._frames[shot.timestep] for shot in part], device=self.mesh.device)
        self.pool = build_ray_pool(self.mesh, capture, shown, most_rays=self.plan.rays_at_once, seed=self.plan.seed)

    def described(self) -> str:
        """One line of figures."""
        return describe(self.pool)
