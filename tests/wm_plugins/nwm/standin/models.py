"""Stands for the official ``models.py`` of NWM: the same names and call, a denoiser of a few weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class TinyCDiT(nn.Module):  # type: ignore[misc]
    """Predicts noise and variance from the current latents, the context's mean, the actions and the time."""

    def __init__(self, input_size: int = 32, context_size: int = 2, in_channels: int = 4) -> None:
        super().__init__()
        self.context_size = context_size
        self.input_size = input_size
        self.mix = nn.Conv2d(2 * in_channels, 2 * in_channels, 3, padding=1)
        self.numbers = nn.Linear(4, 2 * in_channels)
        self.out = nn.Parameter(torch.zeros(2 * in_channels))

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor, x_cond: torch.Tensor, rel_t: torch.Tensor
    ) -> torch.Tensor:
        batch = x.shape[0]
        assert x.shape[1:] == (4, self.input_size, self.input_size)
        assert x_cond.shape == (batch, self.context_size, *x.shape[1:])
        assert y.shape == (batch, 3) and rel_t.shape == (batch,) and t.shape == (batch,)
        told = self.numbers(torch.cat([y, rel_t[:, None]], dim=-1))
        mixed: torch.Tensor = self.mix(torch.cat([x, x_cond.mean(dim=1)], dim=1))
        return mixed + (told + self.out)[..., None, None]


def _tiny(**options: Any) -> TinyCDiT:
    return TinyCDiT(**options)


CDiT_models = {"CDiT-XL/2": _tiny, "CDiT-S/2": _tiny}
