"""A player that asks the plan's world model for one rollout an episode, and draws the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.contracts.actions import Candidate, Primitive
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError
from harness.contracts.rollouts import RolloutRequest
from harness.contracts.trajectories import PlayedEpisode
from harness.running.plan import RunPlan
from harness.running.player import Starting, unheard
from harness.running.services import start
from harness.wire.client import WorldModelClient
from tests.running import fake

CAMERA = Camera("front", PINHOLE, 48, 48, 90.0, 1.25)


class AskingPlayer:
    """Starts the model as the player of real runs does; a rollout that failed ends its episode in error."""

    def __init__(self, plan: RunPlan, logs: Path, starting: Starting = unheard) -> None:
        assert plan.world_model is not None
        self._service = start(plan.world_model, 60.0, logs / "model.log")
        self._client = WorldModelClient(self._service.socket)

    def play(self, episode: Episode, seed: int) -> PlayedEpisode:
        """Play ``episode`` with one rollout."""
        view = np.zeros((48, 48, 3), np.uint8)
        ahead = Candidate((Primitive("forward", 0.2),))
        (rollout,) = self._client.imagine_batch([RolloutRequest(0, 1, view, CAMERA, ahead, (1,), prompt="go ahead")])
        if rollout.error:
            raise EpisodeError(rollout.error)
        return fake.played(episode, seed)

    def close(self) -> None:
        """Stop the service."""
        self._client.close()
        self._service.stop()
