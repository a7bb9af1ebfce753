"""Stands for the official ``diffusion`` package of NWM: the same calls, a linear schedule."""

from __future__ import annotations

from typing import Any, Callable, Mapping

import torch


class Diffusion:
    """A diffusion of ``num_timesteps`` steps whose model predicts noise and a variance."""

    def __init__(self, steps: int) -> None:
        self.num_timesteps = steps
        self.kept = torch.cumprod(1.0 - torch.linspace(1e-3, 0.3, steps), dim=0)

    def p_mean_variance(
        self,
        model: Callable[..., torch.Tensor],
        x: torch.Tensor,
        t: torch.Tensor,
        clip_denoised: bool = True,
        denoised_fn: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, torch.Tensor]:
        noise, _ = model(x, t, **(model_kwargs or {})).chunk(2, dim=1)
        kept = self.kept[t][:, None, None, None]
        start = (x - (1.0 - kept).sqrt() * noise) / kept.sqrt()
        if clip_denoised:
            start = start.clamp(-1.0, 1.0)
        return {
            "mean": 0.5 * (x + start),
            "log_variance": torch.log(0.1 * (1.0 - kept)).expand_as(x),
            "pred_xstart": start,
        }

    def p_sample_loop(
        self,
        model: Callable[..., torch.Tensor],
        shape: tuple[int, ...],
        noise: torch.Tensor | None = None,
        clip_denoised: bool = True,
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> torch.Tensor:
        current = torch.randn(shape) if noise is None else noise
        for number in reversed(range(self.num_timesteps)):
            times = torch.full((shape[0],), number, dtype=torch.long)
            out = self.p_mean_variance(model, current, times, clip_denoised, model_kwargs=model_kwargs)
            drawn = torch.randn_like(current)
            current = out["mean"] + float(number > 0) * torch.exp(0.5 * out["log_variance"]) * drawn
        return current


def create_diffusion(timestep_respacing: str) -> Diffusion:
    """Return the diffusion of as many steps as the text says."""
    return Diffusion(int(timestep_respacing))
