"""An episode that has begun: what a task hands to the loop that plays it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Protocol, Sequence

from harness.contracts.episodes import Episode
from harness.contracts.observations import Observation, TopDownMap, View, ViewRequest
from harness.planning.config import LoopConfig
from harness.planning.evidence import Truth
from harness.wire.sdk import Environment


@dataclass(frozen=True, eq=False)
class Begun:
    """An episode that has begun: what is seen first, what the agent is asked with, and what only its caller knows."""

    observation: Observation
    prompt: View
    truth: Truth
    map: Optional[TopDownMap] = None


class Begin(Protocol):
    """Begins an episode."""

    def __call__(
        self, environment: Environment, episode: Episode, seed: int, views: Sequence[ViewRequest], config: LoopConfig
    ) -> Begun:
        """Reset the environment, render ``views`` there, and return them with prompt and truth."""
