"""All rays of a capture, ready to be drawn for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import ErlnetError
from .canonical_rays import Frames
from .dataset import CaptureDataset, Shot
from .driving_mesh import SKIN, DrivingMesh, mask
from .rasterizer import View
from .ray_band import RayBand, ray_band
from .supersampling import FACTOR, detailed_pixels, finer, parents_of, parts_of

# Shares of a batch: anywhere, mouth and eyes, the bend of the neck, edges and empty shell.
SHARES = {"anywhere": 0.5, "face": 0.2, "neck": 0.12, "edge": 0.18}


@dataclass(frozen=True)
class FinePool:
    """P pixels that take several rays each.

    Args:
        frame: (R,) int16 and band: the rays of all of them; rays: (P, 4) numbers of each pixel's rays, -1 where
        nothing can be seen; rgba: (P, 4) uint8 straight alpha.
    """

    frame: Tensor
    band: RayBand
    rays: Tensor
    rgba: Tensor


@dataclass(frozen=True)
class RayPool:
    """N rays of several frames.

    Args:
        frames: geometry and cameras; frame: (N,) int16; band: the rays; rgba: (N, 4) uint8 straight alpha;
        groups: name to the numbers of its rays; fine: pixels that hold edges, which are not among these rays;
        missed: share of the pictures' alpha that no ray covers.
    """

    frames: Frames
    frame: Tensor
    band: RayBand
    rgba: Tensor
    groups: dict[str, Tensor]
    fine: FinePool
    missed: float

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers of `count` rays, more from where it matters."""

        def some(group: Tensor, size: int) -> Tensor:
            return group[torch.randint(len(group), (size,), generator=generator, device=generator.device)]

        parts, left = [], count
        for name, share in SHARES.items():
            group = self.groups[name]
            size = min(left, round(count * share)) if len(group) else 0
            parts.append(some(group, size) if size else group[:0])
            left -= size
        parts.append(some(self.groups["anywhere"], left))
        return torch.cat(parts)

    def targets(self, chosen: Tensor) -> Tensor:
        """(N, 4) premultiplied, 0…1."""
        return premultiplied(self.rgba[chosen])


def premultiplied(rgba: Tensor) -> Tensor:
    """(N, 4) uint8 straight alpha to (N, 4) premultiplied, 0…1."""
    value = rgba.float() / 255
    return torch.cat([value[:, :3] * value[:, 3:], value[:, 3:]], 1)


def build_ray_pool(
    mesh: DrivingMesh,
    dataset: CaptureDataset,
    shots: list[Shot],
    progress: Callable[[int, int], None] | None = None,
    most_rays: int | None = None,
    seed: int = 0,
) -> RayPool:
    """Pose, rasterise and band every shot.

    Args:
        progress: called with how many shots are done, and of how many.
        most_rays: keep at most about that many, drawn by chance from all shots alike; None: all.

    Raises:
        ErlnetError: a picture cannot be read, or no picture shows the head.
    """
    geometries, origins, bands, colours, numbers, fine = [], [], [], [], [], []
    missed = total = 0.0
    generator = torch.Generator().manual_seed(seed)
    most = most_rays // len(shots) if most_rays else None
    for number, shot in enumerate(shots):
        geometry = mesh.frame(dataset.track[shot.timestep])
        view = View.from_camera(shot.camera, geometry.root, mesh.device)
        band = ray_band(mesh, geometry, view)
        pixels = torch.as_tensor(dataset.picture(shot).copy(), device=mesh.device).reshape(-1, 4)
        covered = torch.zeros(len(pixels), dtype=torch.bool, device=mesh.device)
        covered[band.pixel] = True
        missed += float(pixels[~covered, 3].double().sum())
        total += float(pixels[:, 3].double().sum())
        detail = detailed_pixels(mesh, band, view)
        dense = _thinned(detail, most // 8 if most else None, generator)
        fine.append(_fine(ray_band(mesh, geometry, finer(view), parts_of(dense, view)), dense, pixels, number, view))
        band = band[~detail[band.pixel]]
        if most is not None and len(band) > most:
            kept = torch.randperm(len(band), generator=generator)[:most].sort().values
            band = band[kept.to(mesh.device)]
        geometries.append(geometry)
        origins.append(view.origin)
        bands.append(band)
        colours.append(pixels[band.pixel])
        numbers.append(torch.full((len(band),), number, dtype=torch.int16, device=mesh.device))
        if progress:
            progress(number + 1, len(shots))
    band, rgba = RayBand.concatenate(bands), torch.cat(colours)
    if not len(band):
        raise ErlnetError("No picture of the capture shows the head", dataset.folder, "check its cameras")
    frames = Frames.stack(geometries, origins)
    share = missed / max(total, 1.0)
    return RayPool(frames, torch.cat(numbers), band, rgba, _groups(mesh, band, rgba), _join(fine), share)


def _thinned(detail: Tensor, most: int | None, generator: torch.Generator) -> Tensor:
    """At most that many of the pixels in a mask, by chance."""
    chosen = torch.nonzero(detail)[:, 0]
    if most is None or len(chosen) <= most:
        return detail
    kept = chosen[torch.randperm(len(chosen), generator=generator)[:most].to(chosen.device)]
    return torch.zeros_like(detail).index_fill(0, kept, True)


def _fine(band: RayBand, detail: Tensor, pixels: Tensor, number: int, view: View) -> FinePool:
    """The detailed pixels of one frame."""
    chosen = torch.nonzero(detail)[:, 0]
    here = {"dtype": torch.int64, "device": detail.device}
    place = torch.full((len(detail),), -1, **here)
    place[chosen] = torch.arange(len(chosen), **here)
    column, row = band.pixel % (FACTOR * view.width), torch.div(band.pixel, FACTOR * view.width, rounding_mode="floor")
    rays = torch.full((len(chosen), FACTOR**2), -1, **here)
    corner = (row % FACTOR) * FACTOR + column % FACTOR
    rays[place[parents_of(band.pixel, view)], corner] = torch.arange(len(band), **here)
    numbers = torch.full((len(band),), number, dtype=torch.int16, device=detail.device)
    return FinePool(numbers, band, rays, pixels[chosen])


def _join(pools: list[FinePool]) -> FinePool:
    starts = np.cumsum([0, *(len(pool.band) for pool in pools[:-1])]).tolist()
    rays = [
        torch.where(pool.rays >= 0, pool.rays + start, pool.rays) for pool, start in zip(pools, starts, strict=True)
    ]
    return FinePool(
        torch.cat([pool.frame for pool in pools]),
        RayBand.concatenate([pool.band for pool in pools]),
        torch.cat(rays),
        torch.cat([pool.rgba for pool in pools]),
    )


def _groups(mesh: DrivingMesh, band: RayBand, rgba: Tensor) -> dict[str, Tensor]:
    head = mesh.head
    face_vertex = torch.as_tensor(mask(head, "lips", "eye_region"), device=mesh.device)[mesh.source]
    face_triangle = face_vertex[mesh.faces].any(1) | (mesh.part != SKIN)
    weight = mesh.constant[:, 3][mesh.faces].mean(1)
    neck_triangle = (weight > 0.02) & (weight < 0.98)
    alpha = rgba[:, 3]
    edge = ((alpha > 5) & (alpha < 250)) | band.double | ~band.solid
    chosen = {
        "anywhere": torch.ones(len(band), dtype=torch.bool, device=mesh.device),
        "face": band.solid & face_triangle[band.face],
        "neck": band.solid & neck_triangle[band.face],
        "edge": edge,
    }
    return {name: torch.nonzero(wanted)[:, 0].int() for name, wanted in chosen.items()}


def describe(pool: RayPool) -> str:
    """One line of figures."""
    sizes = ", ".join(f"{name} {len(group):,}" for name, group in pool.groups.items())
    edges = f"pixels with edges {len(pool.fine.rays):,}"
    return (
        f"rays: {sizes}; {edges}; alpha outside the band {100 * pool.missed:.3f} %; frames {len(pool.frames.origin)}"
    )
