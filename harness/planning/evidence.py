"""Evidence: what the ends of a decision are judged by.

Most revisers compare imagined views with the prompt. The references that give such results their meaning choose by the
same rule among the same ends, but from other evidence, so that nothing else differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Sequence, Tuple

from harness.contracts.observations import Observation, View
from harness.planning.proposals import End, Proposal

NOTHING = "nothing"
"""Nothing is looked at."""
IMAGINED = "imagined"
"""The score of the views that a world model imagines at each end."""
TRUTH = "truth"
"""How much each end truly leaves to do; only the caller's side of a loop can give it."""


@dataclass(frozen=True)
class EndScores:
    """One score an end, in their order, and the score of staying; more is better."""

    ends: Tuple[float, ...]
    stay: float


class EndScorer(Protocol):
    """Scores ends without imagining them."""

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return the scores of ``ends``, seeing ``view``."""


class Truth(EndScorer, Protocol):
    """What only the caller's side of a loop knows: how far from solved an episode is, here and after each end.

    As an `EndScorer` it gives minus the distances after each end and here.
    """

    def distance(self, seen: Observation) -> float:
        """Return how far from solved the episode is: metres of walkable distance in navigation, else the task's own
        unit."""

    def is_solved(self, distance: float) -> bool:
        """Say whether an episode that ends at this distance is solved."""
