"""`PipelineTrainee`: what all models built on a diffusers image-to-video pipeline share when they are trained.

A clip becomes the video that the model would generate for its actions (`harness.contracts.frame_maps`), at the size
and in the dtypes of use. The encoders are loaded when a clip is prepared and freed before the first loss; the denoiser
is loaded when it is asked for. Whole networks are trained in single precision (an update of a weight in bf16 is lost
where it is smaller than the last bit), adapters in single precision on a network in the model's dtype.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from harness.contracts.cameras import EQUIRECT
from harness.contracts.errors import Refusal
from harness.contracts.frame_maps import shown_views
from harness.contracts.manifests import ModelManifest, Setting
from harness.contracts.names import nearest
from harness.contracts.training import ACTIONS, Adapter, Trainee, TrainingClip
from video_diffusion.base import DiffusersImageToVideo
from video_diffusion.devices import dtype_of
from video_diffusion.settings import read_settings
from video_diffusion.training_parts import Parts, add_adapter, read_adapter, save_adapter, save_network


class PipelineTrainee(Trainee):
    """The trained part of a pipeline, and how clips are encoded for it. A family says what its loss is."""

    needs: ClassVar[frozenset[str]] = frozenset({ACTIONS})
    model: ClassVar[type[DiffusersImageToVideo]]
    """The world model as it is used: its folder, its settings, what it reads of a prompt."""
    networks: ClassVar[tuple[str, ...]] = ("transformer",)
    """The components that are trained."""
    encoder_dtypes: ClassVar[Mapping[str, str]] = {}
    """Dtypes of components that encode in another one than the model's."""
    defaults: ClassVar[Mapping[str, Setting]] = {}
    """What ``[settings]`` of a recipe may say."""

    def __init__(
        self, manifest: ModelManifest, settings: Mapping[str, Setting], weights: Path | None, device: Any, seed: int
    ) -> None:
        self.manifest = manifest
        self.settings = read_settings(manifest.settings, self.model.family_settings)
        if self.settings.generation_height:
            raise Refusal(
                f"{manifest.name!r} is used at another size than its view's.", "Train it at height and width instead."
            )
        self.choices = chosen(settings, self.defaults)
        self.device = torch.device(device)
        self.dtype = dtype_of(manifest.dtype)
        self.parts = Parts(manifest, self.settings, self.model.folder, weights, self.device)
        self.parts.source  # noqa: B018 - what is missing is said at once
        self._seed = seed
        self._adapter: Adapter | None = None
        self._encoders: Any = None
        self._module: Any = None

    def adapt(self, adapter: Adapter) -> None:
        """Train low-rank additions to the layers that ``adapter`` names."""
        if self._module is not None:
            raise ValueError("The trained part has been made without the adapter.")
        self._adapter = adapter

    def restore_adapter(self, folder: Path) -> None:
        """Take what `save` wrote of every network's adapter."""
        for name, network in self.trained().items():
            read_adapter(network, folder / name)

    def checkpoint_gradients(self) -> None:
        """Keep the activations between blocks alone."""
        for network in self.trained().values():
            network.enable_gradient_checkpointing()

    def module(self) -> Any:
        """Return the trained part, made on the first call."""
        if self._module is None:
            self.free_encoders()
            with seeded(self._seed, self.device):
                self._module = self.build().train()
        return self._module

    def build(self) -> Any:
        """Return the network of the base, with fresh additions where an adapter is trained."""
        return self.network(self.networks[0])

    def network(self, name: str) -> Any:
        """Return one network of the base on the device, ready to be trained."""
        network = self.parts.denoiser(name, torch.float32 if self._adapter is None else self.dtype)
        if self._adapter is None:
            return network.requires_grad_(True)
        add_adapter(network, self._adapter)
        return network

    def trained(self) -> Mapping[str, Any]:
        """Return the trained networks by the folder that each is saved to."""
        return {"": self.module()}

    def save(self, folder: Path) -> None:
        """Write the adapter as peft does, or the network as ``save_pretrained`` does, in the dtype of use."""
        for name, network in self.trained().items():
            if self._adapter is not None:
                save_adapter(network, folder / name)
            else:
                save_network(network, folder / name, self.dtype)

    def inputs(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return ``tensor`` in the dtype of the trained networks' own weights."""
        return tensor.to(torch.float32 if self._adapter is None else self.dtype)

    def encoders(self) -> Any:
        """Return the pipeline without its denoisers, loaded where it is not there."""
        if self._encoders is None:
            with seeded(self._seed, self.device):
                self._encoders = self.parts.encoders(self.encoder_dtypes, **self.components())
        return self._encoders

    def components(self) -> dict[str, Any]:
        """Return components of the pipeline that the family brings itself."""
        return {}

    def free_encoders(self) -> None:
        """Give the memory of the encoders back."""
        if self._encoders is not None:
            self._encoders = None
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    @property
    def plan(self) -> int:
        """How many actions a clip has: as many as a plan in use stands for."""
        return (0 if self.settings.frame_multiple else self.settings.plan_actions) or self.manifest.frames

    def video(self, clip: TrainingClip) -> torch.Tensor:
        """Return the frames that the model would generate for the actions of ``clip``: [T, H, W, 3] of 0..255.

        A clip of another length, or of another kind of camera than the model's, raises Refusal.
        """
        if len(clip.frames) != self.plan + 1 or len(clip.actions) != self.plan:
            raise Refusal(
                f"{clip.name} has {len(clip.frames)} frames and {len(clip.actions)} actions; {self.manifest.name!r} "
                f"is trained on {self.plan + 1} frames and the {self.plan} actions between them.",
                f"Set data.frames={self.plan + 1}.",
            )
        if (clip.camera.kind == EQUIRECT) != (self.manifest.view == "panorama"):
            raise Refusal(
                f"{clip.name} was seen by a camera of kind {clip.camera.kind}; {self.manifest.name!r} sees "
                f"{self.manifest.view}s.",
                "Give data of that camera.",
            )
        views = torch.from_numpy(np.array(clip.frames)).to(self.device)  # a copy: frames may be read-only
        size = (self.manifest.height or views.shape[1], self.manifest.width or views.shape[2])
        return resized(views, *size)[list(shown_views(self.plan, self.manifest.frames + 1))]

    def picture(self, frame: torch.Tensor) -> Image.Image:
        """Return one frame as the pipelines take a conditioning view."""
        return Image.fromarray(frame.cpu().numpy())

    @abstractmethod
    def prepare(self, clip: TrainingClip) -> Mapping[str, torch.Tensor]:
        """Return latents, embeddings, and what else the loss needs of ``clip``."""


def chosen(given: Mapping[str, Setting], defaults: Mapping[str, Setting]) -> dict[str, Any]:
    """Return ``defaults`` with what a recipe says instead; another name, type or a negative number raises Refusal."""
    for name, value in given.items():
        if name not in defaults:
            raise Refusal(f"settings.{name} is unknown to this trainee.", nearest(name, sorted(defaults)))
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (type(value) is type(defaults[name]) or (whole and isinstance(defaults[name], float))):
            raise Refusal(f"settings.{name} is {value!r}.", f"Give a value like {defaults[name]!r}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise Refusal(f"settings.{name} is {value!r}.", "Give a number.")
    return {**defaults, **given}


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw what is random inside from ``seed``, and leave the global generators as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def resized(views: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return ``views`` uint8 [T, H, W, 3] at another size as in use: each new pixel is the mean of its area."""
    if tuple(views.shape[1:3]) == (height, width):
        return views
    rows = area_shares(views.shape[1], height).to(views.device)
    columns = area_shares(views.shape[2], width).to(views.device)
    means = torch.einsum("ih,thwc,jw->tijc", rows, views.float(), columns)
    return (means + 0.5 + 1e-4).floor().clamp(0, 255).to(torch.uint8)  # halves are rounded up, whatever their last bit


def area_shares(length: int, size: int) -> torch.Tensor:
    """Return [size, length]: which share each pixel has in each of ``size`` equal intervals of an axis."""
    starts = torch.arange(size, dtype=torch.float64)[:, None] * length / size
    pixels = torch.arange(length, dtype=torch.float64)[None, :]
    overlap = (torch.minimum(starts + length / size, pixels + 1) - torch.maximum(starts, pixels)).clamp(min=0)
    return (overlap * size / length).float()
