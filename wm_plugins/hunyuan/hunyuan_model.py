"""HunyuanVideo image-to-video: its text encoder looks at the view as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from video_diffusion.base import DiffusersImageToVideo, picture
from video_diffusion.batching import Batch, Embedding, PromptCache, encode
from video_diffusion.decoding import Decoding

from harness.contracts.digest import array_digest
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest

LEADING_FRAMES = 4
"""Frames at the head of the decoded video that the pipeline cuts off where the view is concatenated to the latents."""
KEPT = 16
"""Embeddings that are kept: a view is new at every decision, and each holds hundreds of tokens of it."""

INTERLEAVE = {"latent_concat": 2, "token_replace": 4}
"""How the pipeline thins the view's tokens, by the way in which the transformer is given the view."""


class Hunyuan(DiffusersImageToVideo):
    """HunyuanVideo image-to-video. Guidance is distilled: a number the transformer reads, no second pass.

    Embeddings are cached by prompt and view, since the encoder reads both.
    """

    folder = Path(__file__).resolve().parent
    prompt_outputs = ("prompt_embeds", "pooled_prompt_embeds", "prompt_attention_mask")

    def __init__(self, manifest: ModelManifest) -> None:
        super().__init__(manifest)
        self.prompts = PromptCache(KEPT)

    @property
    def guided(self) -> bool:
        """There is no unconditional half."""
        return False

    def embedding(self, request: RolloutRequest) -> Embedding:
        """Return the embedding of a request's prompt and view."""
        return self.prompts.get((request.prompt, array_digest(request.view)), self._maker(request))

    def _maker(self, request: RolloutRequest) -> Callable[[], Embedding]:
        return lambda: self.embed(request)

    def embed(self, request: RolloutRequest) -> Embedding:
        """Compute the embedding of a request's prompt and view."""
        if self._shapes:
            return super().embed(request)
        kind = self.pipeline.transformer.config.image_condition_type
        return encode(
            self.pipeline,
            self.prompt_outputs,
            self.settings.call,
            prompt=request.prompt,
            image=picture(request, *self.size(request)),
            image_embed_interleave=INTERLEAVE[kind],
            device=self.device,
        )

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Ask for as many frames more as the pipeline will cut off."""
        return {**super().call_arguments(batch, noise), "num_frames": batch.frames + self._cut_off()}

    def decode(self, decoding: Decoding, last: int) -> torch.Tensor:
        """Decode, and cut off what the pipeline cuts off."""
        frames: torch.Tensor = super().decode(decoding, last)[self._cut_off() :]
        return frames

    def _cut_off(self) -> int:
        concatenated = self.pipeline.transformer.config.image_condition_type == "latent_concat"
        return LEADING_FRAMES if concatenated else 0
