"""Training of LTX-Video, as in its authors' trainer: levels of noise by the number of tokens, the first view given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import LTXImageToVideoPipeline
from ltx_model import Ltx
from video_diffusion.batching import Embedding
from video_diffusion.flow_matching import LATENTS, FlowMatchingTrainee

FEWEST_TOKENS, MOST_TOKENS = 1024, 4096
LEAST_SHIFT, MOST_SHIFT = 0.95, 2.05


class LtxTrainee(FlowMatchingTrainee):
    """LTX-Video 0.9.x: tokens are latents, each told its own level of noise."""

    model = Ltx

    def normalised(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """Return latents by the means and deviations that the VAE holds."""
        vae = pipeline.vae
        normalised: torch.Tensor = pipeline._normalize_latents(latents, vae.latents_mean, vae.latents_std)
        return normalised

    def encode(self, pipeline: Any, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Note how the VAE compresses, by which the transformer places tokens in space and time."""
        return super().encode(pipeline, frames) | {
            "compression": torch.tensor(
                [[pipeline.vae_temporal_compression_ratio, pipeline.vae_spatial_compression_ratio]]
            )
        }

    def levels(self, latents: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Return logit-normal levels, higher the more tokens there are."""
        tokens = latents[0, 0].numel()
        slope = (MOST_SHIFT - LEAST_SHIFT) / (MOST_TOKENS - FEWEST_TOKENS)
        mean = LEAST_SHIFT + slope * (tokens - FEWEST_TOKENS)
        return torch.sigmoid(torch.randn(len(latents), generator=draws, device=draws.device) + mean)

    def velocity(
        self, noisy: torch.Tensor, levels: torch.Tensor, batch: Mapping[str, torch.Tensor], text: Embedding
    ) -> torch.Tensor:
        """Call the transformer with the first latents clean and told so."""
        _, _, count, height, width = noisy.shape
        transformer = self.module()
        size = (transformer.config.patch_size, transformer.config.patch_size_t)
        latents = torch.cat([batch[LATENTS][:, :, :1].to(noisy), noisy[:, :, 1:]], dim=2)
        times = levels.view(-1, 1, 1, 1, 1).expand(-1, 1, count, height, width).clone() * 1000.0
        times[:, :, :1] = 0.0
        in_time, in_space = (int(value) for value in batch["compression"][0])
        tokens = transformer(
            hidden_states=self.inputs(LTXImageToVideoPipeline._pack_latents(latents, *size)),
            encoder_hidden_states=self.inputs(text["prompt_embeds"]),
            timestep=LTXImageToVideoPipeline._pack_latents(times, *size).squeeze(-1),
            encoder_attention_mask=text["prompt_attention_mask"],
            num_frames=count,
            height=height,
            width=width,
            rope_interpolation_scale=(in_time / self.manifest.fps, in_space, in_space),
            return_dict=False,
        )[0]
        unpacked: torch.Tensor = LTXImageToVideoPipeline._unpack_latents(tokens, count, height, width, *size)
        return unpacked
