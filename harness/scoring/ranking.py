"""Ranks that the episodes allow: of many world models on the same episodes, each has the ranks that no test rules out.

A table sorted by success looks like a ranking, and most of its order is luck. Here every two are compared by the paired
test of `compare`, corrected over all pairs, and whoever is not shown to be better or worse shares the ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.scoring.comparing_power import ALPHA
from harness.scoring.comparing_tests import holm, sign_flip_test


@dataclass(frozen=True)
class Standing:
    """One among several: it is somewhere from rank ``first`` to ``last`` (1 is best).

    ``better`` and ``worse`` are the indices of those that are shown to solve more and fewer, ``alike`` of all others.
    """

    first: int
    last: int
    better: Tuple[int, ...]
    alike: Tuple[int, ...]
    worse: Tuple[int, ...]

    @property
    def ranks(self) -> str:
        """Return ``3``, or ``2–5`` where the tests leave several open."""
        return str(self.first) if self.first == self.last else f"{self.first}\u2013{self.last}"


def standings(solved: npt.NDArray[np.bool_], homes: Sequence[str]) -> Tuple[Standing, ...]:
    """Return where each stands; ``solved`` is bool [world models, episodes], ``homes`` [episodes] names their homes.

    The ranks of all together hold with 95 %: ranks from 1 + (how many are shown to be better) on are one-sided limits
    made of pairwise tests whose errors Holm's method bounds together (Mogstad, Romano, Shaikh and Wilhelm, Inference
    for Ranks, Review of Economic Studies 91, 2024).
    """
    count = len(solved)
    _, index = np.unique(np.asarray(homes, dtype=str), return_inverse=True)
    sums = np.zeros((count, int(index.max()) + 1), dtype=np.int64)
    for row, outcomes in zip(sums, solved):
        np.add.at(row, index, outcomes.astype(np.int64))
    pairs = list(combinations(range(count), 2))
    adjusted = holm([sign_flip_test(sums[a] - sums[b]) for a, b in pairs])
    better = np.zeros((count, count), dtype=bool)  # [a, b]: a solves more than b
    totals = sums.sum(axis=1)
    for (a, b), p in zip(pairs, adjusted):
        if p <= ALPHA and totals[a] != totals[b]:
            better[(a, b) if totals[a] > totals[b] else (b, a)] = True
    return tuple(_standing(better, each) for each in range(count))


def _standing(better: npt.NDArray[np.bool_], own: int) -> Standing:
    above = tuple(np.flatnonzero(better[:, own]).tolist())
    below = tuple(np.flatnonzero(better[own]).tolist())
    alike = tuple(each for each in range(len(better)) if each != own and each not in {*above, *below})
    return Standing(1 + len(above), len(better) - len(below), above, alike, below)
