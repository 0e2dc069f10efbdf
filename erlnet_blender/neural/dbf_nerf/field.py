"""DBF-NeRF's network: two radiance fields whose features are fused per sample before one colour head.

Head-NeRF lives in the head's canonical space, where head pose has become camera pose; a code of expression,
jaw, gaze and eyelids reaches it only where these move the mesh. Static-NeRF lives in the rig's own frame and
owns the torso and the root of the neck; a deform module moves its samples with the neck's pose. The two are
fused as a partition: below `STATIC_ONLY` of the skinning the static branch is alone, above `HEAD_ONLY` the head
branch, and between them a learnt gate, which starts from the skinning weights, blends density and features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .canonical_rays import CanonicalRays
from .hash_grid import HashGrid
from .mlp import Mlp

STATIC_ONLY, HEAD_ONLY = 0.8, 0.95
LOG_DENSITY_RANGE = (-10.0, 8.0)  # per centimetre
_GATE_STEEPNESS = 40.0
_SOLID_SLOPE, _SOLID_LIMIT = 10.0, 4.0
_DEFORM_M = 0.005
# A file is not believed beyond these sizes.
_LARGEST = {
    "coefficients": 1024,
    "levels": 32,
    "head_log2_table": 24,
    "static_log2_table": 24,
    "base": 512,
    "head_finest": 8192,
    "static_finest": 8192,
    "hidden": 512,
    "code": 256,
    "features": 256,
    "mirror_waves": 16,
}
_DEFORM_UNIT_M = 0.08


@dataclass(frozen=True)
class FieldConfig:
    """Sizes of the network and the cubes that its grids fill.

    `mirror_waves` octaves of the mirrored view direction go into the colour of the eyes, for their highlights.
    """

    coefficients: int
    head_low: tuple[float, float, float]
    head_side: float
    static_low: tuple[float, float, float]
    static_side: float
    levels: int = 8
    head_log2_table: int = 16
    static_log2_table: int = 15
    base: int = 16
    head_finest: int = 256
    static_finest: int = 256
    hidden: int = 64
    code: int = 16
    features: int = 15
    mirror_waves: int = 0

    def to_dict(self) -> dict:
        """Plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> FieldConfig:
        """The inverse of `to_dict`.

        Raises:
            ValueError: a size that no avatar has; TypeError: a name that no avatar has.
        """
        config = cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})
        for name, most in _LARGEST.items():
            value = getattr(config, name)
            if not isinstance(value, int) or not 0 <= value <= most:
                raise ValueError(f"{name} is {value!r}, not a whole number up to {most}")
        numbers = [*config.head_low, config.head_side, *config.static_low, config.static_side]
        if not np.isfinite(np.asarray(numbers, float)).all() or min(config.head_side, config.static_side) <= 0:
            raise ValueError("the cubes of its grids have no size")
        return config


class DualBranchField(nn.Module):
    """Samples on canonical rays to density and colour."""

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.config = config
        sizes = {"levels": config.levels, "base": config.base}
        self.head_grid = HashGrid(
            np.array(config.head_low),
            config.head_side,
            log2_table=config.head_log2_table,
            finest=config.head_finest,
            **sizes,
        )
        self.static_grid = HashGrid(
            np.array(config.static_low),
            config.static_side,
            log2_table=config.static_log2_table,
            finest=config.static_finest,
            **sizes,
        )
        grid, features, hidden = self.head_grid.width, config.features, config.hidden
        self.expression = Mlp(config.coefficients, config.code, hidden_layers=0)
        # grid, expression code, height over the surface, shell?, neck pose
        self.head_density = Mlp(grid + config.code + 2 + 3, 1 + features, hidden)
        # grid, neck pose, jaw, head weight, height over the surface, shell?
        self.static_density = Mlp(grid + 3 + 1 + 1 + 2, 1 + features, hidden)
        self.deform = Mlp(3 + 12 + 3, 3, 32, hidden_layers=2, last_gain=0.0)
        self.gate = Mlp(2 * features + 2 + 1 + 3, 1, 16, last_gain=0.0)
        # features, view, normal, mirrored view and its waves, neck pose, head weight, share of the head branch
        self.colour = Mlp(features + 3 + 3 + 3 + 6 * config.mirror_waves + 3 + 2, 3, hidden, hidden_layers=2)

    def codes(self, coefficients: Tensor) -> Tensor:
        """(frames, K) coefficients to (frames, code)."""
        return self.expression(coefficients)

    def density(
        self, rays: CanonicalRays, hit: Tensor, distance: Tensor, coefficients: Tensor, neck_pose: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fused density and features of M samples.

        Args:
            hit: (M,) the hit each sample belongs to; distance: (M,) metres from the camera;
            coefficients: (frames, K); neck_pose: (frames, 3).

        Returns:
            density (M,) per centimetre, features (M, features), share of the head branch (M,).
        """
        codes, neck = self.codes(coefficients), 2 * neck_pose
        weight = rays.head_weight[hit]
        in_head = torch.nonzero(weight > STATIC_ONLY)[:, 0]
        in_static = torch.nonzero(weight < HEAD_ONLY)[:, 0]
        head = self._head(rays, hit[in_head], distance[in_head], codes, neck)
        static = self._static(rays, hit[in_static], distance[in_static], coefficients, neck)
        count, width = len(hit), head.shape[1]
        full_head = head.new_zeros(count, width).index_copy(0, in_head, head)
        full_static = static.new_zeros(count, width).index_copy(0, in_static, static)
        share = self._share(rays, hit, weight, full_head, full_static, neck)
        both = share[:, None] * full_head + (1 - share[:, None]) * full_static
        return both[:, 0], both[:, 1:], share

    def _head(self, rays: CanonicalRays, hit: Tensor, distance: Tensor, codes: Tensor, neck: Tensor) -> Tensor:
        points = rays.head_origin[hit] + distance[:, None] * rays.head_direction[hit]
        code = (codes[rays.frame] * rays.moved[:, None])[hit]
        near_neck = neck[rays.frame] * (rays.head_weight < 0.999)[:, None]
        height = _height(rays, hit, distance)
        return _activate(self.head_density(self.head_grid(points), code, height, near_neck[hit]), height)

    def _static(self, rays: CanonicalRays, hit: Tensor, distance: Tensor, coefficients: Tensor, neck: Tensor) -> Tensor:
        points = rays.static_origin[hit] + distance[:, None] * rays.static_direction[hit]
        pose = neck[rays.frame][hit]
        weight = rays.head_weight[hit][:, None]
        middle = points.new_tensor([0.0, -0.12, -0.06])
        unit = (points - middle) / _DEFORM_UNIT_M
        waves = [(3 * unit).sin(), (3 * unit).cos(), (6 * unit).sin(), (6 * unit).cos()]
        # The torso does not follow the neck: the residual fades in with the skinning.
        points = points + _DEFORM_M * (weight / 0.1).clamp(max=1) * self.deform(unit, *waves, pose)
        jaw = coefficients[:, -11][rays.frame][hit][:, None]  # before two eyes, two lids and its own y and z
        height = _height(rays, hit, distance)
        return _activate(self.static_density(self.static_grid(points), pose, 2 * jaw, weight, height), height)

    def _share(
        self, rays: CanonicalRays, hit: Tensor, weight: Tensor, head: Tensor, static: Tensor, neck: Tensor
    ) -> Tensor:
        """(M,) share of the head branch: a partition of unity with a narrow learnt overlap."""
        share = (weight >= HEAD_ONLY).to(head.dtype)
        overlap = torch.nonzero((weight > STATIC_ONLY) & (weight < HEAD_ONLY))[:, 0]
        if len(overlap):
            a, b, w = head[overlap], static[overlap], weight[overlap][:, None]
            logs = torch.cat([torch.log(a[:, :1] + 1e-3), torch.log(b[:, :1] + 1e-3)], 1) / 8
            learnt = self.gate(a[:, 1:], b[:, 1:], logs, w, neck[rays.frame][hit[overlap]])
            middle = (STATIC_ONLY + HEAD_ONLY) / 2
            # A ramp that reaches exactly 0 and 1 at the ends, so that no seam shows there.
            ramp = ((w - STATIC_ONLY) / (HEAD_ONLY - STATIC_ONLY)).clamp(1e-4, 1 - 1e-4)
            blend = torch.sigmoid(4 * learnt + torch.logit(ramp) + _GATE_STEEPNESS * (w - middle))
            share = share.index_copy(0, overlap, blend[:, 0])
        return share

    def colours(self, rays: CanonicalRays, hit: Tensor, features: Tensor, share: Tensor, neck_pose: Tensor) -> Tensor:
        """sRGB-encoded colour (M, 3) of samples from their fused features."""
        # Only the eyes are that smooth; elsewhere the waves would carry every facet's normal into the picture.
        waves = [rays.mirrored * (3 * 2.0**octave) for octave in range(self.config.mirror_waves)]
        waves = [rays.eye[:, None] * part for wave in waves for part in (wave.sin(), wave.cos())]
        mirrored = [rays.mirrored, *waves]
        neck = 2 * neck_pose[rays.frame]
        about_hit = torch.cat([rays.view, rays.normal, *mirrored, neck, rays.head_weight[:, None]], 1)
        return torch.sigmoid(self.colour(features, about_hit[hit], share[:, None]))


def _height(rays: CanonicalRays, hit: Tensor, distance: Tensor) -> Tensor:
    """(M, 2) height over the surface, and whether only the shell was met."""
    start, step = rays.height[hit].unbind(1)
    return torch.stack([(start + distance * step).clamp(-4, 6), rays.shell[hit]], 1)


def _activate(value: Tensor, height: Tensor) -> Tensor:
    """Density from its logarithm; before training the driving mesh is solid and what lies above it thin."""
    solid = (-_SOLID_SLOPE * height[:, :1]).clamp(-_SOLID_LIMIT, _SOLID_LIMIT)
    density = (value[:, :1] + solid).clamp(*LOG_DENSITY_RANGE).exp()
    return torch.cat([density, value[:, 1:]], 1)
