"""Stable Video Diffusion, and its versions that are told the actions as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from action_embedding import (
    FRAMES,
    POSE_NUMBERS,
    ActionEmbedding,
    action_ids,
    added_to_time_embedding,
    pose_matrix,
    prefix_matrix,
    sinusoids,
    turn_with_camera,
    turned_columns,
)
from diffusers import StableVideoDiffusionPipeline, UNetSpatioTemporalConditionModel
from video_diffusion.base import DiffusersImageToVideo
from video_diffusion.batching import Batch, Embedding
from video_diffusion.decoding import Decoding
from video_diffusion.loading import part_of
from video_diffusion.stored import read_tensors

from harness.contracts.actions import EE_POSE8, Action
from harness.contracts.errors import Refusal
from harness.contracts.manifests import RANDOM, Setting
from harness.contracts.rollouts import Rollout, RolloutRequest, failed_rollout
from harness.contracts.tensor_names import fitted

ACTION_FILE = "action_embedding.safetensors"


def fill(actions: ActionEmbedding, file: Path) -> None:
    """Give an embedding of actions the weights in ``file``; Refusal where they are not those."""
    advice = f"The checkpoint needs {ACTION_FILE} beside the UNet's weights; see wm_plugins/svd/README.md."
    actions.load_state_dict(fitted(read_tensors(file), actions.state_dict(), file, advice))


class Svd(DiffusersImageToVideo):
    """Stable Video Diffusion: no text, no actions. Guidance rises from 1 at the first frame to the manifest's."""

    folder = Path(__file__).resolve().parent
    prompt_outputs = ()
    guidance_name = "max_guidance_scale"

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Add the frame rate that SVD is conditioned by; frames are decoded in one chunk a rollout."""
        return {"fps": round(self.manifest.fps), **super().call_arguments(batch, noise)}


class NoiseAugmentationOnly(StableVideoDiffusionPipeline):  # type: ignore[misc]
    """SVD whose UNet was trained without frame rate and motion bucket: only the noise augmentation is embedded."""

    def _get_add_time_ids(
        self,
        fps: int,
        motion_bucket_id: int,
        noise_aug_strength: float,
        dtype: torch.dtype,
        batch_size: int,
        num_videos_per_prompt: int,
        do_classifier_free_guidance: bool,
    ) -> torch.Tensor:
        rows = batch_size * num_videos_per_prompt * (2 if do_classifier_free_guidance else 1)
        return torch.full((rows, 1), noise_aug_strength, dtype=dtype)


class FTSvd(Svd):
    """SVD post-trained on panoramas, with the actions added to the time embedding of every frame.

    The checkpoint is a UNet folder as ``save_pretrained`` writes it, with ``action_embedding.safetensors`` beside its
    weights. Noise of a frame after a turn is that of the frame before, rolled like the panorama.
    """

    files_beside = (ACTION_FILE,)
    numbers: ClassVar[int] = FRAMES
    """How many numbers a frame is told."""

    def rows(self, actions: Sequence[Action]) -> torch.Tensor:
        """Return [14, `numbers`]: what each frame is told; actions that the model does not know raise Refusal."""
        return prefix_matrix(action_ids(actions))

    def imagine_batch(self, requests: Sequence[RolloutRequest]) -> Iterator[Rollout]:
        """Yield the rollouts; a request with unknown actions fails alone, before the others are computed."""
        known = []
        for request in requests:
            try:
                self.rows(request.candidate.actions)
            except Refusal as error:
                yield failed_rollout(request.id, request.camera, str(error))
            else:
                known.append(request)
        yield from super().imagine_batch(known)

    def load(self) -> Any:
        """Return the pipeline with the embedding of actions."""
        pipeline = super().load()
        pipeline = NoiseAugmentationOnly(**pipeline.components)
        self.actions = self._load_actions(pipeline.unet).to(self.device).eval().requires_grad_(False)
        return pipeline

    def component_class(self, name: str) -> Any:
        """The post-trained UNet is an ordinary one with a narrower added embedding."""
        return UNetSpatioTemporalConditionModel if name == "unet" else ""

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Add noise that turns with the camera."""
        arguments = super().call_arguments(batch, noise)
        height, width = self.size(batch.requests[0])
        scale = self.pipeline.vae_scale_factor
        shape = (batch.frames, self.pipeline.unet.config.in_channels // 2, height // scale, width // scale)
        dtype = self.pipeline.image_encoder.dtype
        latents = [self._turning_noise(r, g, shape) for r, g in zip(batch.requests, noise, strict=True)]
        return {**arguments, "latents": torch.stack(latents).to(self.device, dtype)}

    def denoise(self, batch: Batch, embeddings: Embedding, noise: list[torch.Generator], clock: Any) -> list[Decoding]:
        """Run the pipeline with the actions added to its time embedding."""
        matrices = [self.rows(request.candidate.actions)[: batch.frames] for request in batch.requests]
        features = sinusoids(torch.stack(matrices)).to(self.device, self.actions.project.weight.dtype)
        with torch.no_grad(), added_to_time_embedding(self.pipeline.unet, self.actions(features)):
            return super().denoise(batch, embeddings, noise, clock)

    @staticmethod
    def _turning_noise(request: RolloutRequest, generator: torch.Generator, shape: tuple[int, ...]) -> torch.Tensor:
        noise = torch.randn(shape, generator=generator, device=generator.device)
        return turn_with_camera(noise, turned_columns(request.candidate.actions, shape[-1]))

    def _load_actions(self, unet: Any) -> ActionEmbedding:
        width = unet.time_embedding.linear_2.out_features
        actions = ActionEmbedding(width, self.numbers)
        if self.manifest.weights != RANDOM:
            fill(actions, self._action_file())
        actions.to(unet.dtype)
        return actions

    def _action_file(self) -> Path:
        part = part_of(self.manifest, self.settings.part)
        folder = Path(part.source if part is not None else self.manifest.weights)
        nested = folder / "unet"
        return (nested if nested.is_dir() else folder) / ACTION_FILE


class FTSvdManip(FTSvd):
    """SVD post-trained on a robot arm seen by a fixed camera: each frame is told the absolute pose of the gripper."""

    numbers = POSE_NUMBERS
    family_settings: ClassVar[Mapping[str, Setting]] = {"action_space": EE_POSE8}

    def rows(self, actions: Sequence[Action]) -> torch.Tensor:
        """Return [14, 10]: the gripper's pose at each frame."""
        return pose_matrix(actions)
