"""Evidence: what the ends of a decision are judged by.

Most revisers compare imagined views with the goal. The references that give such results their meaning choose by the
same rule among the same ends, but from other evidence, so that nothing else differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Sequence, Tuple

from harness.contracts.observations import View
from harness.planning.proposals import End, Proposal

NOTHING = "nothing"
"""Nothing is looked at."""
IMAGINED = "imagined"
"""The score of the views that a world model imagines at each end."""
PRESENT = "present"
"""The score of what the present view shows in the direction of each end."""
HOMING = "homing"
"""Where classical image homing believes the goal to be."""
TRUTH = "truth"
"""The true distance of each end; only the caller's side of a loop can give it."""


@dataclass(frozen=True)
class EndScores:
    """One score an end, in their order, and the score of staying; more is better."""

    ends: Tuple[float, ...]
    stay: float


class EndScorer(Protocol):
    """Scores ends without imagining them."""

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return the scores of ``ends``, seeing ``view``."""
