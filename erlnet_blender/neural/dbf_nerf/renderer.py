"""A frame of a FaceTrack and a camera to a picture."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...camera import Camera
from ...errors import Cancelled, ErlnetError
from ...face_track import FaceTrack
from ...formats.head_model import HeadModel
from .avatar import Avatar, check_head
from .canonical_rays import Frames
from .rasterizer import View
from .ray_band import ray_band
from .render_rays import render_rays
from .supersampling import FACTOR, detailed_pixels, finer, parents_of, parts_of
from .volume_rendering import FAR_M, linear_premultiplied

_CHUNK_RAYS = 8192  # keeps memory flat whatever the picture's size
_MAX_PIXELS = 1 << 26


def choose_device(device: str) -> torch.device:
    """`auto`, `cpu` or `cuda` to a device; `auto` takes CUDA where torch can use it.

    Raises:
        ErlnetError: CUDA is asked for and not there, or the name is unknown.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ErlnetError(f"Unknown device {device!r}", "", "choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ErlnetError("No CUDA device that torch can use", "", "choose auto or cpu")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


class AvatarRenderer:
    """Renders one avatar; make one and keep it, loading takes longer than a frame."""

    def __init__(self, avatar: Avatar, head: HeadModel | None = None, device: str = "auto") -> None:
        self.avatar = avatar
        self.device = choose_device(device)
        self.mesh = avatar.driving_mesh(head, self.device)
        self.field = avatar.field.to(self.device).eval().requires_grad_(False)

    @classmethod
    def load(cls, path: str | os.PathLike, head: HeadModel | None = None, device: str = "auto") -> AvatarRenderer:
        """Read an avatar and make it ready.

        Args:
            head: the head model that drives it, the shipped one if left out; device: auto, cpu or cuda.

        Raises:
            ErlnetError: the file is not an avatar, or belongs to another head.
        """
        return cls(Avatar.load(path), head, device)

    def render(
        self,
        track: FaceTrack,
        camera: Camera,
        samples: int | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, np.ndarray]:
        """Render the first frame of a track.

        The picture follows the root: its lighting turns with the head's root, as the capture's did.

        Args:
            samples: samples a ray, even, 2 to 64; what the avatar was trained with if left out.
            cancelled: asked between chunks of rays.

        Returns:
            rgba: (H, W, 4) float32 scene-linear Rec. 709, premultiplied, top row first; depth: (H, W) float32
            metres along the ray, 1e10 where there is nothing.

        Raises:
            ErlnetError: another head's track, or a camera that makes no sense; Cancelled.
        """
        encoded, depth = self.render_encoded(track, camera, samples, cancelled)
        linear = linear_premultiplied(encoded[..., :3], encoded[..., 3])
        rgba = torch.cat([linear, encoded[..., 3:]], -1)
        return {"rgba": rgba.cpu().numpy(), "depth": depth.cpu().numpy()}

    @torch.no_grad()
    def render_encoded(
        self,
        track: FaceTrack,
        camera: Camera,
        samples: int | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `render`, but sRGB-encoded premultiplied (H, W, 4) and depth (H, W), as tensors on the device."""
        check_head(self.avatar.head_id, track.head_id)
        samples = self.avatar.samples if samples is None else samples
        if not 2 <= samples <= 64 or samples % 2:
            raise ErlnetError(f"{samples} samples a ray", "", "choose an even number from 2 to 64")
        _check_camera(camera)
        geometry = self.mesh.frame(track)
        view = View.from_camera(camera, geometry.root, self.device)
        frames = Frames.stack([geometry], [view.origin])
        band = ray_band(self.mesh, geometry, view)
        detail = detailed_pixels(self.mesh, band, view)
        fine = ray_band(self.mesh, geometry, finer(view), parts_of(detail, view)) if bool(detail.any()) else band[:0]
        image = torch.zeros(camera.width * camera.height, 4, device=self.device)
        depth = torch.full((len(image),), FAR_M, device=self.device)
        whole = band[~detail[band.pixel]]
        for rays, pixel, share in (
            (whole, whole.pixel, 1.0),
            (fine, parents_of(fine.pixel, view), 1.0 / FACTOR**2),
        ):
            for start in range(0, len(rays), _CHUNK_RAYS):
                if cancelled is not None and cancelled():
                    raise Cancelled
                chunk = slice(start, start + _CHUNK_RAYS)
                frame = torch.zeros(len(rays.pixel[chunk]), dtype=torch.int64, device=self.device)
                done = render_rays(self.field, self.mesh, frames, frame, rays[chunk], samples)
                image.index_add_(0, pixel[chunk], torch.cat([done.colour, done.alpha[:, None]], 1), alpha=share)
                depth.scatter_reduce_(0, pixel[chunk], done.depth, "amin")
        shape = (camera.height, camera.width)
        return image.clamp_(max=1).view(*shape, 4), depth.view(shape)


def _check_camera(camera: Camera) -> None:
    numbers = [camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y, *np.ravel(camera.rig_from_camera)]
    if not np.isfinite(np.asarray(numbers, float)).all() or min(camera.focal_x, camera.focal_y) <= 0:
        raise ErlnetError("The camera has no usable lens or place", "", "check its focal length and scale")
    if camera.width < 1 or camera.height < 1 or camera.width * camera.height > _MAX_PIXELS:
        raise ErlnetError(f"The picture would be {camera.width} x {camera.height} pixels", "", "choose a smaller size")
