"""A block of LTX's transformer and its last layers, with less to read and write: what the compiled model runs.

The layers and weights are the library's. What differs is exact, apart from rounding:

- Modulation once a frame. The library repeats a time step over all tokens of its frame (225 of them at 480 x 480) and
  reads six vectors of the model's width for every token; here a frame's vectors are spread over its tokens.
- Queries, keys and values of self-attention come from one product with the three weights stacked.
- Rotary positions are the same in every row of the batch and in both members of a pair, so one row and one member are
  read. On CUDA norm and rotation are one kernel (`lean_kernels`); elsewhere members of a pair are exchanged by index.
- Keys and values of the text are given: they do not depend on the step (`lean`).
- GELU and bias of the feed-forward are computed by the matrix product itself, where cuBLAS can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn

HALVES = (torch.bfloat16, torch.float16)

Rotation = tuple[Any, Any, Any]
"""Cosine and sine of each pair of channels, [1 or B, S, D / 2, 1], and the signs of a pair's members, (-1, 1)."""


@dataclass(frozen=True)
class Parts:
    """Which rewritings are used. Models use all; benchmarks leave one out to see what it is worth."""

    modulation: bool = True
    text: bool = True
    rotation: bool = True
    qkv: bool = True
    gelu: bool = True
    mask: bool = True
    kernel: bool = True


class LeanBlock(torch.nn.Module):  # type: ignore[misc]
    """Computes what ``inner``, the library's block, computes."""

    def __init__(self, inner: torch.nn.Module, parts: Parts) -> None:
        super().__init__()
        self.inner = inner
        self.stacked = StackedProjections(inner.attn1) if parts.qkv else None
        self.one_kernel = _one_kernel(inner.attn1) if parts.kernel and parts.rotation else None
        first = inner.ff.net[0]
        self.gelu_in_product = parts.gelu and getattr(first, "approximate", "") == "tanh" and hasattr(first, "gelu")

    def forward(self, hidden: Any, modulation: Any, rotation: Rotation, keys: Any, values: Any, bias: Any) -> Any:
        """Return the next states of ``hidden``, [B, S, D].

        ``modulation`` is [B, T, 6, D] for tokens ordered by frame; ``keys`` and ``values`` are the text's,
        [B, L, heads, D / heads], and ``bias`` is added to their scores, or None.
        """
        frames = modulation.shape[1]
        vectors = self.inner.scale_shift_table[None, None] + modulation
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = (vector.unsqueeze(2) for vector in vectors.unbind(2))
        states = hidden.unflatten(1, (frames, -1))
        normed = self.inner.norm1(states) * (1 + scale) + shift
        attended = self._attend_to_video(normed.flatten(1, 2), rotation)
        states = states + attended.unflatten(1, (frames, -1)) * gate
        flat = states.flatten(1, 2)
        states = (flat + self._attend_to_text(flat, keys, values, bias)).unflatten(1, (frames, -1))
        normed = self.inner.norm2(states) * (1 + scale_mlp) + shift_mlp
        states = states + self._feed_forward(normed.flatten(1, 2)).unflatten(1, (frames, -1)) * gate_mlp
        return states.flatten(1, 2)

    def _attend_to_video(self, states: Any, rotation: Rotation) -> Any:
        attention = self.inner.attn1
        if self.stacked is not None:
            query, key, value = self.stacked(states)
        else:
            query, key, value = attention.to_q(states), attention.to_k(states), attention.to_v(states)
        query = self._normed_and_rotated(attention.norm_q, query, rotation)
        key = self._normed_and_rotated(attention.norm_k, key, rotation)
        return attend(attention, query, by_head(attention, key), by_head(attention, value), None)

    def _normed_and_rotated(self, norm: Any, states: Any, rotation: Rotation) -> Any:
        if self.one_kernel is not None:
            return self.one_kernel(states, norm.weight, norm.eps, rotation[0], rotation[1])
        return rotated(norm(states), rotation)

    def _attend_to_text(self, states: Any, keys: Any, values: Any, bias: Any) -> Any:
        attention = self.inner.attn2
        return attend(attention, attention.norm_q(attention.to_q(states)), keys, values, bias)

    def _feed_forward(self, states: Any) -> Any:
        first = self.inner.ff.net[0]
        if not (self.gelu_in_product and states.is_cuda and states.dtype in HALVES and first.proj.bias is not None):
            return self.inner.ff(states)
        rows, weight = states.flatten(0, 1), first.proj.weight.t()
        wide = torch._addmm_activation(first.proj.bias, rows, weight, use_gelu=True)
        wide = wide.unflatten(0, states.shape[:2])
        for layer in self.inner.ff.net[1:]:
            wide = layer(wide)
        return wide


def _one_kernel(attention: Any) -> Callable[..., Any] | None:
    """Return the kernel for norm and rotation, None where it cannot be used."""
    weights = (attention.norm_q.weight, attention.norm_k.weight)
    if any(weight is None or not weight.is_cuda for weight in weights):
        return None
    from lean_kernels import normed_and_rotated

    return normed_and_rotated


class StackedProjections(torch.nn.Module):  # type: ignore[misc]
    """The projections to query, key and value as one; the library's own become views, so no memory is added."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        layers = (attention.to_q, attention.to_k, attention.to_v)
        self.widths = [layer.out_features for layer in layers]
        self.weight = _stack(layers, "weight")
        self.bias = _stack(layers, "bias") if attention.to_q.bias is not None else None

    def forward(self, states: Any) -> Any:
        """Return query, key and value of ``states``."""
        return torch.nn.functional.linear(states, self.weight, self.bias).split(self.widths, dim=-1)


def _stack(layers: tuple[Any, ...], name: str) -> Any:
    tensors = [getattr(layer, name) for layer in layers]
    stacked = torch.nn.Parameter(torch.cat([tensor.data for tensor in tensors]), requires_grad=False)
    for tensor, view in zip(tensors, stacked.data.split([tensor.shape[0] for tensor in tensors]), strict=True):
        tensor.data = view
    return stacked


class LeanHead(torch.nn.Module):  # type: ignore[misc]
    """The last norm, modulated once a frame, and the projection to latents."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.table = transformer.scale_shift_table
        self.norm = transformer.norm_out
        self.project = transformer.proj_out

    def forward(self, hidden: Any, embedded: Any) -> Any:
        """Return the prediction for ``hidden``, [B, S, D]; ``embedded`` is the time step of each frame, [B, T, D]."""
        vectors = self.table[None, None] + embedded[:, :, None]
        shift, scale = (vector.unsqueeze(2) for vector in vectors.unbind(2))
        states = self.norm(hidden.unflatten(1, (embedded.shape[1], -1))) * (1 + scale) + shift
        return self.project(states.flatten(1, 2))


def by_head(attention: Any, states: Any) -> Any:
    """Return [B, S, D] as [B, S, heads, D / heads]."""
    return states.unflatten(2, (attention.heads, -1))


def attend(attention: Any, query: Any, keys: Any, values: Any, bias: Any) -> Any:
    """Return the output of ``attention``, by the kernel that the library was told to use."""
    mixed = dispatch_attention_fn(
        by_head(attention, query),
        keys,
        values,
        attn_mask=bias,
        backend=attention.processor._attention_backend,
    )
    mixed = mixed.flatten(2, 3).to(query.dtype)
    for layer in attention.to_out:
        mixed = layer(mixed)
    return mixed


def rotated(states: Any, rotation: Rotation) -> Any:
    """Turn each pair of channels by its angle: in single precision, as the library does."""
    cosine, sine, signs = rotation
    pairs = states.float().unflatten(2, (-1, 2))
    return (pairs * cosine + pairs.flip(-1) * (sine * signs)).flatten(2).to(states.dtype)
