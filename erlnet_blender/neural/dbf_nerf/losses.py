"""What training minimises."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from .render_rays import Pixels
from .volume_rendering import over

_ALPHA, _COLOUR, _HUBER = 0.05, 20.0, 0.05


def image_errors(colour: Tensor, alpha: Tensor, target: Tensor, background: Tensor) -> Tensor:
    """(N,) Huber loss of each pixel over a random background, plus a little on alpha alone.

    Args:
        colour: (N, 3) premultiplied; alpha: (N,); target: (N, 4) premultiplied; background: (N, 3).
    """
    ours, truth = over(colour, alpha, background), over(target[:, :3], target[:, 3], background)
    huber = smooth_l1_loss(ours, truth, beta=_HUBER, reduction="none").mean(1)
    return _COLOUR * huber + _ALPHA * (alpha - target[:, 3]).abs()


def image_loss(colour: Tensor, alpha: Tensor, target: Tensor, background: Tensor) -> Tensor:
    """Mean of `image_errors`."""
    return image_errors(colour, alpha, target, background).mean()


def pixel_loss(pixels: Pixels, target: Tensor, background: Tensor, head_only: float) -> tuple[Tensor, Tensor]:
    """Loss of N rendered rays, and the error (N,) of each, detached.

    Args:
        head_only: weight of the loss of the head branch's own picture.
    """
    errors = image_errors(pixels.colour, pixels.alpha, target, background)
    return errors.mean(), errors.detach()
