"""DBF-NeRF's network: two radiance fields whose features are fused per sample before one colour head.

Head-NeRF lives in the head's canonical space, where head pose has become camera pose; a code of expression,
jaw, gaze and eyelids reaches it only where these move the mesh. Static-NeRF lives in the rig's own frame and
owns the torso and the root of the neck; a deform module moves its samples with the neck's pose. The two are
fused as a partition: below `STATIC_ONLY` of the skinning the static branch is alone, above `HEAD_ONLY` the head
branch, and between them a learnt gate, which starts from the skinning weights, blends density and features.

Other ways to bring branches together stand in `rival_fields`; all are a `RadianceField` to the renderer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .canonical_rays import CanonicalRays
from .field_config import FieldConfig
from .hash_grid import HashGrid
from .mlp import Mlp

STATIC_ONLY, HEAD_ONLY = 0.8, 0.95
LOG_DENSITY_RANGE = (-10.0, 8.0)  # per centimetre
_GATE_STEEPNESS = 40.0
_SOLID_SLOPE, _SOLID_LIMIT = 10.0, 4.0
_DEFORM_M = 0.005
_DEFORM_UNIT_M = 0.08


@dataclass(frozen=True)
class Layer:
    """M samples that make one picture.

    Args:
        density: (M,) per centimetre, 0 where there is no sample; features: (M, features).
        share: (M,) of the head branch; exists: (M,) bool; colour: the head that turns features into colour.
    """

    density: Tensor
    features: Tensor
    share: Tensor
    exists: Tensor
    colour: Mlp


@dataclass(frozen=True)
class Layers:
    """Layers of the picture, front to back, and the head branch as a layer by itself, where there is one."""

    picture: tuple[Layer, ...]
    head: Layer | None = None


@dataclass(frozen=True)
class Samples:
    """M samples on canonical rays, and the poses of their frames.

    Args:
        hit: (M,) the hit each sample belongs to; distance: (M,) metres from the camera;
        coefficients: (frames, K); neck_pose: (frames, 3).
    """

    rays: CanonicalRays
    hit: Tensor
    distance: Tensor
    coefficients: Tensor
    neck_pose: Tensor

    def __getitem__(self, chosen: Tensor) -> Samples:
        return Samples(self.rays, self.hit[chosen], self.distance[chosen], self.coefficients, self.neck_pose)

    @property
    def weight(self) -> Tensor:
        """(M,) share of the head in the skinning."""
        return self.rays.head_weight[self.hit]

    @property
    def neck(self) -> Tensor:
        """(M, 3) the neck's rotation, scaled."""
        return (2 * self.neck_pose)[self.rays.frame][self.hit]

    @property
    def neck_where_it_bends(self) -> Tensor:
        """(M, 3) as `neck`, but zero on the rigid head, which must not know."""
        near = (2 * self.neck_pose)[self.rays.frame] * (self.rays.head_weight < 0.999)[:, None]
        return near[self.hit]

    @property
    def jaw(self) -> Tensor:
        """(M, 1) how far the jaw is open, scaled."""
        opened = self.coefficients[:, -11]  # before two eyes, two lids and its own y and z
        return 2 * opened[self.rays.frame][self.hit][:, None]

    @property
    def height(self) -> Tensor:
        """(M, 2) height over the surface, and whether only the shell was met."""
        start, step = self.rays.height[self.hit].unbind(1)
        return torch.stack([(start + self.distance * step).clamp(-4, 6), self.rays.shell[self.hit]], 1)

    def points(self, origin: Tensor, direction: Tensor) -> Tensor:
        """(M, 3) places in the space of rays with (H, 3) origins and directions."""
        return origin[self.hit] + self.distance[:, None] * direction[self.hit]


class RadianceField(nn.Module):
    """Samples on canonical rays to layers of density and features, and these to colour."""

    expression: Mlp
    appearance: Tensor
    appearances: nn.Parameter | None

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.config = config
        # One code a training frame, only while training: see `learn_appearances`.
        self.register_parameter("appearances", None)
        if config.appearance:
            self.register_buffer("appearance", torch.zeros(config.appearance))

    def layers(self, samples: Samples, head_alone: bool = False) -> Layers:
        """Density and features; `head_alone`: the head branch as a layer by itself is wanted as well."""
        raise NotImplementedError

    def about_hits(self, rays: CanonicalRays, neck_pose: Tensor, appearance: Tensor | None = None) -> Tensor:
        """(H, ·) all that colour depends on besides the features.

        Args:
            neck_pose: (frames, 3); appearance: (frames, A) codes, the mean code if left out.
        """
        # Only the eyes are that smooth; elsewhere the waves would carry every facet's normal into the picture.
        waves = [rays.mirrored * (3 * 2.0**octave) for octave in range(self.config.mirror_waves)]
        waves = [rays.eye[:, None] * part for wave in waves for part in (wave.sin(), wave.cos())]
        parts = [rays.view, rays.normal, rays.mirrored, *waves, 2 * neck_pose[rays.frame], rays.head_weight[:, None]]
        if self.config.appearance:
            codes = self.mean_appearance().expand(len(neck_pose), -1) if appearance is None else appearance
            parts.append(codes[rays.frame])
        return torch.cat(parts, 1)

    def colours(self, layer: Layer, chosen: Tensor, about: Tensor) -> Tensor:
        """sRGB-encoded colour (n, 3) of the chosen (n,) samples of a layer; about: (n, ·) their hits."""
        return torch.sigmoid(layer.colour(layer.features[chosen], about, layer.share[chosen][:, None]))

    def learn_appearances(self, frames: int) -> None:
        """Give each training frame an appearance code of its own, to be learnt; all start from the mean.

        Source: Martin-Brualla et al., "NeRF in the wild", 2021, section 4.1.
        """
        self.appearances = nn.Parameter(self.mean_appearance().detach().expand(frames, -1).clone())

    def mean_appearance(self) -> Tensor:
        """(A,) what a picture that is no training frame looks like."""
        return self.appearance if self.appearances is None else self.appearances.mean(0)

    def lasting_weights(self) -> dict[str, Tensor]:
        """What an avatar's file holds: everything, but of the frames' appearance codes only their mean."""
        weights = {name: value for name, value in self.state_dict().items() if name != "appearances"}
        return {**weights, "appearance": self.mean_appearance()} if self.config.appearance else weights

    def _grid(self, low: np.ndarray, side: float, log2_table: int, finest: int) -> HashGrid:
        return HashGrid(low, side, self.config.levels, log2_table, self.config.base, finest)

    def _colour_head(self) -> Mlp:
        config = self.config
        # features, view, normal, mirrored view and its waves, neck pose, head weight, share of the head branch
        inputs = config.features + 3 + 3 + 3 + 6 * config.mirror_waves + 3 + 2 + config.appearance
        return Mlp(inputs, 3, config.hidden, hidden_layers=2)

    def _code(self, samples: Samples) -> Tensor:
        """(M, code) of the expression, where it moves the mesh."""
        rays = samples.rays
        return (self.expression(samples.coefficients)[rays.frame] * rays.moved[:, None])[samples.hit]


class TwoBranchField(RadianceField):
    """The two branches; how they come together is left open."""

    def __init__(self, config: FieldConfig) -> None:
        super().__init__(config)
        self.head_grid = self._grid(
            np.array(config.head_low), config.head_side, config.head_log2_table, config.head_finest
        )
        self.static_grid = self._grid(
            np.array(config.static_low), config.static_side, config.static_log2_table, config.static_finest
        )
        grid, features, hidden = self.head_grid.width, config.features, config.hidden
        self.expression = Mlp(config.coefficients, config.code, hidden_layers=0)
        # grid, expression code, height over the surface, shell?, neck pose
        self.head_density = Mlp(grid + config.code + 2 + 3, 1 + features, hidden)
        # grid, neck pose, jaw, head weight, height over the surface, shell?
        self.static_density = Mlp(grid + 3 + 1 + 1 + 2, 1 + features, hidden)
        if config.deform:
            self.deform = Mlp(3 + 12 + 3, 3, 32, hidden_layers=2, last_gain=0.0)

    def branches(self, samples: Samples, in_head: Tensor, in_static: Tensor) -> tuple[Tensor, Tensor]:
        """Each branch's density and features (M, 1 + features), zero outside (M,) bool where it is asked."""
        found = []
        for branch, where in ((self._head, in_head), (self._static, in_static)):
            index = torch.nonzero(where)[:, 0]
            value = branch(samples[index])
            found.append(value.new_zeros(len(where), value.shape[1]).index_copy(0, index, value))
        return found[0], found[1]

    def _head(self, samples: Samples) -> Tensor:
        points, height = samples.points(samples.rays.head_origin, samples.rays.head_direction), samples.height
        inputs = self.head_grid(points), self._code(samples), height, samples.neck_where_it_bends
        return activate(self.head_density(*inputs), height)

    def _static(self, samples: Samples) -> Tensor:
        rays, pose, weight, height = samples.rays, samples.neck, samples.weight[:, None], samples.height
        if self.config.deform:
            points = samples.points(rays.static_origin, rays.static_direction)
            middle = points.new_tensor([0.0, -0.12, -0.06])
            unit = (points - middle) / _DEFORM_UNIT_M
            waves = [(3 * unit).sin(), (3 * unit).cos(), (6 * unit).sin(), (6 * unit).cos()]
            # The torso does not follow the neck: the residual fades in with the skinning.
            points = points + _DEFORM_M * (weight / 0.1).clamp(max=1) * self.deform(unit, *waves, pose)
        else:
            points = samples.points(rays.camera, rays.view)
        inputs = self.static_grid(points), pose, samples.jaw, weight, height
        return activate(self.static_density(*inputs), height)


class DualBranchField(TwoBranchField):
    """Both branches fused per sample."""

    def __init__(self, config: FieldConfig) -> None:
        super().__init__(config)
        self.gate = Mlp(2 * config.features + 2 + 1 + 3, 1, 16, last_gain=0.0)
        self.colour = self._colour_head()

    def layers(self, samples: Samples, head_alone: bool = False) -> Layers:  # noqa: D102
        weight = samples.weight
        in_head = weight > STATIC_ONLY
        head, static = self.branches(samples, in_head, weight < HEAD_ONLY)
        share = self.share(samples, head, static)
        both = share[:, None] * head + (1 - share[:, None]) * static
        fused = Layer(both[:, 0], both[:, 1:], share, torch.ones_like(in_head), self.colour)
        if not head_alone:
            return Layers((fused,))
        return Layers((fused,), Layer(head[:, 0], head[:, 1:], torch.ones_like(share), in_head, self.colour))

    def share(self, samples: Samples, head: Tensor, static: Tensor) -> Tensor:
        """(M,) share of the head branch: a partition of unity with a narrow learnt overlap.

        Args:
            head, static: (M, 1 + features) density and features of each branch.
        """
        weight = samples.weight
        share = (weight >= HEAD_ONLY).to(head.dtype)
        overlap = torch.nonzero((weight > STATIC_ONLY) & (weight < HEAD_ONLY))[:, 0]
        if len(overlap):
            a, b, w = head[overlap], static[overlap], weight[overlap][:, None]
            logs = torch.cat([torch.log(a[:, :1] + 1e-3), torch.log(b[:, :1] + 1e-3)], 1) / 8
            learnt = self.gate(a[:, 1:], b[:, 1:], logs, w, samples[overlap].neck)
            middle = (STATIC_ONLY + HEAD_ONLY) / 2
            # A ramp that reaches exactly 0 and 1 at the ends, so that no seam shows there.
            ramp = ((w - STATIC_ONLY) / (HEAD_ONLY - STATIC_ONLY)).clamp(1e-4, 1 - 1e-4)
            blend = torch.sigmoid(4 * learnt + torch.logit(ramp) + _GATE_STEEPNESS * (w - middle))
            share = share.index_copy(0, overlap, blend[:, 0])
        return share


def activate(value: Tensor, height: Tensor) -> Tensor:
    """Density from its logarithm; before training the driving mesh is solid and what lies above it thin."""
    solid = (-_SOLID_SLOPE * height[:, :1]).clamp(-_SOLID_LIMIT, _SOLID_LIMIT)
    density = (value[:, :1] + solid).clamp(*LOG_DENSITY_RANGE).exp()
    return torch.cat([density, value[:, 1:]], 1)
