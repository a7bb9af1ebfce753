"""Episodes: what an agent is asked to do, where it starts, and what only the scorer may know."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Mapping, Tuple

from harness.contracts.cameras import Pose
from harness.contracts.digest import FLAT, digest
from harness.contracts.field_limits import MAX_TAGS, Count, Few, Name

DEFAULT_EPISODES = 24
"""How many a run plays that names no number."""


@dataclass(frozen=True)
class Episode:
    """One episode of a tier.

    ``id`` is unique in its tier and split; ``scene`` is the environment's name of the scene and ``home``
    the unit that intervals are clustered by (the building). ``reference_actions`` is the length of a shortest action
    sequence (the L* of SPL; turns count).

    ``payload`` is what this task alone knows of an episode, as plain data (`to_plain` of the task's own class; no name
    of a field here): where the goal is, a question, a state to begin in. In files, and in the hash, its fields stand
    beside the others.
    """

    id: Name
    task: Name
    tier: Name
    split: Name
    scene: Name
    home: Name
    start: Pose
    reference_actions: Count
    payload: Mapping[str, Any] = field(default_factory=dict, hash=False, metadata=FLAT)
    tags: Annotated[Tuple[Name, ...], Few(MAX_TAGS)] = ()

    def digest(self) -> str:
        """Return the hash of all fields."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        """The hash, worked out once: a suite's hash is asked for often, and is made of those of all its episodes."""
        return digest(self)
