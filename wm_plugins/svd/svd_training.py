"""Training of Stable Video Diffusion that is told the actions: denoising at log-normal sigmas (EDM), the whole UNet.

Written from the description of the published protocol (arXiv 2510.18135), not from its code. What it leaves open: the
base's embeddings of frame rate and motion bucket, which are dropped, leave their values at the pipeline's defaults
behind, and the embedding of actions begins at zero, so that training begins where the base is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from action_embedding import (
    FRAMES,
    START_ID,
    ActionEmbedding,
    action_ids,
    added_to_time_embedding,
    prefix_matrix,
    sinusoids,
    turn_with_camera,
    turned_columns,
)
from diffusers import UNetSpatioTemporalConditionModel
from safetensors.torch import save_file
from svd_model import ACTION_FILE, FTSvd, fill
from video_diffusion.flow_matching import shuffled
from video_diffusion.training import PipelineTrainee
from video_diffusion.training_parts import save_network

from harness.contracts.actions import TURN_LEFT, TURN_RIGHT, Action, Primitive
from harness.contracts.errors import Refusal
from harness.contracts.manifests import Setting
from harness.contracts.training import LOSS, ActionUse, Adapter, TrainingClip

DROPPED = (6.0, 127.0)
"""Frame rate (less one, as the pipeline counts it) and motion bucket that the base is told by default."""
MIRRORED = {TURN_LEFT: TURN_RIGHT, TURN_RIGHT: TURN_LEFT}
ENCODED_AT_ONCE = 2
NOTHING_SAID = [START_ID] + [0] * (FRAMES - 1)
"""The ids of a clip whose actions nobody says: the start, then empty entries."""


class ToldUnet(torch.nn.Module):  # type: ignore[misc]
    """A UNet and the embedding of actions, which is added to its time embedding."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet
        self.actions = ActionEmbedding(unet.time_embedding.linear_2.out_features)
        for parameter in self.actions.embed.linear_2.parameters():
            torch.nn.init.zeros_(parameter)

    def forward(self, ids: torch.Tensor, sample: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        """Return what the UNet predicts for ``sample`` [B, T, C, h, w]; ``ids`` [B, 14] say the actions."""
        rows = torch.stack([prefix_matrix(row) for row in ids.tolist()])[:, : sample.shape[1]]
        features = sinusoids(rows).to(self.actions.project.weight)
        with added_to_time_embedding(self.unet, self.actions(features)):
            predicted: torch.Tensor = self.unet(sample, *arguments, **options, return_dict=False)[0]
        return predicted


class SvdTrainee(PipelineTrainee):
    """Each clip is learnt as it is or mirrored, left turns for right ones; both are prepared.

    ``dropout``: below twice this share the embedding of the first view is dropped, from once to three times its
    latents, so that both are known to guidance; actions never are. Sigmas and the noise on the first view
    (``augmentation``) are log-normal with the given means and deviations.
    """

    model = FTSvd
    networks = ("unet",)
    encoder_dtypes: ClassVar[Mapping[str, str]] = {"vae": "fp32"}
    defaults: ClassVar[Mapping[str, Setting]] = {
        "mirror": True,
        "dropout": 0.1,
        "sigma_mean": 0.7,
        "sigma_deviation": 1.6,
        "augmentation_mean": -3.0,
        "augmentation_deviation": 0.5,
    }

    def adapt(self, adapter: Adapter) -> None:
        """Refuse: the embedding of actions is new, and the UNet learns to read it as a whole."""
        raise Refusal(f"{self.manifest.name!r} takes no adapter.", "Leave [adapter] out of the recipe.")

    def build(self) -> Any:
        """Return the UNet of the base without the embeddings that are dropped, and a new embedding of actions.

        Where training goes on from a checkpoint, both are the checkpoint's.
        """
        told = ToldUnet(narrowed(self.parts.denoiser("unet", torch.float32)))
        if self.parts.trained is not None:
            nested = self.parts.trained / "unet"
            fill(told.actions, (nested if nested.is_dir() else self.parts.trained) / ACTION_FILE)
        return told.to(self.device).requires_grad_(True)

    def trained(self) -> Mapping[str, Any]:
        """Return the UNet."""
        return {"": self.module().unet}

    def save(self, folder: Path) -> None:
        """Write the UNet and beside it the embedding of actions."""
        save_network(self.module().unet, folder, self.dtype)
        state = self.module().actions.state_dict()
        save_file({name: value.to(self.dtype).cpu() for name, value in state.items()}, folder / ACTION_FILE)

    def prepare(self, clip: TrainingClip) -> Mapping[str, torch.Tensor]:
        """Return both versions of a clip [2, ...] (one without ``mirror``), and its first view uint8 [H, W, 3]."""
        frames = self.video(clip)
        both = [(frames, clip.actions)]
        if self.choices["mirror"]:
            both.append((frames.flip(2), mirrored(clip.actions)))
        with torch.no_grad():
            versions = [self._version(*version) for version in both]
        stacked = {name: torch.stack([version[name] for version in versions]).cpu() for name in versions[0]}
        return {**stacked, "first": frames[0].cpu()}

    def _version(self, frames: torch.Tensor, actions: tuple[Action, ...]) -> dict[str, torch.Tensor]:
        pipeline = self.encoders()
        vae = pipeline.vae
        video = frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        latents = torch.cat([vae.encode(part).latent_dist.mode() for part in video.split(ENCODED_AT_ONCE)])
        return {
            "latents": (latents * vae.config.scaling_factor).to(self.dtype),
            "picture": pipeline._encode_image(self.picture(frames[0]), self.device, 1, False)[0].to(self.dtype),
            "ids": torch.tensor(action_ids(actions)),
            "columns": torch.tensor(turned_columns(actions, latents.shape[-1])),
        }

    def encoders(self) -> Any:
        """Keep the VAE when the rest is freed: it encodes the first view with new noise at every step."""
        pipeline = super().encoders()
        self._vae = pipeline.vae
        return pipeline

    _vae: Any = None

    def loss(
        self, batch: Mapping[str, torch.Tensor], use: ActionUse, draws: torch.Generator
    ) -> Mapping[str, torch.Tensor]:
        """Return the weighted error of the denoised latents, and the sum of squares without weights as ``mse``."""
        batch = self._one_version(batch, draws)
        ids, columns = self._told(batch, use)
        latents, count = batch["latents"].float(), len(batch["latents"])
        sigmas = self._lognormal("sigma", count, draws)
        noise = torch.randn(latents.shape, generator=draws, device=draws.device)
        noise = torch.stack([turn_with_camera(n, c) for n, c in zip(noise, columns.tolist(), strict=True)])
        noisy = latents + noise * sigmas
        augmentation = self._lognormal("augmentation", count, draws)
        given = self._first_view(batch["first"], augmentation, draws)
        picture, given = self._dropped(batch["picture"].float(), given, draws)
        inputs = torch.cat(
            [noisy / (sigmas**2 + 1).sqrt(), given[:, None].expand(-1, noisy.shape[1], -1, -1, -1)], dim=2
        )
        predicted = self.module()(
            ids,
            inputs,
            0.25 * sigmas.flatten().log(),
            encoder_hidden_states=picture,
            added_time_ids=augmentation.view(-1, 1),
        ).float()
        denoised = noisy / (sigmas**2 + 1) - predicted * sigmas / (sigmas**2 + 1).sqrt()
        errors = (denoised - latents).pow(2).flatten(1).mean(1)
        weights = ((1 + sigmas**2) / sigmas**2).flatten()
        return {LOSS: (weights * errors).mean(), "mse": errors.detach().mean()}

    def _one_version(self, batch: Mapping[str, torch.Tensor], draws: torch.Generator) -> dict[str, torch.Tensor]:
        """Return each clip as it is or mirrored; as it is outside of training."""
        count, versions = batch["ids"].shape[:2]
        which = torch.randint(versions, (count,), generator=draws, device=draws.device)
        if not self.module().training:
            which = torch.zeros_like(which)
        places = torch.arange(count, device=draws.device)
        chosen = {name: value[places, which] for name, value in batch.items() if name != "first"}
        flip = which.bool().view(-1, 1, 1, 1)
        return {**chosen, "first": torch.where(flip, batch["first"].flip(2), batch["first"])}

    def _told(self, batch: Mapping[str, torch.Tensor], use: ActionUse) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and turned columns as the model is told them: the noise turns with the actions in use as well."""
        ids, columns = batch["ids"], batch["columns"]
        if use is ActionUse.SHUFFLED:
            return shuffled(ids), shuffled(columns)
        if use is ActionUse.NONE:
            return torch.tensor(NOTHING_SAID, device=ids.device).expand_as(ids), torch.zeros_like(columns)
        return ids, columns

    def _lognormal(self, name: str, count: int, draws: torch.Generator) -> torch.Tensor:
        normal = torch.randn(count, generator=draws, device=draws.device).view(-1, 1, 1, 1, 1)
        return (normal * self.choices[f"{name}_deviation"] + self.choices[f"{name}_mean"]).exp()

    def _first_view(self, first: torch.Tensor, augmentation: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        """Return the latents of the first view with noise on its pixels, as the pipeline makes them."""
        image = first.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        noise = torch.randn(image.shape, generator=draws, device=draws.device)
        if self._vae is None:
            self.encoders()
        self.free_encoders()
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            latents: torch.Tensor = self._vae.encode(image + augmentation.view(-1, 1, 1, 1) * noise).latent_dist.mode()
        return latents

    def _dropped(
        self, picture: torch.Tensor, given: torch.Tensor, draws: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what is kept of the first view, outside of training all."""
        place = torch.rand(len(picture), generator=draws, device=draws.device)
        share = self.choices["dropout"]
        if not self.module().training:
            return picture, given
        no_picture = (place < 2 * share).view(-1, 1, 1)
        no_latents = ((place >= share) & (place < 3 * share)).view(-1, 1, 1, 1)
        return picture.masked_fill(no_picture, 0.0), given.masked_fill(no_latents, 0.0)


def mirrored(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Return the actions of the mirrored clip: left turns become right ones."""
    return tuple(
        Primitive(MIRRORED.get(action.name, action.name), action.magnitude) if isinstance(action, Primitive) else action
        for action in actions
    )


def narrowed(unet: Any) -> Any:
    """Return a UNet that embeds the noise on the first view alone.

    What the first layer made of frame rate and motion bucket, at their defaults, goes into its bias.
    """
    each = unet.config.addition_time_embed_dim
    layer = unet.add_embedding.linear_1
    if layer.in_features == each:
        return unet
    other = UNetSpatioTemporalConditionModel.from_config({**unet.config, "projection_class_embeddings_input_dim": each})
    state = unet.state_dict()
    fixed = unet.add_time_proj(torch.tensor(DROPPED, device=layer.weight.device)).flatten().to(layer.weight)
    with torch.no_grad():
        state["add_embedding.linear_1.bias"] = layer.bias + layer.weight[:, : len(fixed)] @ fixed
        state["add_embedding.linear_1.weight"] = layer.weight[:, len(fixed) :]
    other.load_state_dict({name: value.clone() for name, value in state.items()}, assign=True)
    return other
