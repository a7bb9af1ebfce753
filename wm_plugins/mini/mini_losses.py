"""What is wrong about imagined views and distances: the parts of `mini`'s loss that compare two pictures."""

from __future__ import annotations

import mini_network as net
import torch
from mini_shapes import FARTHEST_M, NEAREST_M
from torch import Tensor
from torch.nn import functional

LEAST_ERROR = 0.01
"""Errors of colours (of 1) below this one are not told apart."""


def rows_weighted(error: Tensor) -> Tensor:
    """Return the mean of [N, C, H, W], rows counting by the solid angle that they see."""
    weight = torch.cos(net.elevations(error.shape[-2], error.device)).view(1, 1, -1, 1)
    return (error * weight).mean() / weight.mean()


def depth_loss(metres: Tensor, true: Tensor) -> Tensor:
    """Return the mean absolute error of the logarithm of distances and of its differences to the neighbours."""
    known = (true > 0.05).float()
    error = (torch.log(metres) - torch.log(true.clamp(NEAREST_M, FARTHEST_M))) * known
    across, down = error - error.roll(1, 2), error[:, 1:] - error[:, :-1]
    edges = rows_weighted(across.abs()[:, None]) + down.abs().mean()
    return rows_weighted(error.abs()[:, None]) + 0.5 * edges


def image_loss(image: Tensor, true: Tensor) -> Tensor:
    """Return absolute error + that of differences to neighbours + (1 - SSIM) / 2 of views [N, 3, H, W] in 0..1."""
    image = image.float()
    error = image - true
    edges = (error - error.roll(1, 3)).abs().mean() + (error[:, :, 1:] - error[:, :, :-1]).abs().mean()
    return rows_weighted(error.abs()) + 0.5 * edges + 0.25 * rows_weighted(unlike(image, true))


def spread_loss(image: Tensor, true: Tensor, spread: Tensor) -> Tensor:
    """Return how far ``spread`` is from the logarithm of the errors of colours: its gradient is bounded."""
    error = (image - true).abs().mean(1, keepdim=True)
    return rows_weighted((spread.float() - torch.log(error + LEAST_ERROR)).abs())


def unlike(a: Tensor, b: Tensor) -> Tensor:
    """Return (1 - SSIM) / 2 of each pixel, over windows of 5 x 5."""

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = mean(a * b) - mean_a * mean_b
    likeness = ((2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)) / (
        (mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)
    )
    return (1.0 - likeness).clamp(0.0, 2.0) / 2.0
