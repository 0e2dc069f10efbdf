"""Where along each ray there is something to see: a thin band round the rasterised surface.

A ray gets one stretch round the surface that it hits, from the outer shell (the surface moved outwards by
the band) to a little way inside. Where the outer shell lies well in front, as the chin over the neck, the
ray gets a second stretch there. A ray that meets only the outer shell crosses it from front to back.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .driving_mesh import INWARD, NORMAL, OUTWARD, POSED, SKIN, DrivingMesh, FrameGeometry
from .rasterizer import View, rasterize, ray_plane

_SHELL_PATH_M = 0.1  # the longest way through the outer shell
_SHORTEST_M = 0.002


@dataclass(frozen=True)
class RayBand:
    """N rays and their stretches; distances in metres from the camera.

    Args:
        pixel: (N,) row by row; direction: (N, 3) unit, in the root's frame.
        face, barycentric: (N,), (N, 3) the surface hit, or the outer shell's where the surface is missed.
        near, far: (N,) the stretch round that hit.
        front_face, front_barycentric, front_near, front_far: the same for the shell in front.
        solid: (N,) the ray hits the surface; double: (N,) the stretch in front is a separate one.
    """

    pixel: Tensor
    direction: Tensor
    face: Tensor
    barycentric: Tensor
    near: Tensor
    far: Tensor
    front_face: Tensor
    front_barycentric: Tensor
    front_near: Tensor
    front_far: Tensor
    solid: Tensor
    double: Tensor

    def __len__(self) -> int:
        return len(self.pixel)

    def __getitem__(self, chosen: Tensor | slice) -> RayBand:
        return RayBand(*(getattr(self, part.name)[chosen] for part in fields(self)))

    @staticmethod
    def concatenate(bands: list[RayBand]) -> RayBand:
        """All rays of several bands, one after the other."""
        return RayBand(*(torch.cat([getattr(band, part.name) for band in bands]) for part in fields(RayBand)))


def ray_band(mesh: DrivingMesh, geometry: FrameGeometry, view: View, only: Tensor | None = None) -> RayBand:
    """The bands of all pixels that can see the head; none gives an empty `RayBand`.

    Args:
        only: (H·W,) bool, the pixels wanted; all of them if left out.
    """
    place, normal = geometry.table[:, POSED], geometry.table[:, NORMAL]
    shell = place + normal * mesh.constant[:, OUTWARD]
    base = rasterize(place, mesh.faces, view, only=only)
    front, back = (mesh.outer_face(face) for face in rasterize(shell, mesh.outer_faces, view, True, only))
    seen = (base >= 0) | (front >= 0)
    pixel = torch.nonzero(seen if only is None else seen & only)[:, 0]
    base, front, back = base[pixel], front[pixel], back[pixel]
    direction = view.directions(pixel)
    solid, covered = base >= 0, front >= 0

    def meet(vertices: Tensor, face: Tensor) -> tuple[Tensor, Tensor]:
        return ray_plane(vertices[mesh.faces[face.clamp_min(0)]], view.origin, direction)

    hit, hit_barycentric = meet(place, base)
    enter, enter_barycentric = meet(shell, front)
    leave, _ = meet(shell, back)
    limits = interpolate(mesh.constant, mesh.faces[base.clamp_min(0)], hit_barycentric)
    outward, inward = limits[:, OUTWARD][:, 0], limits[:, INWARD][:, 0]
    leave = torch.where((back >= 0) & (leave > enter), leave, enter + _SHELL_PATH_M / 8)
    leave = torch.minimum(leave, enter + _SHELL_PATH_M)
    skin = mesh.part[base.clamp_min(0)] == SKIN
    double = solid & covered & (hit - enter > torch.where(skin, (4 * outward).clamp_min(0.012), outward + _SHORTEST_M))
    # Without a separate stretch in front, the one round the hit reaches out to the shell.
    reach = torch.where(double, torch.where(skin, 2 * outward, outward), outward)
    near = torch.where(covered & (enter < hit) & ~double, enter, hit - reach)
    near = torch.where(solid, near, enter)
    far = torch.where(solid, hit + inward, leave)
    front_far = torch.maximum(torch.minimum(leave, hit - reach), enter + _SHORTEST_M)
    return RayBand(
        pixel,
        direction,
        torch.where(solid, base, front),
        torch.where(solid[:, None], hit_barycentric, enter_barycentric),
        near,
        torch.maximum(far, near + _SHORTEST_M / 2),
        torch.where(covered, front, base),
        torch.where(covered[:, None], enter_barycentric, hit_barycentric),
        torch.where(covered, enter, near),
        torch.where(covered, front_far, far),
        solid,
        double,
    )


def sample_distances(band: RayBand, samples: int, jitter: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Places of `samples` on each ray, front to back.

    A ray with two stretches spends half of the samples on each.

    Args:
        samples: even; jitter: (N, samples) in 0…1, the middle of each interval if left out.

    Returns:
        distance (N, S) metres, length (N, S) metres of the interval, in_front (N, S) bool.
    """
    device = band.near.device
    index = torch.arange(samples, device=device)
    unit = (index + (0.5 if jitter is None else jitter)) / samples
    unit = unit.expand(len(band), samples)
    double = band.double[:, None]
    in_front = double & (index < samples // 2)
    unit = torch.where(double, (2 * unit) % 1.0, unit)
    start = torch.where(in_front, band.front_near[:, None], band.near[:, None])
    stop = torch.where(in_front, band.front_far[:, None], band.far[:, None])
    length = (stop - start) * torch.where(double, 2.0 / samples, 1.0 / samples)
    return start + unit * (stop - start), length, in_front


def interpolate(table: Tensor, corners: Tensor, barycentric: Tensor) -> Tensor:
    """Rows of `table` (V, K) at places in triangles: corners (N, 3), barycentric (N, 3) to (N, K)."""
    return (table[corners] * barycentric[..., None]).sum(1)
