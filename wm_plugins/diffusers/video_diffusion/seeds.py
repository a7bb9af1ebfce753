"""Randomness of a rollout: from its own seed alone, whatever else is in the batch or was asked before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

_TORCH_SEEDS = 2**63
"""Torch generators take seeds below 2**64, but reports and files hold signed numbers."""


def torch_seed(seed: int) -> int:
    """Return the seed that torch gets for the uint64 seed of a request."""
    return seed % _TORCH_SEEDS


def generators(seeds: Sequence[int], device: torch.device) -> list[torch.Generator]:
    """Return one fresh generator a request.

    diffusers draws the noise of each item of a batch from its own generator and stacks them, so a list of
    generators makes the noise independent of the place in the batch.
    """
    return [torch.Generator(device).manual_seed(torch_seed(seed)) for seed in seeds]


@contextmanager
def global_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators inside, and restore them after.

    Some decoders (LTX 0.9.1) draw noise without a generator of their own.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(torch_seed(seed))
        yield
