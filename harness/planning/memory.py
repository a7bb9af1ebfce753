"""Memory of decision points: ends that lead back to a place already decided at are left out.

Without it an agent swings between two places that both look like the goal.
"""

from __future__ import annotations

from typing import Sequence, Tuple

from harness.planning.odometry import Odometry
from harness.planning.proposals import End, Proposal

_SLACK_M = 1e-9


def remaining_ends(proposal: Proposal, here: Odometry, visited: Sequence[Odometry], radius_m: float) -> Tuple[End, ...]:
    """Return the ends farther than ``radius_m`` from all ``visited`` points, by commanded odometry.

    ``visited`` are the decision points so far, the present one included. When every end is near one, all are kept:
    the agent has to move somewhere. Radius 0 leaves nothing out.
    """

    def is_new(end: End) -> bool:
        reached = here.advance(proposal.actions(end))
        return all(reached.distance(point) >= radius_m - _SLACK_M for point in visited)

    if radius_m <= 0.0:
        return proposal.ends
    return tuple(end for end in proposal.ends if is_new(end)) or proposal.ends
