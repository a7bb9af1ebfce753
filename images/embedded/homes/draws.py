"""Seeded random draws with names, so that one part of a home never shifts the draws of another.

Only ``Generator.random``, ``integers`` and ``permutation`` are used: their bits are the same on every
machine, while ``normal`` and friends go through libm.
"""

from __future__ import annotations

import hashlib
from typing import Sequence, TypeVar

import numpy as np

Item = TypeVar("Item")


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], "little")


class Draws:
    """A stream of random draws addressed by a seed and a path of names.

    ``child("kitchen")`` gives an independent stream: adding a draw in one room leaves all other rooms
    as they were.
    """

    def __init__(self, seed: int, *path: str) -> None:
        self._seed = seed
        self._path = path
        entropy = [seed, *(_key(name) for name in path)]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    def child(self, name: str) -> Draws:
        """Return the independent stream below this one that is called ``name``."""
        return Draws(self._seed, *self._path, name)

    def uniform(self, low: float, high: float) -> float:
        """Return a float in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def integer(self, count: int) -> int:
        """Return an integer in [0, count)."""
        return int(self._generator.integers(count))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return float(self._generator.random()) < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of ``items``, each equally likely."""
        return items[self.integer(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return ``items`` in a random order."""
        return [items[int(i)] for i in self._generator.permutation(len(items))]
