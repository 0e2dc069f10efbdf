"""A z-buffer rasteriser in vectorised torch: which triangle does each pixel's centre see?

Small triangles are tested in groups of like size, each against a square of pixels, and the nearest one
wins by a scatter-minimum over keys that hold depth and triangle; no compiled extension is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...camera import Camera

NEAR_M = 0.01
_TRIANGLE_BITS = 24
_DEPTH_STEPS_PER_M = 1e7  # below float32's own resolution at arm's length
_EMPTY = (1 << 62) - 1
_FRAGMENTS_AT_ONCE = 1 << 21


@dataclass(frozen=True)
class View:
    """A camera as tensors, in the frame of the mesh."""

    origin: Tensor  # (3,)
    camera_from_rig: Tensor  # (3, 3): right, down and forward axes as rows
    focal: tuple[float, float]
    centre: tuple[float, float]
    width: int
    height: int

    @classmethod
    def from_camera(cls, camera: Camera, frame: Tensor | None = None, device: str | torch.device = "cpu") -> View:
        """Take a camera over; `frame` (4, 4) is rig_from_frame, if the mesh lies in another frame than the rig's."""
        pose = torch.as_tensor(camera.rig_from_camera, dtype=torch.float64)
        if frame is not None:
            pose = torch.linalg.inv(frame.double().cpu()) @ pose
        axes = pose[:3, :3].T * torch.tensor([[1.0], [-1.0], [-1.0]], dtype=torch.float64)
        return cls(
            pose[:3, 3].float().to(device),
            axes.float().to(device),
            (camera.focal_x, camera.focal_y),
            (camera.centre_x, camera.centre_y),
            camera.width,
            camera.height,
        )

    def directions(self, pixels: Tensor) -> Tensor:
        """(N, 3) unit directions through the centres of pixels (N,), counted row by row."""
        x = (pixels % self.width + 0.5 - self.centre[0]) / self.focal[0]
        y = (torch.div(pixels, self.width, rounding_mode="floor") + 0.5 - self.centre[1]) / self.focal[1]
        rays = torch.stack([x, y, torch.ones_like(x)], 1) @ self.camera_from_rig
        return torch.nn.functional.normalize(rays, dim=1)

    def project(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Pixel coordinates (V, 2) and depth along the optical axis (V,)."""
        local = (vertices - self.origin) @ self.camera_from_rig.T
        depth = local[:, 2]
        safe = torch.where(depth > NEAR_M, depth, torch.ones_like(depth))
        x = local[:, 0] / safe * self.focal[0] + self.centre[0]
        y = local[:, 1] / safe * self.focal[1] + self.centre[1]
        return torch.stack([x, y], 1), depth


def rasterize(
    vertices: Tensor, faces: Tensor, view: View, split_facing: bool = False, only: Tensor | None = None
) -> Tensor:
    """The nearest triangle at every pixel centre.

    Args:
        vertices: (V, 3), in the view's frame; faces: (F, 3) int64, counter-clockwise seen from outside.
        split_facing: keep two buffers, front-facing and back-facing triangles.
        only: (H·W,) bool, the pixels that are wanted; triangles that touch none of them are skipped.

    Returns:
        (H·W,) int64 triangle or -1; with `split_facing` (2, H·W). Triangles that reach nearer than `NEAR_M`
        are left out.
    """
    points, depth = view.project(vertices)
    corners = points[faces]  # (F, 3, 2)
    corner_depth = depth[faces]
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = torch.tensor([view.width, view.height], device=points.device)
    first = torch.ceil(corners.amin(1) - 0.5).clamp_min(0)
    last = torch.minimum(torch.floor(corners.amax(1) - 0.5), (size - 1).to(points.dtype))
    visible = (corner_depth > NEAR_M).all(1) & (area.abs() > 1e-9) & (last >= first).all(1)
    first, last = first.long(), last.long()
    if only is not None:
        visible &= _touches(only.view(view.height, view.width), first, last)
    extent = (last - first).amax(1) + 1
    pixels = view.width * view.height
    buffer = torch.full((pixels * (2 if split_facing else 1),), _EMPTY, dtype=torch.int64, device=points.device)
    smaller, square = 0, 2
    while smaller < max(view.width, view.height):
        group = torch.nonzero(visible & (extent > smaller) & (extent <= square))[:, 0]
        for part in group.split(max(1, _FRAGMENTS_AT_ONCE // square**2)):
            _draw(buffer, part, square, corners, corner_depth, area, first, view, split_facing)
        smaller, square = square, square * 2
    found = torch.where(buffer < _EMPTY, buffer & ((1 << _TRIANGLE_BITS) - 1), torch.full_like(buffer, -1))
    return found.view(2, pixels) if split_facing else found


def _draw(
    buffer: Tensor,
    part: Tensor,
    square: int,
    corners: Tensor,
    corner_depth: Tensor,
    area: Tensor,
    first: Tensor,
    view: View,
    split_facing: bool,
) -> None:
    """Test `part` of the triangles against a square of pixels each and keep the nearest in `buffer`."""
    steps = torch.arange(square, device=part.device)
    x = first[part, 0][:, None, None] + steps[None, None, :]
    y = first[part, 1][:, None, None] + steps[None, :, None]
    triangle, inverse_area = corners[part], (1 / area[part])[:, None, None]
    inverse_depth = 1 / corner_depth[part]
    barycentric = []
    for a, b in ((1, 2), (2, 0), (0, 1)):
        from_x, from_y = triangle[:, a, 0][:, None, None], triangle[:, a, 1][:, None, None]
        step_x, step_y = triangle[:, b, 0][:, None, None] - from_x, triangle[:, b, 1][:, None, None] - from_y
        barycentric.append((step_x * (y + 0.5 - from_y) - step_y * (x + 0.5 - from_x)) * inverse_area)
    inside = (barycentric[0] >= 0) & (barycentric[1] >= 0) & (barycentric[2] >= 0)
    inside &= (x < view.width) & (y < view.height)
    terms = [weight * inverse_depth[:, k][:, None, None] for k, weight in enumerate(barycentric)]
    depth = 1 / (terms[0] + terms[1] + terms[2])[inside]
    owner = part[:, None, None].expand_as(inside)[inside]
    place = (y * view.width + x)[inside]
    if split_facing:  # with y pointing down front faces have negative area
        place = place + (area[owner] > 0).long() * (view.width * view.height)
    key = ((depth.double() * _DEPTH_STEPS_PER_M).long() << _TRIANGLE_BITS) | owner
    buffer.scatter_reduce_(0, place, key, "amin")


def _touches(wanted: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Whether the rectangles from `first` to `last` (F, 2), both inclusive, hold any wanted pixel."""
    height, width = wanted.shape
    table = torch.zeros(height + 1, width + 1, dtype=torch.int64, device=wanted.device)
    table[1:, 1:] = wanted.long().cumsum(0).cumsum(1)
    left, top = first[:, 0].clamp(0, width), first[:, 1].clamp(0, height)
    right, bottom = (last[:, 0] + 1).clamp(0, width), (last[:, 1] + 1).clamp(0, height)
    return table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left] > 0


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def ray_plane(corners: Tensor, origin: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays meet the planes of their triangles.

    Args:
        corners: (N, 3, 3) triangle of each ray; origin: (3,) or (N, 3); directions: (N, 3) unit vectors.

    Returns:
        Distance (N,) and barycentric coordinates (N, 3), clamped into the triangle.
    """
    a, edge1, edge2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = torch.cross(edge1, edge2, dim=1)
    slope = (directions * normal).sum(1)
    slope = torch.where(slope.abs() < 1e-12, torch.full_like(slope, 1e-12), slope)
    distance = ((a - origin) * normal).sum(1) / slope
    inside = origin + directions * distance[:, None] - a
    squared = (normal * normal).sum(1).clamp_min(1e-20)
    v = ((torch.cross(inside, edge2, dim=1) * normal).sum(1) / squared).clamp(0, 1)
    w = ((torch.cross(edge1, inside, dim=1) * normal).sum(1) / squared).clamp(0, 1)
    u = (1 - v - w).clamp(0, 1)
    barycentric = torch.stack([u, v, w], 1)
    return distance, barycentric / barycentric.sum(1, keepdim=True)
