"""From bands of rays to pixels: sampling, both branches, fusion, colour, compositing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .canonical_rays import Frames, canonical_rays
from .driving_mesh import DrivingMesh
from .field import DualBranchField
from .ray_band import RayBand, sample_distances
from .volume_rendering import composite, expected_depth, sample_weights, transmittance

CENTIMETRES_PER_M = 100.0
_LEAST_LIGHT, _LEAST_WEIGHT = 1e-3, 1e-3  # samples below get no colour, which saves a third of the time


@dataclass(frozen=True)
class Pixels:
    """N rendered rays: sRGB-encoded premultiplied colour (N, 3), alpha (N,), depth (N,) metres along the ray."""

    colour: Tensor
    alpha: Tensor
    depth: Tensor


def render_rays(
    field: DualBranchField,
    mesh: DrivingMesh,
    frames: Frames,
    frame: Tensor,
    band: RayBand,
    samples: int,
    jitter: Tensor | None = None,
) -> Pixels:
    """Render the rays of a band.

    Args:
        frame: (N,) which of `frames` each ray belongs to.
        samples: even number of samples a ray; jitter: (N, samples) in 0…1 for training.
    """
    rays, front = canonical_rays(mesh, frames, frame, band)
    distance, length, in_front = sample_distances(band, samples, jitter)
    own = torch.arange(len(band), device=front.device)[:, None].expand(-1, samples)
    hit = torch.where(in_front, front[:, None], own).reshape(-1)
    density, features, share = field.density(rays, hit, distance.reshape(-1), frames.coefficients, frames.neck_pose)
    density, length = density.view(-1, samples), length * CENTIMETRES_PER_M
    weights = sample_weights(density, length)
    with torch.no_grad():
        # In training an empty sample in front needs its colour, since it may have to fill up; a hidden one does not.
        matters = transmittance(density, length) > _LEAST_LIGHT if jitter is not None else weights > _LEAST_WEIGHT
    chosen = torch.nonzero(matters.reshape(-1))[:, 0]
    seen = field.colours(rays, hit[chosen], features[chosen], share[chosen], frames.neck_pose)
    colour = seen.new_zeros(len(hit), 3).index_copy(0, chosen, seen)
    pixel, alpha = composite(weights, colour.view(len(band), samples, 3))
    return Pixels(pixel, alpha, expected_depth(weights, distance))
