"""LTX's decoder for the compiled model: norms, modulations and padding fused, channels kept last.

The library normalises over channels, which lie furthest apart in its layout, in single precision and in several passes
over the clip, pads in time by copying it, and lets every convolution change the layout and back. The convolutions stay
the library's. The noise of the decoder is drawn as it was: by torch, not by the compiler's own generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from video_diffusion.compiling import keep_channels_last

BLOCKS = ("LTXVideoResnetBlock3d", "LTXVideoUpsampler3d")


def compile_ltx_decoder(vae: Any, device: torch.device, channels_kept_last: bool = True) -> int:
    """Compile the repeated blocks and the last norm of the decoder; return how many."""
    blocks = [module for module in vae.decoder.modules() if type(module).__name__ in BLOCKS]
    if device.type == "cuda" and channels_kept_last:
        keep_channels_last(vae.decoder)
        for block in blocks:
            block.forward = channels_last(block.forward)
    layers = [*blocks, vae.decoder.norm_out]
    for layer in layers:
        layer.compile(dynamic=False, options={"fallback_random": True})
    return len(layers)


def channels_last(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``forward`` with a result whose channels are last, as the next convolution wants them."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        return forward(*arguments, **options).contiguous(memory_format=torch.channels_last_3d)

    return wrapped
