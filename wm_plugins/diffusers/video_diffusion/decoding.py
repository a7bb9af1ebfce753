"""Latents to the frames that were asked for, in the size of the conditioning view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from harness.contracts.frame_maps import kept_indices
from harness.contracts.observations import RGB
from harness.contracts.rollouts import RolloutRequest
from video_diffusion.interception import Decoding

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
