"""Reference `oracle`, and the truth about a decision: how far from the goal each of its ends really is.

This is the caller's side of a loop: it holds the environment's queries, which no agent ever does.
"""

from __future__ import annotations

from typing import Dict, Sequence

from harness.contracts.cameras import Vec3
from harness.contracts.observations import Observation, View
from harness.planning.evidence import EndScores
from harness.planning.proposals import End, Proposal
from harness.wire.sdk import Environment, Lookahead, Navigation, require


class TrueDistances:
    """Scores ends, and staying, by minus their true geodesic distance to the goal in metres."""

    def __init__(self, environment: Environment, goal: Vec3, radius_m: float) -> None:
        self._environment = environment
        self._navigation = require(environment, Navigation)
        self._goal = goal
        self._radius_m = radius_m

    def distance(self, seen: Observation) -> float:
        """Return the walkable distance from where the body stands to the goal in metres."""
        return self._navigation.geodesic_distance(seen.pose.position, self._goal)

    def is_solved(self, distance: float) -> bool:
        """Say whether an episode that ends at this distance from its goal (metres) is solved."""
        return distance <= self._radius_m

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return the scores of ``ends`` from where the body stands now; the view tells nothing more."""
        wanted = [
            (0, *sorted({end.execute for end in ends if end.candidate == number}))
            for number in range(len(proposal.candidates))
        ]
        poses = require(self._environment, Lookahead).rollout_poses(proposal.candidates, wanted)
        places = [
            {frame: pose.position for frame, pose in zip(frames, rollout)} for frames, rollout in zip(wanted, poses)
        ]
        known: Dict[Vec3, float] = {}

        def distance(place: Vec3) -> float:
            if place not in known:
                known[place] = self._navigation.geodesic_distance(place, self._goal)
            return known[place]

        return EndScores(tuple(-distance(places[end.candidate][end.execute]) for end in ends), -distance(places[0][0]))
