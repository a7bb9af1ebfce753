"""Training of the models that read a prompt: the velocity from a clip's latents to noise, at a random level of noise.

At level t in 0..1 the network sees (1 - t) * latents + t * noise and predicts noise - latents. What is known of the
first view is fed as the pipeline feeds it in use, and nothing is asked about it. Families differ in how they draw
levels, weigh them, and call their network.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.contracts.training import LOSS, ActionUse, TrainingClip
from video_diffusion.batching import Embedding
from video_diffusion.training import PipelineTrainee

LATENTS = "latents"


class FlowMatchingTrainee(PipelineTrainee):
    """A transformer told the actions by its prompt.

    The text that says nothing of the actions is the negative prompt: it is what guidance compares with in use. A share
    ``prompt_dropout`` of the clips gets it in training.
    """

    defaults: ClassVar[Mapping[str, Setting]] = {"prompt_dropout": 0.0}
    known_latents: ClassVar[int] = 1
    """How many latent frames are given to the network as they are, so that their velocity is not asked."""

    def prepare(self, clip: TrainingClip) -> Mapping[str, torch.Tensor]:
        """Return the latents [C, T, h, w] and the embeddings of the prompt, in the model's dtype."""
        if not clip.prompt:
            raise Refusal(f"{clip.name} has no prompt.", f"{self.manifest.name!r} reads its actions as text.")
        frames = self.video(clip)
        pipeline = self.encoders()
        with torch.no_grad():
            prepared = {**self.encode(pipeline, frames), **self._embedded(clip.prompt)}
        self._null_text()
        return {name: value[0].cpu() for name, value in prepared.items()}

    def encode(self, pipeline: Any, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what a clip's frames [T, H, W, 3] become, each with a leading dimension of 1."""
        return {LATENTS: self.normalised(pipeline, posterior(pipeline.vae, pixels(frames)))}

    @abstractmethod
    def normalised(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """Return latents of the VAE as the network sees them."""

    @abstractmethod
    def levels(self, latents: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Return [B]: the level of noise of each clip, between 0 and 1."""

    def rounds(self, latents: torch.Tensor, draws: torch.Generator) -> list[torch.Tensor]:
        """Return the levels of each pass over the batch: one pass, but for models of several networks."""
        return [self.levels(latents, draws)]

    def weights(self, levels: torch.Tensor) -> torch.Tensor:
        """Return [B]: how much a clip at each level counts."""
        return torch.ones_like(levels)

    @abstractmethod
    def velocity(
        self, noisy: torch.Tensor, levels: torch.Tensor, batch: Mapping[str, torch.Tensor], text: Embedding
    ) -> torch.Tensor:
        """Return what the network predicts, [B, C, T, h, w]."""

    def loss(
        self, batch: Mapping[str, torch.Tensor], use: ActionUse, draws: torch.Generator
    ) -> Mapping[str, torch.Tensor]:
        """Return the weighted ``loss`` and the plain ``mse`` of the velocity."""
        text = self._told(batch, use, draws)
        self.free_encoders()
        latents = batch[LATENTS].float()
        losses, errors = [], []
        for levels in self.rounds(latents, draws):
            noise = torch.randn(latents.shape, generator=draws, device=latents.device)
            share = levels.view(-1, 1, 1, 1, 1)
            predicted = self.velocity((1 - share) * latents + share * noise, levels, batch, text)
            wrong = (predicted.float() - (noise - latents))[:, :, self.known_latents :].pow(2).flatten(1).mean(1)
            losses.append((self.weights(levels) * wrong).mean())
            errors.append(wrong.detach().mean())
        return {LOSS: torch.stack(losses).mean(), "mse": torch.stack(errors).mean()}

    @property
    def text_outputs(self) -> tuple[str, ...]:
        """What the pipeline's text encoder makes of the prompt."""
        return tuple(name for name in self.model.prompt_outputs if not name.startswith("negative_"))

    def _embedded(self, text: str) -> Embedding:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            found = self.parts.embed(self.encoders(), text, self.model.prompt_outputs)
        return {n: v.to(self.dtype) if v.is_floating_point() else v for n, v in found.items()}

    def _null_text(self) -> Embedding:
        """Return the embeddings of the negative prompt; the text encoder is loaded for them once."""
        if self._null is None:
            found = self._embedded(self.settings.negative_prompt)
            self._null = {name: value.to(self.device) for name, value in found.items()}
        return self._null

    _null: Embedding | None = None

    def _told(self, batch: Mapping[str, torch.Tensor], use: ActionUse, draws: torch.Generator) -> Embedding:
        """Return the embeddings that the network reads: the clips' own, each other's, or those of the null text."""
        own = {name: batch[name] for name in self.text_outputs}
        count = len(batch[LATENTS])
        dropped = torch.rand(count, generator=draws, device=draws.device) < self.choices["prompt_dropout"]
        if use is ActionUse.SHUFFLED:
            own = {name: shuffled(value) for name, value in own.items()}
        if use is ActionUse.NONE:
            dropped = torch.ones_like(dropped)
        elif not self.module().training:
            dropped = torch.zeros_like(dropped)
        if not dropped.any():
            return own
        return {
            name: torch.where(dropped.view(-1, *[1] * (value.ndim - 1)), self._null_text()[name].to(value), value)
            for name, value in own.items()
        }


def shuffled(values: torch.Tensor) -> torch.Tensor:
    """Return each clip's values in the place of the next one's; a single clip raises Refusal."""
    if len(values) < 2:
        raise Refusal("the actions of a single clip cannot be exchanged.", "Give batches of two clips or more.")
    return values.roll(1, dims=0)


def pixels(frames: torch.Tensor) -> torch.Tensor:
    """Return frames uint8 [T, H, W, 3] as a video VAE takes them: [1, 3, T, H, W] in -1..1."""
    return (frames.permute(3, 0, 1, 2).float() / 127.5 - 1.0).unsqueeze(0)


def posterior(vae: Any, video: torch.Tensor) -> torch.Tensor:
    """Return the most probable latents of ``video``."""
    latents: torch.Tensor = vae.encode(video.to(vae.dtype)).latent_dist.mode()
    return latents


def by_channel(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Return the latents of Wan's VAEs with the means and deviations that their configuration lists."""
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1).to(latents)
    deviation = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1).to(latents)
    return (latents - mean) / deviation


def shifted_levels(uniform: torch.Tensor, shift: float) -> torch.Tensor:
    """Return levels of noise from numbers in 0..1, moved to high noise: shift * u / (1 + (shift - 1) * u)."""
    return shift * uniform / (1.0 + (shift - 1.0) * uniform)


def bell(levels: torch.Tensor, shift: float) -> torch.Tensor:
    """Return weights that are largest at the level 1/2 and 0 at both ends, 1 on average over `shifted_levels`."""

    def heights(t: torch.Tensor) -> torch.Tensor:
        return torch.exp(-2.0 * (t - 0.5) ** 2) - math.exp(-0.5)

    return heights(levels) / heights(shifted_levels(torch.linspace(0.001, 1.0, 1000), shift)).mean().to(levels)
