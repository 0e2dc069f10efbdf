"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from .render_rays import Pixels
from .volume_rendering import over

_ALPHA, _COLOUR, _HUBER = 0.05, 20.0, 0.05
# Share of the head in the skinning below which a pixel is surely not the head's, from which it counts as the
# head's, and above which it surely is.
_NOT_OWNED, _BORDER, _OWNED = 0.8, 0.9, 0.95


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
        pixels: with the head branch's own picture, if `head_only` is not zero and there is such a branch.
        target: (N, 4) premultiplied; background: (N, 3).
        head_only: weight of the loss of that picture against the truth where the head owns the pixel, and against
            nothing where it does not. Of the error (N,) it is no part.
    """
    errors = image_errors(pixels.colour, pixels.alpha, target, background)
    loss = errors.mean()
    if head_only and pixels.head_colour is not None:
        assert pixels.head_alpha is not None
        assert pixels.head_weight is not None
        owned, certainty = ownership(pixels.head_weight)
        truth = target * owned.to(target.dtype)[:, None]
        alone = image_errors(pixels.head_colour, pixels.head_alpha, truth, background)
        loss = loss + head_only * (certainty * alone).mean()
    return loss, errors.detach()


def ownership(head_weight: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the head owns each pixel, (N,) bool, and how sure that is, (N,) 0 to 1.

    Sureness fades towards the border between the branches. Where the shell of one lies before the other, as the
    chin's before the neck, nobody can tell whose the pixel's colour is.

    Args:
        head_weight: (N, 2) as in `Pixels`.
    """
    is_head = head_weight >= _BORDER
    below, above = (_BORDER - head_weight) / (_BORDER - _NOT_OWNED), (head_weight - _BORDER) / (_OWNED - _BORDER)
    sure = torch.where(is_head, above, below).clamp(0, 1).amin(1)
    return is_head.all(1), torch.where(is_head[:, 0] == is_head[:, 1], sure, torch.zeros_like(sure))
