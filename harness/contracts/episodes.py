"""Episodes: what an agent is asked to do, where it starts, and what only the scorer may know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Tuple

from harness.contracts.cameras import Pose
from harness.contracts.digest import digest

DEFAULT_EPISODES = 24
"""How many a run plays that names no number."""


@dataclass(frozen=True)
class Episode:
    """One episode of a tier.

    ``id`` is unique in its tier and split; ``scene`` is the environment's name of the scene and ``home``
    the unit that intervals are clustered by (the building). ``geodesic_m`` is the shortest walkable
    distance from start to goal in metres; ``reference_actions`` the length of a shortest action sequence
    (the L* of SPL; turns count). A goal is solved within ``radius_m`` of geodesic distance.
    """

    id: str
    task: str
    tier: str
    split: str
    scene: str
    home: str
    start: Pose
    goal: Pose
    radius_m: float
    geodesic_m: float
    reference_actions: int
    tags: Tuple[str, ...] = ()

    def digest(self) -> str:
        """Return the hash of all fields."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        """The hash, worked out once: a suite's hash is asked for often, and is made of those of all its episodes."""
        return digest(self)
