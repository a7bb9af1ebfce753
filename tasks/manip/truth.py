"""What is true of an episode on the table: how far its things are from where they belong, here and after each plan."""

from __future__ import annotations

import re
from typing import Mapping, Sequence, Tuple

from harness.contracts.actions import Action
from harness.contracts.episodes import Episode
from harness.contracts.observations import Observation, View, ViewRequest
from harness.planning.evidence import EndScores
from harness.planning.proposals import End, Proposal
from harness.wire.sdk import Environment

LEAST_M = 0.001
"""What an episode that is not solved is away at least: a ring over its peg that was not let go is not there yet."""

_PART = re.compile(r"distance\.\d+")


class TableTruth:
    """The truth of one episode.

    Plans are tried for real: the scene is put back to where the agent is asked (`put_back`), which plays the same
    every time, so that no environment has to say more than what follows an action.
    """

    def __init__(self, environment: Environment, episode: Episode, seed: int, before: Tuple[Action, ...]) -> None:
        self._environment, self._episode, self._seed, self._before = environment, episode, seed, before

    def put_back(self, views: Sequence[ViewRequest]) -> Observation:
        """Bring the scene to where the agent is asked and return what is seen there."""
        observation = self._environment.reset(self._episode, self._seed, () if self._before else views)
        if len(self._before) > 1:
            self._environment.step(self._before[:-1], ())
        return self._environment.step(self._before[-1:], views)[-1] if self._before else observation

    def distance(self, seen: Observation) -> float:
        """Return metres: 0 where the episode is solved, else the sum over what is not in its place."""
        return distance_m(seen.info)

    def is_solved(self, distance: float) -> bool:
        """Say whether an episode that ends at this distance is solved."""
        return distance == 0.0

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return minus the distances after each end, and here; the scene is then where it was."""
        found = []
        for end in ends:
            self.put_back(())
            found.append(-self.distance(self._environment.step(proposal.actions(end), ())[-1]))
        return EndScores(tuple(found), -self.distance(self.put_back(())))


def distance_m(info: Mapping[str, float]) -> float:
    """Return the distance that an observation's numbers tell of."""
    if info["success"] > 0.5:
        return 0.0
    return max(sum(info[name] for name in sorted(info) if _PART.fullmatch(name)), LEAST_M)
