"""One stage of training that can be killed at any moment and taken up again, bit for bit.

Every random choice of step n comes from (seed, n), so a resumed run ends like one that was never stopped (one thread,
same machine). Steps warm up, follow a cosine, and are averaged (EMA); the average is what ships.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ....errors import ErlnetError
from ..checkpoint import load_tensors, save_tensors

WEIGHT_DECAY = 0.02
EMA_DECAY = 0.998
_WARM_UP_STEPS = 60
_SAVE_EVERY = 250


class Stage(Protocol):
    """What a stage brings: the module it trains, for how many steps, and the loss of a step."""

    name: str
    steps: int
    learning_rate: float

    @property
    def module(self) -> nn.Module: ...

    def loss(self, random: np.random.Generator) -> Tensor:
        """The loss of a step whose random choices come from `random`."""
        ...


class Run:
    """A stage with its moving average, optimiser and step: all that a resumed training needs.

    Args:
        state_path: where the state lies while the stage runs.
        notes: settings that a resumed run must share.
    """

    def __init__(self, stage: Stage, state_path: Path, seed: int, notes: dict) -> None:
        self.stage, self.state_path, self.seed = stage, state_path, seed
        self.notes = {**notes, "stage": stage.name, "steps": stage.steps, "seed": seed}
        self.average = {name: tensor.clone() for name, tensor in stage.module.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            stage.module.parameters(), stage.learning_rate, weight_decay=WEIGHT_DECAY, betas=(0.9, 0.98)
        )
        self.step, self.smooth_loss = 0, float("nan")

    def go(self, on_save: Callable[[dict[str, Tensor]], None], report: Callable[..., None]) -> None:
        """Train to the last step; `on_save` gets the averaged weights whenever the state is written.

        Raises:
            ErlnetError: the loss is not finite.
        """
        stage, started = self.stage, time.monotonic()
        stage.module.train()
        while self.step < stage.steps:
            torch.manual_seed(self.seed * 1_000_003 + self.step)  # what layers and losses draw
            loss = stage.loss(np.random.default_rng([self.seed, self.step]))
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ErlnetError(
                    f"Loss of {stage.name} is not finite at step {self.step}", self.state_path,
                    "resume from the last saved state",
                )  # fmt: skip
            self._advance(loss)
            self.smooth_loss = value if math.isnan(self.smooth_loss) else 0.98 * self.smooth_loss + 0.02 * value
            if self.step % 100 == 0:
                loss_now, spent_s = self.smooth_loss, time.monotonic() - started
                report(f"{stage.name} {self.step}/{stage.steps} loss {loss_now:.4f} {spent_s:.0f} s", flush=True)
            if self.step % _SAVE_EVERY == 0 or self.step == stage.steps:
                self.save()
                on_save(self.average)

    def _advance(self, loss: Tensor) -> None:
        stage = self.stage
        rise = min(1, (self.step + 1) / _WARM_UP_STEPS)
        rate = stage.learning_rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.step / stage.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(stage.module.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, self.step / (self.step + 10))
        with torch.no_grad():
            for name, tensor in stage.module.state_dict().items():
                if tensor.is_floating_point():
                    self.average[name].lerp_(tensor, 1 - decay)
                else:
                    self.average[name].copy_(tensor)

    def save(self) -> None:
        """Write the whole state."""
        tensors = {f"module.{name}": tensor for name, tensor in self.stage.module.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
        save_tensors(self.state_path, tensors, {**self.notes, "step": self.step})

    def load(self) -> None:
        """Take up the state that `save` wrote.

        Raises:
            ErlnetError: the state is missing, damaged, or of a run with other settings.
        """
        tensors, metadata = load_tensors(self.state_path, "training state")
        different = [key for key, value in self.notes.items() if metadata.get(key) != value]
        if different:
            raise ErlnetError(
                f"Training state is of a run with another {', '.join(different)}", self.state_path,
                "start without --resume",
            )  # fmt: skip
        part = lambda prefix: {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}  # noqa: E731
        self.stage.module.load_state_dict(part("module."))
        self.average = part("average.")
        optimiser = self.optimiser.state_dict()
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in part("optimiser.").items():
            index, _, field = name.partition(".")
            state.setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": optimiser["param_groups"]})
        self.step = int(metadata["step"])
