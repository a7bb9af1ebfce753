"""Cosmos-Predict2 and 2.5, with the guardrail that their licence asks for.

Modulation is done once a frame instead of once a token: what makes the compiled transformer lighter. Video2World gives
every frame a time step of its own. diffusers repeats its embedding over all tokens of the frame and runs each block's
three modulations, two linear layers each, on the repeated rows: 55,296 rows where a batch of six has 24 different ones.
Here the library's own layers get one row a frame and their results are spread over its tokens.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from video_diffusion.base import DiffusersImageToVideo
from video_diffusion.batching import Batch, Embedding
from video_diffusion.decoding import Decoding

from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.manifests import RANDOM, Setting
from harness.contracts.rollouts import RolloutRequest

MODULATIONS = ("norm1", "norm2", "norm3")


class FramewiseModulation(torch.nn.Module):  # type: ignore[misc]
    """Calls ``inner`` with the frames as items of the batch, in which form it takes one row a frame.

    ``hidden_states`` is [B, T * h * w, D]; ``embedded_timestep`` and ``temb`` are repeated in the same way, so that
    every h * w-th row stands for its frame. Time steps of whole clips ([B, D]) pass unchanged.
    """

    def __init__(self, inner: torch.nn.Module, frames: Frames) -> None:
        super().__init__()
        self.inner = inner
        self.frames = frames

    def forward(self, hidden_states: Any, embedded_timestep: Any, temb: Any = None) -> Any:
        """Return the modulated tokens and the gate of each, as ``inner`` does."""
        if embedded_timestep.ndim == 2:
            return self.inner(hidden_states, embedded_timestep, temb)
        batch, tokens, width = hidden_states.shape
        each = tokens // self.frames.count
        rows = [None if x is None else x[:, ::each].flatten(0, 1) for x in (embedded_timestep, temb)]
        states, gate = self.inner(hidden_states.reshape(-1, each, width), *rows)
        return states.reshape(batch, tokens, width), gate.expand(-1, each, -1).reshape(batch, tokens, width)


class Frames:
    """How many latent frames the present call of the transformer has."""

    def __init__(self) -> None:
        self.count = 1

    def note(self, _: torch.nn.Module, __: tuple[Any, ...], arguments: dict[str, Any]) -> None:
        """Read it from the time steps, [B, 1, T, 1, 1], before the call."""
        timestep = arguments["timestep"]
        self.count = int(timestep.shape[2]) if timestep.ndim == 5 else 1


def modulate_framewise(transformer: Any) -> None:
    """Let all blocks of ``transformer`` compute their modulations once a frame."""
    frames = Frames()
    transformer.register_forward_pre_hook(frames.note, with_kwargs=True)
    for block in transformer.transformer_blocks:
        for name in MODULATIONS:
            setattr(block, name, FramewiseModulation(getattr(block, name), frames))


GUARDRAIL_PACKAGE = "cosmos_guardrail"

_TRANSFORMER_MODULE = "diffusers.models.transformers.transformer_cosmos"


def supply_resize() -> None:
    """Give diffusers' Cosmos transformer the one function it takes from torchvision, where that is not installed.

    It resizes a mask of zeros by nearest neighbours; torch does the same.
    """
    module: Any = importlib.import_module(_TRANSFORMER_MODULE)
    if hasattr(module, "transforms"):
        return

    def resize(mask: torch.Tensor, size: list[int], interpolation: str) -> torch.Tensor:
        return torch.nn.functional.interpolate(mask, size, mode=interpolation)

    functions = SimpleNamespace(resize=resize)
    module.transforms = SimpleNamespace(functional=functions, InterpolationMode=SimpleNamespace(NEAREST="nearest"))


class PassThrough:
    """Stands where the pipeline wants its guardrail: text and frames are checked here, once and after decoding."""

    def to(self, *_: Any, **__: Any) -> PassThrough:
        """Return itself; there is nothing to move."""
        return self

    def check_text_safety(self, _: str) -> bool:
        """Accept; the prompt was checked when it was embedded."""
        return True

    def check_video_safety(self, video: Any) -> Any:
        """Return ``video``; it is a stand-in, the frames are checked when they are decoded."""
        return video


class Cosmos2(DiffusersImageToVideo):
    """Cosmos-Predict2 Video2World.

    NVIDIA's licence ends where its guardrail is bypassed without one as good, so published weights need the package
    ``cosmos_guardrail``; ``guardrail = false`` says that the use has its own.
    """

    folder = Path(__file__).resolve().parent
    family_settings: ClassVar[Mapping[str, Setting]] = {"guardrail": True}
    cut_to_levels: ClassVar[bool] = True
    """The pipeline hands whole levels to any guardrail, cut and not rounded; without a guardrail, 2.5 does not."""

    def components(self) -> dict[str, Any]:
        """Return the stand-in for the pipeline's own guardrail; load the real one where it is wanted."""
        supply_resize()
        self._guardrail = self._load_guardrail()
        return {"safety_checker": PassThrough()}

    def before_compiling(self) -> None:
        """Spare the repeated modulations; eager runs stay the bare pipeline's to the last bit."""
        modulate_framewise(self.pipeline.transformer)

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Add the frame rate, by which the transformer places frames in time."""
        return {"fps": self.manifest.fps, **super().call_arguments(batch, noise)}

    def embed(self, request: RolloutRequest) -> Embedding:
        """Embed the prompt if the guardrail lets it pass."""
        if self._guardrail is not None and not self._guardrail.check_text_safety(request.prompt):
            raise EpisodeError(f"the guardrail of {self.manifest.name!r} refuses the prompt {request.prompt!r}.")
        return super().embed(request)

    def decode(self, decoding: Decoding, last: int) -> torch.Tensor:
        """Decode, and let the guardrail look at the frames."""
        frames = super().decode(decoding, last)
        if self._guardrail is None and not self.cut_to_levels:
            return frames
        pixels = (frames.float().permute(0, 2, 3, 1).cpu().numpy() * 255).astype("uint8")
        if self._guardrail is not None:
            pixels = self._guardrail.check_video_safety(pixels)
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255.0

    def _load_guardrail(self) -> Any:
        if self.manifest.weights == RANDOM or not self.settings.family["guardrail"]:
            return None
        if importlib.util.find_spec(GUARDRAIL_PACKAGE) is None:
            raise Refusal(
                f"{self.manifest.name!r} needs the package {GUARDRAIL_PACKAGE}: its licence asks for a guardrail.",
                f"Run: pip install {GUARDRAIL_PACKAGE}. If your use has a guardrail of its own: --set guardrail=false.",
            )
        return importlib.import_module(GUARDRAIL_PACKAGE).CosmosSafetyChecker()


class Cosmos25(Cosmos2):
    """Cosmos-Predict2.5 in its image-to-world mode.

    The pipeline takes one request a call. Its image argument needs torchvision, and pads with black; the same view as
    a video of one frame is padded with itself. Only the first latent is used as a condition, and the VAE is causal, so
    both are the same.
    """

    largest_batch = 1
    cut_to_levels = False

    def call_arguments(self, batch: Batch, noise: list[torch.Generator]) -> dict[str, Any]:
        """Give the view as a video of one frame; the pipeline knows no frame rate."""
        arguments = super().call_arguments(batch, noise)
        del arguments["fps"]
        del arguments["image"]
        height, width = self.size(batch.requests[0])
        view = self.images(batch, height, width)[0]
        frame = self.pipeline.video_processor.preprocess(view, height, width).unsqueeze(2)
        return {**arguments, "video": frame, "num_latent_conditional_frames": 1}
