"""What a step of training draws, as a function of seed and step alone: a resumed training goes on with the same."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.contracts import seeds
from harness.posttraining.recipe import COSINE, TrainingRecipe

_TORCH_BITS = 63


class Batches:
    """Which clips a step takes: every clip once in an order of its own, then all again in another."""

    def __init__(self, clips: int, training: TrainingRecipe, seed: int) -> None:
        self._clips = clips
        self._batch = training.batch_size
        self._accumulate = training.accumulate
        self._order = functools.lru_cache(maxsize=2)(functools.partial(_order, clips, seed))

    def rows(self, step: int, micro: int) -> list[int]:
        """Return the clips of the ``micro``-th batch of a step, over all processes together."""
        first = (step * self._accumulate + micro) * self._batch
        return [
            int(self._order(place // self._clips)[place % self._clips]) for place in range(first, first + self._batch)
        ]


def share(rows: Sequence[int], process: int, processes: int) -> list[int]:
    """Return the rows of a batch that one of several processes takes."""
    return list(rows[process::processes])


def draw_seed(seed: int, step: int, micro: int, process: int, role: str = "posttrain-draws") -> int:
    """Return the seed of torch's generator for one batch of one process."""
    return seeds.derive(seed, f"process-{process}", step, micro, role) >> (128 - _TORCH_BITS)


def learning_rate(training: TrainingRecipe, step: int) -> float:
    """Return the learning rate of a step (counted from 0): it rises to the recipe's, then stays or falls to zero."""
    rate, warmup = training.learning_rate, training.warmup_steps
    if step < warmup:
        return rate * (step + 1) / (warmup + 1)
    if training.schedule != COSINE:
        return rate
    done = (step - warmup) / max(1, training.steps - warmup)
    return rate * 0.5 * (1.0 + math.cos(math.pi * done))


def _order(clips: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return seeds.generator(seed, "", epoch, -1, "posttrain-order").permutation(clips)
