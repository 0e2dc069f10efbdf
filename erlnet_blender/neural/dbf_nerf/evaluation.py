"""How close an avatar's pictures come to the capture's, by region."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_dilation, gaussian_filter

from ...errors import ErlnetError
from ...formats.head_model import HeadModel
from .avatar import Avatar
from .dataset import CaptureDataset, Shot
from .driving_mesh import EYES, HEAD_WEIGHT, MOUTH, mask
from .rasterizer import View
from .ray_band import ray_band
from .renderer import AvatarRenderer

BACKGROUND = np.array([0.33, 0.37, 0.42])  # sRGB-encoded grey on which pictures are compared


def psnr(error: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB from squared errors of values in 0…1; at most 100."""
    return float(-10 * np.log10(max(float(np.mean(error)), 1e-10)))


def ssim_map(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity (H, W) of pictures (H, W, 3) in 0…1, mean over channels.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004;
    Gaussian window of sigma 1.5 cut at 3.5 sigma.
    """

    def blur(value: np.ndarray) -> np.ndarray:
        return gaussian_filter(value, (1.5, 1.5, 0), truncate=3.5)

    mean1, mean2 = blur(first), blur(second)
    variance1 = blur(first * first) - mean1 * mean1
    variance2 = blur(second * second) - mean2 * mean2
    covariance = blur(first * second) - mean1 * mean2
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    return (similarity / ((mean1**2 + mean2**2 + c1) * (variance1 + variance2 + c2))).mean(-1)


def over_grey(rgba: np.ndarray) -> np.ndarray:
    """Premultiplied sRGB-encoded (H, W, 4) over `BACKGROUND`."""
    return np.clip(rgba[..., :3] + (1 - rgba[..., 3:]) * BACKGROUND, 0, 1)


def pictures(renderer: AvatarRenderer, dataset: CaptureDataset, shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    """Truth and ours, each (H, W, 3) over grey."""
    truth = dataset.picture(shot).astype(np.float64) / 255
    truth[..., :3] *= truth[..., 3:]
    ours, _ = renderer.render_encoded(dataset.track[shot.timestep], shot.camera)
    return over_grey(truth), over_grey(ours.cpu().numpy().astype(np.float64))


def region_masks(renderer: AvatarRenderer, dataset: CaptureDataset, shot: Shot) -> dict[str, np.ndarray]:
    """Which pixels count to which region, from the driving mesh; regions may be empty."""
    mesh, camera = renderer.mesh, shot.camera
    geometry = mesh.frame(dataset.track[shot.timestep])
    band = ray_band(mesh, geometry, View.from_camera(camera, geometry.root, renderer.device))
    weight = mesh.constant[:, HEAD_WEIGHT][mesh.faces].mean((1, 2))[band.face]
    lips = torch.as_tensor(mask(mesh.head, "lips"), device=renderer.device)[mesh.source][mesh.faces].any(1)[band.face]
    part = mesh.part[band.face]

    def picture(chosen: torch.Tensor, grow: int = 0) -> np.ndarray:
        flat = torch.zeros(camera.width * camera.height, dtype=torch.bool, device=renderer.device)
        flat[band.pixel[chosen]] = True
        found = flat.view(camera.height, camera.width).cpu().numpy()
        return binary_dilation(found, iterations=grow) if grow else found

    head = picture(weight >= 0.5)
    box = np.zeros_like(head)
    if head.any():
        rows, columns = np.flatnonzero(head.any(1)), np.flatnonzero(head.any(0))
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return {
        "full": np.ones_like(head),
        "head_box": box,
        "head": head,
        "neck": picture(band.solid & (weight > 0.02) & (weight < 0.98), 3),
        "mouth": picture(band.solid & (lips | (part == MOUTH)), 2),
        "eyes": picture(band.solid & (part == EYES), 2),
    }


def evaluate(
    avatar: str | os.PathLike | Avatar,
    dataset: str | os.PathLike,
    split: str = "test",
    device: str = "auto",
    head: HeadModel | None = None,
) -> dict:
    """Compare an avatar with a capture's held-out shots.

    Returns:
        frames, ms_per_frame (median, after one warm-up), and for each region its mean psnr_* in dB and ssim_*
        over the shots, plus the worst full-frame and head-box PSNR.

    Raises:
        ErlnetError: the avatar or the capture cannot be used.
    """
    renderer = AvatarRenderer(avatar if isinstance(avatar, Avatar) else Avatar.load(avatar), head, device)
    capture = CaptureDataset.load(dataset)
    shots = capture.of(split)
    if not shots:
        raise ErlnetError(f"The capture has no {split!r} pictures", capture.folder)
    pictures(renderer, capture, shots[0])
    found: dict[str, list[float]] = {}
    times = []
    for shot in shots:
        began = time.perf_counter()
        renderer.render(capture.track[shot.timestep], shot.camera)
        times.append(time.perf_counter() - began)
        truth, ours = pictures(renderer, capture, shot)
        error, similarity = ((truth - ours) ** 2).mean(-1), ssim_map(truth, ours)
        for name, chosen in region_masks(renderer, capture, shot).items():
            if int(chosen.sum()) >= 20:
                found.setdefault(f"psnr_{name}", []).append(psnr(error[chosen]))
                found.setdefault(f"ssim_{name}", []).append(float(similarity[chosen].mean()))
    figures: dict = {name: round(float(np.mean(values)), 4) for name, values in found.items()}
    figures["worst_psnr_full"] = round(min(found["psnr_full"]), 4)
    if "psnr_head_box" in found:
        figures["worst_psnr_head_box"] = round(min(found["psnr_head_box"]), 4)
    figures["ms_per_frame"] = round(1000 * float(np.median(times)), 1)
    figures["frames"] = len(shots)
    return figures


def save_comparison(
    renderer: AvatarRenderer, dataset: CaptureDataset, shots: list[Shot], path: str | os.PathLike
) -> None:
    """A PNG with one row a shot: truth, ours, five times the error."""
    from PIL import Image

    rows = []
    for shot in shots:
        truth, ours = pictures(renderer, dataset, shot)
        error = np.repeat(np.clip(5 * np.abs(truth - ours).mean(-1, keepdims=True), 0, 1), 3, -1)
        rows.append(np.concatenate([truth, ours, error], 1))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(255 * np.concatenate(rows)).astype(np.uint8)).save(path)
