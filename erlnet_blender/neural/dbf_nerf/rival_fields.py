"""What DBF-NeRF's fusion is measured against: pictures of two branches, one over the other, and a single field."""

from __future__ import annotations

import numpy as np
import torch

from .field import Layer, Layers, RadianceField, Samples, TwoBranchField, activate
from .field_config import FieldConfig
from .hash_grid import grid_levels
from .mlp import Mlp

# Each branch may show up to where the skinning has all but left it.
_LEAST_HEAD, _MOST_HEAD = 0.03, 0.97


class CompositeField(TwoBranchField):
    """Two radiance fields with colour heads of their own; the head's picture is laid over the static one.

    Source: Guo et al., "AD-NeRF: Audio driven neural radiance fields for talking head synthesis", 2021, section 3.3,
    with this project's sampling, canonical space and sizes in both branches.
    """

    def __init__(self, config: FieldConfig) -> None:
        super().__init__(config)
        self.head_colour, self.static_colour = self._colour_head(), self._colour_head()

    def layers(self, samples: Samples, head_alone: bool = False) -> Layers:  # noqa: D102
        weight = samples.weight
        in_head, in_static = weight > _LEAST_HEAD, weight < _MOST_HEAD
        head, static = self.branches(samples, in_head, in_static)
        ones = torch.ones_like(weight)
        front = Layer(head[:, 0], head[:, 1:], ones, in_head, self.head_colour)
        back = Layer(static[:, 0], static[:, 1:], torch.zeros_like(weight), in_static, self.static_colour)
        return Layers((front, back), front)


class SingleField(RadianceField):
    """One field in the whole head's rest space, which the inverse of the skinning leads to.

    Its grid has about as many parameters as both branches' grids together, and the head grid's finest cell.
    """

    def __init__(self, config: FieldConfig) -> None:
        super().__init__(config)
        lows = np.array([config.head_low, config.static_low])
        highs = lows + np.array([[config.head_side], [config.static_side]])
        low, side = lows.min(0), float((highs.max(0) - lows.min(0)).max())
        finest = round(config.head_finest * side / config.head_side)
        self.grid = self._grid(low, side, _log2_table_like_both(config, finest), finest)
        self.expression = Mlp(config.coefficients, config.code, hidden_layers=0)
        # grid, expression code, neck pose, jaw, head weight, height over the surface, shell?
        self.density = Mlp(self.grid.width + config.code + 3 + 1 + 1 + 2, 1 + config.features, config.hidden)
        self.colour = self._colour_head()

    def layers(self, samples: Samples, head_alone: bool = False) -> Layers:  # noqa: D102
        points = samples.points(samples.rays.rest_origin, samples.rays.rest_direction)
        pose, weight, height = samples.neck_where_it_bends, samples.weight, samples.height
        inputs = self.grid(points), self._code(samples), pose, samples.jaw, weight[:, None], height
        value = activate(self.density(*inputs), height)
        return Layers((Layer(value[:, 0], value[:, 1:], weight, weight >= 0, self.colour),))


def _log2_table_like_both(config: FieldConfig, finest: int) -> int:
    """The table size at which a grid down to `finest` has about as many rows as both branches' grids together."""

    def rows(log2_table: int, finest: int) -> int:
        return sum(level.entries for level in grid_levels(config.levels, log2_table, config.base, finest))

    wanted = rows(config.head_log2_table, config.head_finest) + rows(config.static_log2_table, config.static_finest)
    return min(range(25), key=lambda size: abs(rows(size, finest) - wanted))
