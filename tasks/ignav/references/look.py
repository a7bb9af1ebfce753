"""Reference `look`: the tier's own score, on what the present view shows towards each end.

It imagines nothing. What it solves is worth nothing to a claim about imagination: the goal could be seen.
"""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.contracts.portable import TWO_PI, atan2
from harness.planning.evidence import EndScores
from harness.planning.proposals import End, Proposal
from harness.planning.revisers import Similarity
from harness.planning.score_protocol import Comparer, HeadingComparer, Score
from tasks.navigation.odometry import Odometry

PRESENT = "present"
"""Evidence of the reviser: the score of what the present view shows in the direction of each end."""


class BestDirection(Similarity):
    """The reviser: takes the end in whose direction the present view looks most like the goal."""

    evidence = PRESENT


class Look:
    """Scores an end by the 90 degrees of the present view around its direction, and staying by the whole view.

    The direction of an end is that of its place from here, by commanded actions, at the nearest of the score's
    headings.
    """

    def __init__(self, comparer: Comparer) -> None:
        if not isinstance(comparer, HeadingComparer):
            raise Refusal(
                f"the reference look cannot ask {type(comparer).__name__} for one heading of a view.",
                "Play it in a tier whose score compares panoramas.",
            )
        self._at_headings = comparer.at_headings
        self._whole = comparer

    def __call__(self, view: View, proposal: Proposal, ends: Sequence[End]) -> EndScores:
        """Return the scores of the directions of ``ends``."""
        seen: npt.NDArray[np.float64] = self._at_headings(view)
        headings = [direction(Odometry().advance(proposal.actions(end)), len(seen)) for end in ends]
        return EndScores(tuple(float(seen[heading]) for heading in headings), float(self._whole([view])))


def look(score: Score, goal: View) -> Look:
    """Return what scores the present view by the tier's own score."""
    return Look(score.against(goal))


def direction(place: Odometry, headings: int) -> int:
    """Return in which of ``headings`` equal directions ``place`` lies: 0 is ahead, then leftwards round."""
    turns = atan2(-place.x, -place.z) / TWO_PI * headings
    return math.floor(turns + 0.5) % headings
