"""The rays that were worst lately, drawn again.

Source: the error-driven ray pools of NeRF heads; here the worst rays of all batches are kept, and a ray whose error
falls leaves the pool by itself, since its error is measured anew whenever it is drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 0.15
_CAPACITY = 16384


class ActivePool:
    """At most 16,384 rays and the error of each when it was last drawn."""

    def __init__(self, device: torch.device) -> None:
        self.rays = torch.zeros(0, dtype=torch.int64, device=device)
        self.errors = torch.zeros(0, device=device)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) numbers of rays; none while the pool holds fewer than that."""
        if len(self.rays) < count:
            return self.rays[:0]
        return self.rays[torch.randint(len(self.rays), (count,), generator=generator, device=generator.device)]

    def note(self, rays: Tensor, errors: Tensor) -> None:
        """Take over the errors (N,) of rays (N,) that were just drawn, and keep the worst of all."""
        rays, errors = torch.cat([rays.long(), self.rays]), torch.cat([errors, self.errors])
        # The first mention of a ray is its latest: a stable sort keeps it in front of the older one.
        order = torch.argsort(rays, stable=True)
        rays, errors = rays[order], errors[order]
        latest = torch.ones_like(rays, dtype=torch.bool)
        latest[1:] = rays[1:] != rays[:-1]
        rays, errors = rays[latest], errors[latest]
        worst = torch.topk(errors, min(_CAPACITY, len(errors)), sorted=False).indices
        self.rays, self.errors = rays[worst], errors[worst]
