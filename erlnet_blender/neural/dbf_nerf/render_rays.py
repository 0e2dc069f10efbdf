"""From bands of rays to pixels: sampling, the field, colour, compositing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .canonical_rays import Frames, canonical_rays
from .driving_mesh import DrivingMesh
from .field import Layer, RadianceField, Samples
from .ray_band import RayBand, sample_distances
from .volume_rendering import composite, expected_depth, sample_weights, transmittance

CENTIMETRES_PER_M = 100.0
_LEAST_LIGHT, _LEAST_WEIGHT = 1e-3, 1e-3  # samples below get no colour, which saves a third of the time


@dataclass(frozen=True)
class Pixels:
    """N rendered rays: sRGB-encoded premultiplied colour (N, 3), alpha (N,), depth (N,) metres along the ray.

    Args:
        head_colour, head_alpha: the head branch's own picture, where it was asked for and there is one.
        head_weight: (N, 2) then, share of the head in the skinning at the ray's hit and at that in front, if any.
    """

    colour: Tensor
    alpha: Tensor
    depth: Tensor
    head_colour: Tensor | None = None
    head_alpha: Tensor | None = None
    head_weight: Tensor | None = None


def render_rays(
    field: RadianceField,
    mesh: DrivingMesh,
    frames: Frames,
    frame: Tensor,
    band: RayBand,
    samples: int,
    jitter: Tensor | None = None,
    head_picture: bool = False,
    appearance: Tensor | None = None,
) -> Pixels:
    """Render the rays of a band.

    Args:
        frame: (N,) which of `frames` each ray belongs to.
        samples: even number of samples a ray; jitter: (N, samples) in 0…1 for training.
        head_picture: the head branch's own picture is wanted as well; a single field has none.
        appearance: (frames, A) code of each of `frames`, the mean code if left out.
    """
    rays, front = canonical_rays(mesh, frames, frame, band)
    distance, length, in_front = sample_distances(band, samples, jitter)
    own = torch.arange(len(band), device=front.device)[:, None].expand(-1, samples)
    hit = torch.where(in_front, front[:, None], own).reshape(-1)
    here = Samples(rays, hit, distance.reshape(-1), frames.coefficients, frames.neck_pose)
    layers = field.layers(here, head_picture)
    about, length = field.about_hits(rays, frames.neck_pose, appearance), length * CENTIMETRES_PER_M

    def paint(layer: Layer, light: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (N, S) of a layer that `light` (N, 1) reaches, its colours (N·S, 3), and which (N·S,) are made."""
        density = layer.density.view(-1, samples)
        weights = light * sample_weights(density, length)
        with torch.no_grad():
            # In training an empty sample in front needs its colour, since it may have to fill up; a hidden one not.
            training = jitter is not None
            matters = light * transmittance(density, length) > _LEAST_LIGHT if training else weights > _LEAST_WEIGHT
            matters = matters.reshape(-1) & layer.exists
            wanted = matters if known is None else matters & ~known
        chosen = torch.nonzero(wanted)[:, 0]
        seen = field.colours(layer, chosen, about[hit[chosen]])
        return weights, seen.new_zeros(len(hit), 3).index_copy(0, chosen, seen), matters

    light, weights, painted = torch.ones_like(length[:, :1]), [], []
    for layer in layers.picture:
        part, colour, matters = paint(layer, light)
        weights.append(part)
        painted.append((colour, matters))
        light = light - part.sum(1, keepdim=True)
    colours = [colour.view(len(band), samples, 3) for colour, _ in painted]
    pixel, alpha = composite(torch.cat(weights, 1), torch.cat(colours, 1))
    depth = expected_depth(torch.cat(weights, 1), distance.repeat(1, len(weights)))
    head = layers.head
    if head is None:
        return Pixels(pixel, alpha, depth)
    if head is layers.picture[0]:
        own_weights, own_colour = weights[0], colours[0]
    else:
        # Where the head branch is alone, its colours stand in the picture already.
        colour, matters = painted[0]
        known = matters & (layers.picture[0].share == 1)
        own_weights, more, _ = paint(head, torch.ones_like(light), known)
        own_colour = torch.where(known[:, None], colour, more).view(len(band), samples, 3)
    by_hit = torch.stack([rays.head_weight[: len(band)], rays.head_weight[front]], 1)
    return Pixels(pixel, alpha, depth, *composite(own_weights, own_colour), by_hit)
