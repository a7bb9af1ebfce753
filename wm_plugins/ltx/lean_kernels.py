"""The norm of queries or keys and their rotation, in one pass over memory: needs Triton, which CUDA's torch brings.

The compiler's own kernel reads a row again with the members of every pair exchanged. Here a row stays in registers,
where a pair lies side by side: 3.1 ms a step of 16 rows instead of 7 (H200, docs/zoo.md).
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

WARPS = 4


def normed_and_rotated(states: Any, weight: Any, eps: float, cosine: Any, sine: Any) -> Any:
    """Return what an RMS norm across all heads and then the rotation of each pair of channels give, contiguous.

    ``states`` is [B, S, D] with channels side by side; ``cosine`` and ``sine`` are [1, S, D / 2, 1] in single
    precision.
    """
    batch, tokens, width = states.shape
    result = torch.empty(states.shape, dtype=states.dtype, device=states.device)
    _norm_and_rotate[(batch * tokens,)](
        states,
        weight,
        cosine,
        sine,
        result,
        states.stride(0),
        states.stride(1),
        tokens,
        eps,
        WIDTH=width,
        BLOCK=triton.next_power_of_2(width),
        num_warps=WARPS,
    )
    return result


@triton.jit
def _norm_and_rotate(
    states,
    weight,
    cosine,
    sine,
    result,
    clip_stride,
    token_stride,
    tokens,
    eps,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    channels, pairs = tl.arange(0, BLOCK), tl.arange(0, BLOCK // 2)
    token = row % tokens
    place = (row // tokens) * clip_stride + token * token_stride
    read = tl.load(states + place + channels, mask=channels < WIDTH, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(read * read, 0) / WIDTH + eps)
    factors = tl.load(weight + channels, mask=channels < WIDTH, other=0.0).to(tl.float32)
    # Rounded between the two, as two operations of the library are.
    normed = (read * scale * factors).to(result.dtype.element_ty).to(tl.float32)
    first, second = tl.split(tl.reshape(normed, [BLOCK // 2, 2]))
    angle = token * (WIDTH // 2) + pairs
    cos = tl.load(cosine + angle, mask=pairs < WIDTH // 2, other=0.0)
    sin = tl.load(sine + angle, mask=pairs < WIDTH // 2, other=0.0)
    turned = tl.reshape(tl.join(first * cos - second * sin, second * cos + first * sin), [BLOCK])
    tl.store(result + row * WIDTH + channels, turned.to(result.dtype.element_ty), mask=channels < WIDTH)
