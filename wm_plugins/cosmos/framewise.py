"""Modulation once a frame instead of once a token: what makes the compiled Cosmos transformer lighter.

Video2World gives every frame a time step of its own. diffusers repeats its embedding over all tokens of the frame and
runs each block's three modulations, two linear layers each, on the repeated rows: 55,296 rows where a batch of six has
24 different ones. Here the library's own layers get one row a frame and their results are spread over its tokens.
"""

from __future__ import annotations

from typing import Any

import torch

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
