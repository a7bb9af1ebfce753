"""Latents to the frames that were asked for, and what is changed while a pipeline runs.

Each view is encoded once, decoding is put off, guidance takes one pass. The pipeline's own code runs unchanged, so its
results are those of the bare pipeline; only the methods of its components that it calls are exchanged for the time of
one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from harness.contracts.frame_maps import kept_indices
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest
from video_diffusion.devices import PhaseClock

DOUBLED = frozenset(
    {"hidden_states", "timestep", "encoder_hidden_states", "encoder_hidden_states_image", "condition_mask"}
)
"""Arguments of a denoiser with one entry an item of the batch; others (masks of padding, frame rates) have none."""

PLACEHOLDER_FRAMES = 8
"""Frames a latent of the stand-in for a decoded video; more than any pipeline cuts off."""


@contextmanager
def _exchanged(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give one instance another method, and take it away again."""
    previous = vars(owner).get(name)
    object.__setattr__(owner, name, value)
    try:
        yield
    finally:
        if previous is None:
            object.__delattr__(owner, name)
        else:
            object.__setattr__(owner, name, previous)


class EncodeOnce:
    """Remembers the posteriors of the last few inputs of a VAE, so that a view is encoded once a decision.

    A posterior is sampled by the pipeline with each request's own generator, hence nothing random is shared.
    """

    def __init__(self, vae: Any, kept: int = 4) -> None:
        self._vae = vae
        self._encode = vae.encode
        self._kept = kept
        self._known: list[tuple[torch.Tensor, bool, Any]] = []
        self.encoded = 0

    @contextmanager
    def active(self, clock: PhaseClock) -> Iterator[None]:
        """Answer the calls of ``vae.encode`` inside."""

        def encode(pixels: torch.Tensor, return_dict: bool = True) -> Any:
            with clock.phase("encode"):
                return self._get(pixels.to(self._vae.dtype), return_dict)

        with _exchanged(self._vae, "encode", encode):
            yield

    def _get(self, pixels: torch.Tensor, return_dict: bool) -> Any:
        for known, known_dict, posterior in self._known:
            alike = known_dict == return_dict and known.shape == pixels.shape and known.dtype == pixels.dtype
            if alike and torch.equal(known, pixels):
                return posterior
        posterior = self._encode(pixels, return_dict=return_dict)
        self.encoded += 1
        self._known = [*self._known[-(self._kept - 1) :], (pixels.clone(), return_dict, posterior)]
        return posterior


@dataclass(frozen=True)
class Decoding:
    """A call of ``vae.decode`` that was put off: denormalised latents and the other arguments."""

    latents: torch.Tensor
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


@dataclass
class PutOff:
    """The calls of ``vae.decode`` that one run of a pipeline would have made."""

    calls: list[Decoding] = field(default_factory=list)

    def one_each(self, requests: int) -> list[Decoding]:
        """Return the decoding of each request of the batch.

        Video VAEs get all items in one call, [B, C, T, h, w]; SVD's gets single frames, [B * T, C, h, w], in chunks.
        """
        latents = torch.cat([call.latents for call in self.calls])
        first = self.calls[0]
        if latents.ndim == 4:
            clips = latents.reshape(requests, -1, *latents.shape[1:])
            options = {**first.options, "num_frames": clips.shape[1]}
            return [Decoding(clip, first.arguments, options) for clip in clips]
        rows = [slice(index, index + 1) for index in range(requests)]
        return [
            Decoding(
                latents[row],
                tuple(_row(value, row, requests) for value in first.arguments),
                {name: _row(value, row, requests) for name, value in first.options.items()},
            )
            for row in rows
        ]


def _row(value: Any, row: slice, requests: int) -> Any:
    if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == requests:
        return value[row]
    return value


@contextmanager
def decoding_put_off(vae: Any) -> Iterator[PutOff]:
    """Collect what the pipeline wants to decode inside, and hand it a small stand-in.

    Afterwards each rollout is decoded alone: only as far as its frames are wanted, and sent while the next is decoded.
    """
    put_off = PutOff()

    def decode(latents: torch.Tensor, *arguments: Any, return_dict: bool = True, **options: Any) -> Any:
        put_off.calls.append(Decoding(latents, arguments, options))
        batch = latents.shape[0]
        if latents.ndim == 4:
            stand_in = latents.new_zeros(batch, 3, 8, 8)
        else:
            stand_in = latents.new_zeros(batch, 3, latents.shape[2] * PLACEHOLDER_FRAMES, 8, 8)
        return SimpleNamespace(sample=stand_in) if return_dict else (stand_in,)

    with _exchanged(vae, "decode", decode):
        yield put_off


@contextmanager
def one_pass_guidance(denoiser: Any, negative: torch.Tensor) -> Iterator[None]:
    """Compute the conditional and the unconditional half of guidance in one batch inside.

    For pipelines that call the denoiser twice a step with the same latents, first with the prompt, then with
    ``negative`` (Cosmos, Wan): the first call computes both, the second is answered from it.
    """
    forward = denoiser.forward
    waiting: list[torch.Tensor] = []

    def both(**arguments: Any) -> Any:
        if waiting:
            return (waiting.pop(),)
        doubled = {
            name: torch.cat([value, value]) if name in DOUBLED and isinstance(value, torch.Tensor) else value
            for name, value in arguments.items()
        }
        prompt = arguments["encoder_hidden_states"]
        doubled["encoder_hidden_states"] = torch.cat([prompt, negative.to(prompt)])
        doubled["return_dict"] = False
        conditional, unconditional = forward(**doubled)[0].chunk(2)
        waiting.append(unconditional)
        return (conditional,)

    with _exchanged(denoiser, "forward", both):
        yield


PREFIX_EXACT = ("AutoencoderKLWan",)
"""VAEs whose first frames do not depend on later latents: causal convolutions and no norm across time.

LTX's decoder looks ahead and the group norms of the Hunyuan and CogVideoX VAEs span time: those decode all frames.
"""


def generated_frames(request: RolloutRequest, generated: int, plan_actions: int, free_length: bool) -> list[int]:
    """Return which of ``generated`` frames show what ``request.frames`` ask for (0 is the conditioning view).

    A model of free length makes one frame an action. Otherwise a candidate stands for a plan of ``plan_actions``, or
    of as many as it has if that is more, whose views are spread evenly over the video.
    """
    actions = len(request.candidate)
    kept = kept_indices(generated, (generated if free_length else max(plan_actions, actions) + 1))
    return [kept[min(index, len(kept) - 1)] for index in request.frames]


def decode(pipeline: Any, decoding: Decoding, last: int) -> torch.Tensor:
    """Return frames 0..``last`` (or all) of one clip: [T, 3, H, W] in 0..1 on the pipeline's device."""
    vae = pipeline.vae
    latents = decoding.latents.to(vae.dtype)
    with torch.no_grad():
        if latents.ndim == 4:
            video = vae.decode(latents, *decoding.arguments, **decoding.options).sample
            video = video.unsqueeze(0).transpose(1, 2).float()
        else:
            latents = latents[:, :, : _latents_until(pipeline, last, latents.shape[2])]
            video = vae.decode(latents, *decoding.arguments, return_dict=False, **decoding.options)[0]
    frames: torch.Tensor = pipeline.video_processor.postprocess_video(video, output_type="pt")[0]
    return frames


def _latents_until(pipeline: Any, last: int, available: int) -> int:
    if type(pipeline.vae).__name__ not in PREFIX_EXACT:
        return available
    ratio = int(pipeline.vae_scale_factor_temporal)
    return min(-(-last // ratio) + 1, available)


def to_rgb(frames: torch.Tensor, indices: Sequence[int], view: RGB) -> RGB:
    """Return the frames at ``indices`` as uint8 [n, H, W, 3] in the size of ``view``; frame 0 is ``view`` itself."""
    height, width = view.shape[:2]
    chosen = frames[[min(index, frames.shape[0] - 1) for index in indices]].float()
    if tuple(chosen.shape[-2:]) != (height, width):
        chosen = torch.nn.functional.interpolate(chosen, (height, width), mode="bicubic", antialias=True)
    pixels = (chosen.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
    # Put in order on the device: the processor takes some 20 ms to move the channels of 13 frames of 480 x 480 last.
    rgb: RGB = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    for place, index in enumerate(indices):
        if index == 0:
            rgb[place] = view
    return rgb
