"""The tiny home with planted faults, which takes the episodes of real homes."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts.episodes import Episode
from harness.contracts.observations import Observation, ViewRequest
from tests.image_goals import changed, goal_of
from tests.images.embedded.tiny_environment import tiny_episode
from tests.running.planted import PlantedEnvironment


class SmallEnvironment(PlantedEnvironment):
    """Starts every episode where the tiny home is walkable."""

    def reset(self, episode: Episode, seed: int, views: Sequence[ViewRequest]) -> Observation:
        """Reset at the tiny home's own start and goal."""
        own = tiny_episode()
        return super().reset(changed(episode, start=own.start, goal=goal_of(own).goal), seed, views)
