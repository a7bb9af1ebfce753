"""Training of Cosmos-Predict2 Video2World.

Its authors write it as denoising at sigma = t / (1 - t) with the weight (1 + sigma^2) / sigma^2 of the error of the
clean latents. That is the velocity's error at level t, weighted by t^2 + (1 - t)^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from cosmos_model import Cosmos2, PassThrough, supply_resize
from video_diffusion.batching import Embedding
from video_diffusion.flow_matching import LATENTS, FlowMatchingTrainee, by_channel

CLEAN_SIGMA = 0.0001
"""How noisy the pipeline says that the given latents are."""


class CosmosTrainee(FlowMatchingTrainee):
    """Cosmos-Predict2: each latent frame is told its level of noise, and a channel says which are given."""

    model = Cosmos2

    def components(self) -> dict[str, Any]:
        """Return a stand-in for the guardrail: prompts are those of the template, and no video comes out."""
        return {"safety_checker": PassThrough()}

    def build(self) -> Any:
        """Return the transformer."""
        supply_resize()
        return super().build()

    def normalised(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """Return latents by the means and deviations of the VAE."""
        return by_channel(pipeline.vae, latents) * pipeline.scheduler.config.sigma_data

    def levels(self, latents: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Return levels of log-normal sigmas, larger by the root of the number of latent frames."""
        sigmas = torch.randn(len(latents), generator=draws, device=draws.device).exp() * latents.shape[2] ** 0.5
        return sigmas / (1.0 + sigmas)

    def weights(self, levels: torch.Tensor) -> torch.Tensor:
        """Return the weight of the velocity's error that is (1 + sigma^2) / sigma^2 of that of the clean latents."""
        return levels**2 + (1.0 - levels) ** 2

    def velocity(
        self, noisy: torch.Tensor, levels: torch.Tensor, batch: Mapping[str, torch.Tensor], text: Embedding
    ) -> torch.Tensor:
        """Call the transformer as the pipeline does."""
        given = torch.zeros_like(noisy[:, :1])
        given[:, :, : self.known_latents] = 1.0
        latents = torch.cat(
            [batch[LATENTS][:, :, : self.known_latents].to(noisy), noisy[:, :, self.known_latents :]], 2
        )
        times = levels.view(-1, 1, 1, 1, 1).expand(-1, 1, noisy.shape[2], 1, 1).clone()
        times[:, :, : self.known_latents] = CLEAN_SIGMA / (CLEAN_SIGMA + 1.0)
        predicted: torch.Tensor = self.module()(
            hidden_states=self.inputs(latents),
            timestep=self.inputs(times),
            encoder_hidden_states=self.inputs(text["prompt_embeds"]),
            fps=self.manifest.fps,
            condition_mask=self.inputs(given),
            padding_mask=self.inputs(noisy.new_zeros(1, 1, *noisy.shape[-2:])),
            return_dict=False,
        )[0]
        return predicted
