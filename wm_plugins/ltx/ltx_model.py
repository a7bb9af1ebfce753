"""LTX-Video: the only family whose decoder may be told how much noise is left in the latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from lean import compile_ltx_decoder, streamline
from video_diffusion.base import DiffusersImageToVideo
from video_diffusion.batching import Batch, Embedding
from video_diffusion.decoding import Decoding
from video_diffusion.devices import PhaseClock

from harness.contracts.manifests import Setting


class Ltx(DiffusersImageToVideo):
    """LTX-Video 0.9.x.

    From 0.9.1 on the VAE denoises the last step. The pipeline draws that noise from one generator for the whole
    batch, which a list of generators breaks; so the step is taken here, with each request's own generator.
    Settings: ``decode_timestep`` and ``decode_noise_scale`` (negative: the same as the timestep).
    """

    folder = Path(__file__).resolve().parent
    prompt_outputs = (
        "prompt_embeds",
        "prompt_attention_mask",
        "negative_prompt_embeds",
        "negative_prompt_attention_mask",
    )
    family_settings: ClassVar[Mapping[str, Setting]] = {"decode_timestep": 0.0, "decode_noise_scale": -1.0}

    def before_compiling(self) -> None:
        """Compute once what repeats; eager runs stay the bare pipeline's to the last bit.

        A transformer that is moved to the device for each call keeps the library's forward, to which the move is tied.
        """
        if not self.settings.offload:
            streamline(self.pipeline.transformer)
        compile_ltx_decoder(self.pipeline.vae, self.device)

    def denoise(
        self, batch: Batch, embeddings: Embedding, noise: list[torch.Generator], clock: PhaseClock
    ) -> list[Decoding]:
        """Run the pipeline with the decoder's noise taken out of its hands."""
        vae = self.pipeline.vae
        self._noisy_decoder = bool(vae.config.timestep_conditioning)
        vae.register_to_config(timestep_conditioning=False)
        try:
            return super().denoise(batch, embeddings, noise, clock)
        finally:
            vae.register_to_config(timestep_conditioning=self._noisy_decoder)

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Add the frame rate, by which the transformer places frames in time."""
        return {"frame_rate": self.manifest.fps, **super().call_arguments(batch, noise)}

    def before_decoding(self, decoding: Decoding, generator: torch.Generator) -> Decoding:
        """Mix noise into the latents and tell the decoder how much, as the pipeline does for one request."""
        if not self._noisy_decoder:
            return decoding
        latents = decoding.latents
        timestep = float(self.settings.family["decode_timestep"])
        scale = float(self.settings.family["decode_noise_scale"])
        noise = torch.randn(latents.shape, generator=generator, device=generator.device, dtype=latents.dtype)
        part = timestep if scale < 0.0 else scale
        mixed = (1 - part) * latents + part * noise.to(latents.device)
        level = torch.tensor([timestep], device=latents.device, dtype=latents.dtype)
        return replace(decoding, latents=mixed, arguments=(level,))
