"""Several processes, one avatar: every process draws rays of its own, gradients are averaged.

Started by `torchrun --nproc-per-node N -m erlnet_blender.cli train avatar …`; without it there is one process.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor
from torch import distributed as dist


class Crew:
    """The processes of a run: `rank` of this one among `size`; rank 0 alone reports and writes."""

    def __init__(self) -> None:
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        if self.size > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    @property
    def leads(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def average_gradients(self, parameters: list[Tensor]) -> None:
        """Replace each gradient by its mean over the processes; a missing one counts as zero."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.size

    def agreed(self, value: float) -> float:
        """The largest value of all processes, so that all of them take the same turns."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        if torch.cuda.is_available():
            box = box.cuda()
        dist.all_reduce(box, op=dist.ReduceOp.MAX)
        return float(box)

    def leave(self) -> None:
        """Wait for the others and end the group."""
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()
