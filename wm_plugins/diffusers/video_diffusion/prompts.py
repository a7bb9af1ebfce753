"""Text embeddings, computed once a prompt."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

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


def encode(pipeline: Any, names: Sequence[str], **arguments: Any) -> Embedding:
    """Call the pipeline's own ``encode_prompt`` and name its results; results that are None are left out.

    The longest sequence is the one that the pipeline's call would use, which is not always the default of its
    ``encode_prompt`` (Wan: 512 and 226).
    """
    parameters = inspect.signature(type(pipeline).__call__).parameters
    if "max_sequence_length" in parameters:
        arguments.setdefault("max_sequence_length", parameters["max_sequence_length"].default)
    with torch.no_grad():
        results = pipeline.encode_prompt(**arguments)
    return {name: value for name, value in zip(names, results, strict=True) if value is not None}
