"""The random draws of one episode, handed to the agent without the episode itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contracts import seeds


@dataclass(frozen=True)
class EpisodeSeeds:
    """Seeds keyed by run seed and episode; a draw further needs its decision and role.

    The episode's id is a key here and nothing else: no part can look an episode up by it.
    """

    run_seed: int
    episode: str

    def generator(self, decision: int, role: str, candidate: int = -1) -> np.random.Generator:
        """Return a fresh generator for one draw of one decision."""
        return seeds.generator(self.run_seed, self.episode, decision, candidate, role)

    def request(self, view_digest: str, decision: int, candidate: int) -> int:
        """Return the uint64 seed that a world model gets with one candidate; it tells nothing of the episode."""
        return seeds.request_seed(self.run_seed, view_digest, decision, candidate)
