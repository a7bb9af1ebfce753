"""LTX's transformer with everything that repeats computed once: once a batch, or once a frame instead of a token.

Of the 50 calls for a batch, all have the same text, the same positions, and one time step for all tokens of a frame.
The library projects the caption, computes keys and values of the text for each of 28 blocks, the rotary positions of
every row, and the modulation of every token, in every call. Here text and positions are computed by the first call
(28 x 2 products of the text, 1.4 of 65 TFLOP a step of 16 rows), and the time embedding once a frame: five rows a clip
instead of 1,125 (another 1.1 TFLOP).

`streamline` runs the library's own forward once before it is exchanged and refuses if the results differ: a diffusers
whose LTX computes something else is noticed before the first rollout.

The decoder of the compiled model has norms, modulations and padding fused, channels kept last. The library normalises
over channels, which lie furthest apart in its layout, in single precision and in several passes over the clip, pads in
time by copying it, and lets every convolution change the layout and back. The convolutions stay the library's. The
noise of the decoder is drawn as it was: by torch, not by the compiler's own generator.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import diffusers
import torch
from lean_blocks import HALVES, LeanBlock, LeanHead, Parts, Rotation, by_head
from video_diffusion.devices import keep_channels_last

from harness.contracts.errors import Refusal

ALLOWED = {"whole": 1e-3, "half": 0.05}
"""Difference to the library, relative to its result, by precision; what another formula gives is of order 1."""

MASKED = -10000.0
"""What the library adds to the scores of padding."""


def streamline(transformer: Any, parts: Parts | None = None) -> None:
    """Let ``transformer`` compute the same with fewer operations; raise Refusal if it would not be the same."""
    with torch.no_grad():
        arguments = sample(transformer)
        vars(transformer).pop("forward", None)
        expected = transformer(**arguments)[0].float()
        lean = LeanTransformer(transformer, parts or Parts())
        found = lean.forward(**arguments)[0].float()
    difference = float((found - expected).norm() / expected.norm())
    if not difference <= ALLOWED["half" if transformer.dtype in HALVES else "whole"]:
        raise Refusal(
            f"diffusers {diffusers.__version__} computes LTX in another way than the rewritten transformer does "
            f"(they differ by {difference:.2g} of the result).",
            "Leave out the setting compile.",
        )
    lean.text.forget()
    transformer.lean_blocks, transformer.lean_head = lean.blocks, lean.head
    transformer._repeated_blocks = [LeanBlock.__name__, LeanHead.__name__]
    transformer.forward = lean.forward


def sample(transformer: Any) -> dict[str, Any]:
    """Return a small call: two rows of three frames, a text with padding, and a time step of its own for frame 0."""
    device, dtype, config = transformer.device, transformer.dtype, transformer.config
    generator = torch.Generator().manual_seed(0)
    times = torch.tensor([0.0, 700.0, 700.0]).repeat_interleave(4).repeat(2, 1)
    return {
        "hidden_states": torch.randn(2, 12, config.in_channels, generator=generator).to(device, dtype),
        "encoder_hidden_states": torch.randn(2, 8, config.caption_channels, generator=generator).to(device, dtype),
        "timestep": times.to(device),
        "encoder_attention_mask": torch.tensor([[1] * 8, [1] * 5 + [0] * 3]).to(device),
        "num_frames": 3,
        "height": 2,
        "width": 2,
        "rope_interpolation_scale": (0.32, 32.0, 32.0),
        "return_dict": False,
    }


class LeanTransformer:
    """The forward of a transformer whose blocks are `LeanBlock`."""

    def __init__(self, transformer: Any, parts: Parts) -> None:
        self.library = transformer
        self.parts = parts
        self.blocks = torch.nn.ModuleList([LeanBlock(block, parts) for block in transformer.transformer_blocks])
        self.head = LeanHead(transformer)
        self.text = TextOnce(transformer, parts)
        self.positions = PositionsOnce(transformer, parts)

    def forward(
        self,
        hidden_states: Any,
        encoder_hidden_states: Any,
        timestep: Any,
        encoder_attention_mask: Any,
        num_frames: int,
        height: int,
        width: int,
        rope_interpolation_scale: Any = None,
        attention_kwargs: None = None,
        return_dict: bool = True,
    ) -> Any:
        """Return what the library's forward returns, for the arguments that the image-to-video pipeline gives."""
        batch = hidden_states.shape[0]
        each = height * width if self.parts.modulation and timestep.ndim == 2 else 1
        if self.text.renew(encoder_hidden_states, encoder_attention_mask):
            check_times(timestep, each)
        rotation = self.positions.get(hidden_states, num_frames, height, width, rope_interpolation_scale)
        hidden = self.library.proj_in(hidden_states)
        times = timestep[:, ::each] if timestep.ndim == 2 else timestep
        modulation, embedded = self.library.time_embed(times.flatten(), batch_size=batch, hidden_dtype=hidden.dtype)
        width_of_model = hidden.shape[-1]
        modulation = modulation.view(batch, -1, 6, width_of_model)
        for block, (keys, values) in zip(self.blocks, self.text.projected, strict=True):
            hidden = block(hidden, modulation, rotation, keys, values, self.text.bias)
        output = self.head(hidden, embedded.view(batch, -1, width_of_model))
        return SimpleNamespace(sample=output) if return_dict else (output,)


def check_times(timestep: Any, each: int) -> None:
    """Raise Refusal unless all tokens of a frame have one time step, which the first call of a batch shows."""
    if each > 1 and not torch.equal(timestep[:, ::each].repeat_interleave(each, 1), timestep):
        raise Refusal(
            "this pipeline gives the tokens of a frame different time steps, which the compiled LTX does not know.",
            "Leave out the setting compile.",
        )


class TextOnce:
    """The text's keys and values for every block, kept from the first call of a batch to the last.

    A pipeline hands the same tensors to every call of a run, so a new text is a new object; the objects are kept, which
    means that another one cannot take their identity. A mask that hides nothing is left out: attention has faster
    kernels without.
    """

    def __init__(self, transformer: Any, parts: Parts) -> None:
        self.library = transformer
        self.parts = parts
        self.forget()

    def forget(self) -> None:
        """Drop what is kept."""
        self.source: tuple[Any, Any] = (None, None)
        self.projected: list[tuple[Any, Any]] = []
        self.bias: Any = None

    def renew(self, text: Any, mask: Any) -> bool:
        """Compute keys and values if ``text`` or ``mask`` is new; return whether it was."""
        if self.parts.text and self.source[0] is text and self.source[1] is mask:
            return False
        caption = self.library.caption_projection(text)
        caption = caption.view(text.shape[0], -1, caption.shape[-1])
        self.projected = [self._project(block.attn2, caption) for block in self.library.transformer_blocks]
        self.bias = self._bias(mask, caption.dtype)
        self.source = (text, mask)
        return True

    @staticmethod
    def _project(attention: Any, caption: Any) -> tuple[Any, Any]:
        key, value = attention.norm_k(attention.to_k(caption)), attention.to_v(caption)
        return by_head(attention, key), by_head(attention, value)

    def _bias(self, mask: Any, dtype: Any) -> Any:
        if mask is None or (self.parts.mask and bool(mask.all())):
            return None
        return ((1 - mask.to(dtype)) * MASKED)[:, None, None, :]


class PositionsOnce:
    """The rotary factors of the last size and frame rate, for one row: those of all rows are the same."""

    def __init__(self, transformer: Any, parts: Parts) -> None:
        self.library = transformer
        self.parts = parts
        self.key: Any = None
        self.rotation: Rotation = (None, None, None)

    def get(self, hidden: Any, frames: int, height: int, width: int, scale: Any) -> Rotation:
        """Return cosine, sine and signs, from the library's own factors, which repeat each for both of a pair."""
        key = (frames, height, width, scale, hidden.device)
        if not self.parts.rotation or key != self.key:
            row = hidden[:1] if self.parts.rotation else hidden
            cosine, sine = self.library.rope(row, frames, height, width, scale, None)
            signs = torch.tensor([-1.0, 1.0], device=hidden.device)
            self.rotation = (*(x[..., ::2].unsqueeze(-1).contiguous() for x in (cosine, sine)), signs)
            self.key = key
        return self.rotation


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
