"""One step of NWM for several rollouts at once, each with noise of its own.

The official sampling loop draws noise for the whole batch from torch's global generator, so a rollout would depend on
what is imagined beside it. Here the same steps are taken with the official ``p_mean_variance``, and each rollout
draws from its own generator in the official order: encoding, start, one draw a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from nwm_parts import LATENT_CHANNELS, PIXELS_PER_LATENT, Parts
from torch.nn.functional import interpolate

from harness.contracts.cameras import Camera
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest

LATENT_SCALE = 0.18215
"""By which latents of Stable Diffusion's VAE are multiplied before they are denoised."""


@dataclass(frozen=True, eq=False)
class Rolling:
    """A rollout on its way: its context [C, 3, S, S] in -1..1, its actions as numbers [A, 3], its noise."""

    request: RolloutRequest
    context: torch.Tensor
    deltas: torch.Tensor
    generator: torch.Generator

    @property
    def last(self) -> int:
        """Return the last wanted frame; 0 where none is wanted."""
        return max(self.request.frames, default=0)


def next_frames(parts: Parts, rolling: Sequence[Rolling], step: int, relative_time: float) -> list[torch.Tensor]:
    """Return the context of each rollout after action ``step`` (from 0): the oldest frame gone, a new one at the end.

    ``relative_time`` is how much time the action takes, in the units of the official code.
    """
    latents = torch.stack([_encode(parts.vae, one) for one in rolling])
    conditions = {
        "y": torch.stack([one.deltas[step] for one in rolling]),
        "x_cond": latents,
        "rel_t": torch.full((len(rolling),), relative_time, device=latents.device),
    }
    size = rolling[0].context.shape[-1] // PIXELS_PER_LATENT
    current = _noise(rolling, (LATENT_CHANNELS, size, size), latents.device)
    for number in reversed(range(parts.diffusion.num_timesteps)):
        times = torch.full((len(rolling),), number, dtype=torch.long, device=latents.device)
        predicted = parts.diffusion.p_mean_variance(
            parts.denoiser.forward, current, times, clip_denoised=False, model_kwargs=conditions
        )
        noise = _noise(rolling, tuple(current.shape[1:]), latents.device)
        spread = torch.exp(0.5 * predicted["log_variance"]) if number else torch.zeros_like(noise)
        current = predicted["mean"] + spread * noise
    pixels = parts.vae.decode(current / LATENT_SCALE).sample.clip(-1.0, 1.0)
    return [torch.cat([one.context[1:], frame[None]]) for one, frame in zip(rolling, pixels.float(), strict=True)]


def pixels_of(view: RGB, size: int) -> torch.Tensor:
    """Return uint8 [H, W, 3] as [3, size, size] in -1..1."""
    pixels = torch.from_numpy(np.array(view)).permute(2, 0, 1)[None].float()
    if pixels.shape[-2:] != (size, size):
        pixels = interpolate(pixels, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return pixels[0] / 127.5 - 1.0


def rgb_of(pixels: torch.Tensor, camera: Camera) -> RGB:
    """Return [3, S, S] in -1..1 as uint8 [H, W, 3] of the camera: -1 is 0, 0 is grey, 1 is 255."""
    shape = (camera.height, camera.width)
    enlarged = pixels[None].float().cpu()
    if tuple(enlarged.shape[-2:]) != shape:
        enlarged = interpolate(enlarged, shape, mode="bilinear", antialias=True, align_corners=False)
    levels = ((enlarged[0] + 1.0) * 127.5).round().clamp(0.0, 255.0)
    rgb: RGB = levels.permute(1, 2, 0).to(torch.uint8).numpy()
    return rgb


def _encode(vae: Any, one: Rolling) -> torch.Tensor:
    """Return a sample of the latents [C, 4, s, s] of a context."""
    distribution = vae.encode(one.context).latent_dist
    noise = torch.randn(distribution.mean.shape, generator=one.generator).to(one.context.device)
    sampled: torch.Tensor = (distribution.mean + distribution.std * noise) * LATENT_SCALE
    return sampled


def _noise(rolling: Sequence[Rolling], shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    return torch.stack([torch.randn(shape, generator=one.generator) for one in rolling]).to(device)
