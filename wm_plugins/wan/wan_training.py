"""Training of Wan 2.1 and 2.2 image-to-video, with the levels of noise and weights of DiffSynth-Studio.

Wan 2.1 and 2.2 A14B see the first view beside the noisy latents; the 5B of 2.2 sees it as the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from video_diffusion.batching import Embedding
from video_diffusion.devices import FIRST, SECOND
from video_diffusion.flow_matching import (
    LATENTS,
    FlowMatchingTrainee,
    bell,
    by_channel,
    pixels,
    posterior,
    shifted_levels,
)
from wan_model import Wan

from harness.contracts.manifests import Setting

STEPS = 1000.0
"""The time steps that the transformers are told are levels times this."""
VIEW = "view"
PICTURE = "image_embeds"


class WanTrainee(FlowMatchingTrainee):
    """Wan 2.1: the first view in further channels, and as CLIP sees it."""

    model = Wan
    known_latents = 0
    defaults: ClassVar[Mapping[str, Setting]] = {**FlowMatchingTrainee.defaults, "shift": 5.0}

    def normalised(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """Return latents by the means and deviations of the VAE."""
        return by_channel(pipeline.vae, latents)

    def encode(self, pipeline: Any, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Add the first view followed by grey, with channels that say which frames are given, and what CLIP sees."""
        encoded = super().encode(pipeline, frames)
        video = pixels(frames)
        video[:, :, 1:] = 0.0
        latents = self.normalised(pipeline, posterior(pipeline.vae, video))
        given = torch.zeros_like(latents[:, :1]).repeat(1, pipeline.vae_scale_factor_temporal, 1, 1, 1)
        given[:, :, 0] = 1.0
        encoded[VIEW] = torch.cat([given, latents], dim=1)
        if pipeline.image_encoder is not None:
            encoded[PICTURE] = pipeline.encode_image(self.picture(frames[0]), self.device).to(self.dtype)
        return encoded

    def levels(self, latents: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Return uniform levels, moved to high noise."""
        uniform = torch.rand(len(latents), generator=draws, device=draws.device)
        return shifted_levels(uniform, self.choices["shift"])

    def weights(self, levels: torch.Tensor) -> torch.Tensor:
        """Return weights that are largest in the middle."""
        return bell(levels, self.choices["shift"])

    def velocity(
        self, noisy: torch.Tensor, levels: torch.Tensor, batch: Mapping[str, torch.Tensor], text: Embedding
    ) -> torch.Tensor:
        """Call the transformer as the pipeline does."""
        predicted: torch.Tensor = self.network_at(levels)(
            hidden_states=self.inputs(torch.cat([noisy, batch[VIEW].to(noisy)], dim=1)),
            timestep=levels * STEPS,
            encoder_hidden_states=self.inputs(text["prompt_embeds"]),
            encoder_hidden_states_image=self.inputs(batch[PICTURE]) if PICTURE in batch else None,
            return_dict=False,
        )[0]
        return predicted

    def network_at(self, levels: torch.Tensor) -> Any:
        """Return the network that is used at these levels."""
        return self.module()


class WanTokenTrainee(WanTrainee):
    """The 5B of Wan 2.2: every token is told its level of noise, and those of the first view are clean."""

    known_latents = 1

    def encode(self, pipeline: Any, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the latents alone: the VAE is causal, so the first one is that of the first view."""
        return FlowMatchingTrainee.encode(self, pipeline, frames)

    def velocity(
        self, noisy: torch.Tensor, levels: torch.Tensor, batch: Mapping[str, torch.Tensor], text: Embedding
    ) -> torch.Tensor:
        """Call the transformer as the pipeline does."""
        _, patch_height, patch_width = self.module().config.patch_size
        latents = torch.cat([batch[LATENTS][:, :, :1].to(noisy), noisy[:, :, 1:]], dim=2)
        times = levels.view(-1, 1, 1, 1) * torch.ones_like(noisy[:, 0, :, ::patch_height, ::patch_width]) * STEPS
        times[:, :1] = 0.0
        predicted: torch.Tensor = self.module()(
            hidden_states=self.inputs(latents),
            timestep=times.flatten(1),
            encoder_hidden_states=self.inputs(text["prompt_embeds"]),
            return_dict=False,
        )[0]
        return predicted


class Experts(torch.nn.Module):  # type: ignore[misc]
    """The two transformers of Wan 2.2 A14B; the first is for high noise."""

    def __init__(self, first: torch.nn.Module, second: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = first
        self.transformer_2 = second


class WanExpertsTrainee(WanTrainee):
    """Wan 2.2 A14B: each step trains the expert for high noise and the one for low noise on the same clips."""

    networks = (FIRST, SECOND)

    def build(self) -> Any:
        """Return both experts."""
        return Experts(*(self.network(name) for name in self.networks))

    def trained(self) -> Mapping[str, Any]:
        """Return the experts by the names under which they are found in a folder."""
        experts = self.module()
        return {name: getattr(experts, name) for name in self.networks}

    @property
    def boundary(self) -> float:
        """The level from which on the expert for high noise is used."""
        return float(self.parts.config("boundary_ratio"))

    def rounds(self, latents: torch.Tensor, draws: torch.Generator) -> list[torch.Tensor]:
        """Return levels of high noise for the first expert, then of low noise for the second."""
        shift = self.choices["shift"]
        border = self.boundary / (shift - (shift - 1.0) * self.boundary)
        low = border * torch.rand(len(latents), generator=draws, device=draws.device)
        high = 1.0 - (1.0 - border) * torch.rand(len(latents), generator=draws, device=draws.device)
        return [shifted_levels(uniform, shift) for uniform in (high, low)]

    def network_at(self, levels: torch.Tensor) -> Any:
        """Return the expert for these levels."""
        experts = self.module()
        return experts.transformer if bool(levels.mean() >= self.boundary) else experts.transformer_2
