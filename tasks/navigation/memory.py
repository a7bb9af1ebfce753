"""Memory of decision points: ends that lead back to a place already decided at are left out.

Without it an agent swings between two places that both look like what it is asked for.
"""

from __future__ import annotations

from typing import Sequence, Tuple

from harness.contracts.actions import Action
from harness.planning.config import LoopConfig
from harness.planning.proposals import End, Proposal
from tasks.navigation.odometry import Odometry

_SLACK_M = 1e-9


class VisitedPlaces:
    """Keeps the ends farther than ``radius_m`` from all decision points, the present one included.

    Places are told by commanded odometry. When every end is near one, all are kept: the agent has to move somewhere.
    Radius 0 leaves nothing out.
    """

    def __init__(self, radius_m: float) -> None:
        self._radius_m = radius_m

    def __call__(self, proposal: Proposal, executed: Sequence[Sequence[Action]]) -> Tuple[End, ...]:
        """Return the ends that remain after these actions of each earlier decision."""
        if self._radius_m <= 0.0:
            return proposal.ends
        visited = [Odometry()]
        for actions in executed:
            visited.append(visited[-1].advance(actions))

        def is_new(end: End) -> bool:
            reached = visited[-1].advance(proposal.actions(end))
            return all(reached.distance(point) >= self._radius_m - _SLACK_M for point in visited)

        return tuple(end for end in proposal.ends if is_new(end)) or proposal.ends


def visited_places(config: LoopConfig) -> VisitedPlaces:
    """Return the memory of a loop."""
    return VisitedPlaces(config.memory_radius_m)
