"""Rays carried into the spaces where the two branches live.

Around the triangle that a ray hits, the map from the posed head to canonical space is affine, so a straight
ray stays a straight ray: an origin and a direction per hit are all that its samples need.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from .driving_mesh import (
    CANONICAL,
    EYES,
    HEAD_WEIGHT,
    LOCAL,
    MOVED,
    NORMAL,
    POSED,
    SKIN,
    UNWARP,
    DrivingMesh,
    FrameGeometry,
)
from .hit_motion import NECK, HitMotion, Moves, PosedFrames
from .ray_band import RayBand, interpolate

HEIGHT_UNIT_M = 0.006


@dataclass(frozen=True)
class Frames:
    """Geometry and camera of several frames, stacked; V driving vertices each.

    Args:
        table: (frames · V, 19); neck: (frames, 3, 4); neck_pose: (frames, 3); coefficients: (frames, K);
        origin: (frames, 3) camera, in the root's frame; moves: what has changed since, while poses are being refined.
    """

    table: Tensor
    neck: Tensor
    neck_pose: Tensor
    coefficients: Tensor
    origin: Tensor
    moves: Moves | None = None

    def moved(self, motion: HitMotion, now: PosedFrames, before: PosedFrames) -> Frames:
        """The same frames, made for poses `before`, as they are `now`."""
        moves = Moves(motion, now, before)
        poses = {"neck": now.neck, "neck_pose": now.parameters[:, NECK], "coefficients": now.coefficients}
        return replace(self, origin=moves.origins(self.origin), moves=moves, **poses)

    @classmethod
    def stack(cls, geometries: list[FrameGeometry], origins: list[Tensor]) -> Frames:
        """One entry a frame."""
        return cls(
            torch.cat([geometry.table for geometry in geometries]),
            torch.stack([geometry.neck for geometry in geometries]),
            torch.stack([geometry.neck_pose for geometry in geometries]),
            torch.stack([geometry.coefficients for geometry in geometries]),
            torch.stack(origins),
        )


@dataclass(frozen=True)
class CanonicalRays:
    """H hits: a ray with two stretches has two. Points are origin + t · direction, t in metres from the camera.

    Args:
        head_origin, head_direction: (H, 3) in canonical space; static_origin, static_direction: (H, 3) in the
            root's frame with the neck's bend undone; rest_origin, rest_direction: (H, 3) where all of the skinning
            is undone; camera: (H, 3) the rays as they are, in the root's frame, with direction `view`;
            height: (H, 2) likewise for the height over the surface in units of `HEIGHT_UNIT_M`.
        head_weight: (H,) share of the head in the skinning; moved: (H,) how much the expression moves the place;
        shell: (H,) 1 where the surface itself is missed or lies behind, else 0.
        eye: (H,) 1 on the eyeballs, else 0.
        normal, view, mirrored: (H, 3) posed normal, view direction and its reflection, in the root's frame.
        frame: (H,) number of the frame.
    """

    head_origin: Tensor
    head_direction: Tensor
    static_origin: Tensor
    static_direction: Tensor
    rest_origin: Tensor
    rest_direction: Tensor
    camera: Tensor
    height: Tensor
    head_weight: Tensor
    moved: Tensor
    shell: Tensor
    eye: Tensor
    normal: Tensor
    view: Tensor
    mirrored: Tensor
    frame: Tensor

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, chosen: Tensor) -> CanonicalRays:
        return CanonicalRays(*(getattr(self, part.name)[chosen] for part in fields(self)))


def canonical_rays(mesh: DrivingMesh, frames: Frames, frame: Tensor, band: RayBand) -> tuple[CanonicalRays, Tensor]:
    """Carry the rays of a band into the branches' spaces.

    Args:
        frame: (N,) which frame each ray belongs to.

    Returns:
        The hits, and (N,) the number of the hit in front for rays with two stretches (else of their only one).
    """
    double = torch.nonzero(band.double)[:, 0]
    count = len(band)
    rays = torch.cat([torch.arange(count, device=double.device), double])
    face = torch.cat([band.face, band.front_face[double]])
    barycentric = torch.cat([band.barycentric, band.front_barycentric[double]])
    in_front = torch.arange(count, device=double.device)
    in_front[double] = torch.arange(count, count + len(double), device=double.device)
    frame, direction = frame[rays], band.direction[rays]
    shell = torch.where(torch.arange(len(rays), device=double.device) < count, ~band.solid[rays], True)

    corners = mesh.faces[face]
    posed = interpolate(frames.table, corners + frame[:, None] * len(mesh.constant), barycentric)
    if frames.moves is not None:
        posed = frames.moves.rows(frame, corners, barycentric, posed)
        direction = frames.moves.directions(direction, frame)
    constant = interpolate(mesh.constant, corners, barycentric)
    weight = constant[:, HEAD_WEIGHT]
    normal = torch.nn.functional.normalize(posed[:, NORMAL], dim=1)
    neck = frames.neck[frame]
    camera = frames.origin[frame]
    offset = camera - posed[:, POSED]  # camera as seen from the hit

    def in_head(vector: Tensor) -> Tensor:
        return torch.einsum("hji,hj->hi", neck[:, :, :3], vector)

    unwarp = posed[:, UNWARP].reshape(-1, 3, 3)
    head_offset, head_view = in_head(offset), in_head(direction)
    # Where the neck bends, the surface slides in the head's own frame; on the rigid head `slide` is zero.
    skin = (mesh.part[face] == SKIN)[:, None]
    slide = torch.where(skin, in_head(posed[:, POSED] - neck[:, :, 3]) - posed[:, LOCAL], torch.zeros_like(offset))
    unwarped_offset, unwarped_view = (torch.einsum("hij,hj->hi", unwarp, part) for part in (head_offset, head_view))
    head_origin = constant[:, CANONICAL] + slide + unwarped_offset
    static_origin = constant[:, CANONICAL] + offset * (1 - weight) + head_offset * weight
    cosine = (direction * normal).sum(1)
    height = torch.stack([(offset * normal).sum(1), cosine], 1) / HEIGHT_UNIT_M
    rays_there = CanonicalRays(
        head_origin,
        unwarped_view,
        static_origin,
        direction * (1 - weight) + head_view * weight,
        constant[:, CANONICAL] + offset * (1 - weight) + unwarped_offset * weight,
        direction * (1 - weight) + unwarped_view * weight,
        camera,
        height,
        weight[:, 0],
        posed[:, MOVED][:, 0],
        shell.to(offset.dtype),
        (mesh.part[face] == EYES).to(offset.dtype),
        normal,
        direction,
        direction - 2 * cosine[:, None] * normal,
        frame,
    )
    return rays_there, in_front
