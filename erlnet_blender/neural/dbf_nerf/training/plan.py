"""What a training run should do."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ....errors import ErlnetError

GRID_RATE, NETWORK_RATE = 1e-2, 2e-3
_WARM_UP_STEPS, _HOLD, _FINAL_RATE = 100, 0.45, 0.04


@dataclass
class TrainingPlan:
    """Options of a run.

    Args:
        steps: how many; seconds: stop after this much training time, if given, whatever the steps.
        rays: rays a step; samples: samples a ray; threads: CPU threads; seed: of everything random.
        device: auto, cpu or cuda; rate: factor on the learning rates; sizes: of the network, as in `FieldConfig`.
        start_from: an avatar whose weights to start from (a fine-tune).
        head_only: weight of the loss of the head branch's own picture.
        active_pool: spend a share of each batch on the rays that were worst lately.
        refine_poses: let head poses and FLAME parameters of the training frames move, too.
        patience: end the run when this many looks at held-out pictures in a row brought nothing; None: never.
        frames_at_once, rays_at_once: how much of the capture lies in memory; the rest takes turns.
    """

    steps: int = 6000
    seconds: float | None = None
    rays: int = 4096
    samples: int = 8
    threads: int = 2
    seed: int = 0
    device: str = "auto"
    rate: float = 1.0
    sizes: dict = field(default_factory=dict)
    start_from: str | os.PathLike | None = None
    head_only: float = 0.0
    active_pool: bool = True
    refine_poses: bool = False
    patience: int | None = None
    frames_at_once: int = 400
    rays_at_once: int = 24_000_000

    def __post_init__(self) -> None:
        if self.steps < 1 or self.rays < 16 or self.samples < 2 or self.samples % 2:
            raise ErlnetError("Training needs at least 1 step, 16 rays and an even number of samples")

    def progress(self, step: int, elapsed_s: float) -> float:
        """How much of the run is done, 0 to 1."""
        return max(step / self.steps, elapsed_s / self.seconds if self.seconds else 0.0)

    def rate_factor(self, step: int, progress: float) -> float:
        """High for almost half of the run, since the empty shell must be carved first; then down smoothly."""
        decay = max(0.0, (progress - _HOLD) / (1 - _HOLD))
        return min(1.0, (step + 1) / _WARM_UP_STEPS) * _FINAL_RATE**decay
