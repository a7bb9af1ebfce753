"""Which requests share one call of the pipeline; their text embeddings, computed once a prompt, and their randomness.

A rollout is random from its own seed alone, whatever else is in the batch or was asked before.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from harness.contracts.frame_maps import native_length
from harness.contracts.manifests import ModelManifest
from harness.contracts.rollouts import RolloutRequest


@dataclass(frozen=True, eq=False)
class Batch:
    """Requests for one call: the same size and the same number of generated frames."""

    requests: tuple[RolloutRequest, ...]
    frames: int


def video_length(request: RolloutRequest, manifest: ModelManifest, multiple: int) -> int:
    """Return how many frames are generated for ``request``; it depends on nothing but the request.

    The model's own length, or with a frame ``multiple`` what the candidate needs, if that is less.
    """
    longest = manifest.frames + 1
    if not multiple:
        return longest
    needed = native_length(len(request.candidate), multiple)
    return min(needed, longest) if manifest.frames else needed


def batches(
    requests: Sequence[RolloutRequest], manifest: ModelManifest, multiple: int, largest: int, one_view: bool
) -> list[Batch]:
    """Return ``requests`` in as few batches as possible.

    A batch has at most ``largest`` requests of equal size and length; with ``one_view`` all share their view, for
    pipelines that take a single image.
    """
    groups: dict[tuple[object, ...], list[RolloutRequest]] = {}
    for request in requests:
        key: tuple[object, ...] = (request.view.shape, video_length(request, manifest, multiple))
        groups.setdefault((*key, request.view.tobytes()) if one_view else key, []).append(request)
    return [
        Batch(tuple(group[start : start + largest]), video_length(group[0], manifest, multiple))
        for group in groups.values()
        for start in range(0, len(group), largest)
    ]


Embedding = Mapping[str, torch.Tensor]
"""Keyword arguments of a pipeline's call for one prompt, each with a leading dimension of 1."""

KEPT = 256
"""Prompts whose embeddings are kept: a loop of 3 candidates a decision repeats most of its prompts."""


class PromptCache:
    """Embeddings by key; the least recently used one is dropped after `KEPT`."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._embeddings: OrderedDict[Any, Embedding] = OrderedDict()
        self.computed = 0

    def get(self, key: Any, compute: Callable[[], Embedding]) -> Embedding:
        """Return the embedding of ``key``, which ``compute`` makes when it is new."""
        if key not in self._embeddings:
            self._embeddings[key] = compute()
            self.computed += 1
            if len(self._embeddings) > self._kept:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(key)
        return self._embeddings[key]


def stack(embeddings: Sequence[Embedding]) -> dict[str, torch.Tensor]:
    """Return the embeddings of a batch, in order."""
    return {name: torch.cat([embedding[name] for embedding in embeddings]) for name in embeddings[0]}


LONGEST = "max_sequence_length"
"""The argument of a pipeline's call that says how many tokens of a text are read; what is longer is cut off."""


def longest_text(pipeline: Any, call: Mapping[str, Any]) -> int | None:
    """Return how many tokens the pipeline's call would read, with the arguments ``call``; None where it does not say.

    That is not always the default of its ``encode_prompt`` (Wan: 512 and 226).
    """
    parameters = inspect.signature(type(pipeline).__call__).parameters
    return int(call.get(LONGEST, parameters[LONGEST].default)) if LONGEST in parameters else None


def encode(pipeline: Any, names: Sequence[str], call: Mapping[str, Any], **arguments: Any) -> Embedding:
    """Call the pipeline's own ``encode_prompt``, reading as many tokens as its call with the arguments ``call`` would.

    Results are named; those that are None are left out.
    """
    longest = longest_text(pipeline, call)
    if longest is not None:
        arguments[LONGEST] = longest
    with torch.no_grad():
        results = pipeline.encode_prompt(**arguments)
    return {name: value for name, value in zip(names, results, strict=True) if value is not None}


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
