"""Proposer `dog-legs`: two straight legs with a turn between them, one candidate a heading.

A goal behind a corner lies at the end of no straight walk. Where straight walks are the only candidates, a world model
that knows obstacles gains nothing over one that walks through them: the way round has to be among the choices.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

import numpy as np

from harness.contracts.actions import Action, ActionSpace, Candidate
from harness.contracts.errors import Refusal
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from tasks.navigation.proposers.turns import Circle

SHORTEST_LEG, LONGEST_LEG = 2, 8
"""Forwards of a leg: 0.4 to 1.6 m."""

SHARPEST_TURN = 4
"""Turns between the legs, either way: a quarter of a circle."""

Legs = Tuple[int, int, int]
"""Forwards of the first leg, turns to the left (negative: right), forwards of the second leg."""


class DogLegs:
    """``headings`` directions, the present one first, then leftwards round, and along each a drawn pair of legs.

    A candidate turns to its heading the shorter way, walks 2 to 8 forwards, turns by at most 4 steps, and walks 2 to 8
    more; all numbers are drawn uniformly, and again while there are more than ``longest`` actions after the leading
    turns (those cost a panorama nothing). Each leg ends twice, at its middle and at its end; what is scored is
    executed exactly. Draws are keyed by decision and candidate, so every world model chooses among the same ends.
    """

    def __init__(self, space: ActionSpace, headings: int = 16, longest: int = 13) -> None:
        self._circle = Circle(space)
        self._headings = headings
        self._spacing = self._circle.spacing(headings, "dog-legs")
        if longest < 2 * SHORTEST_LEG:
            raise Refusal(
                f"dog-legs cannot fit two legs of {SHORTEST_LEG} forwards into {longest} actions.",
                f"Choose {2 * SHORTEST_LEG} or more.",
            )
        self._longest = longest

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the candidates of this decision; ``history`` does not enter."""
        candidates: List[Candidate] = []
        ends: List[End] = []
        for number in range(self._headings):
            legs = self._draw(seeds.generator(decision, "candidate", number))
            lead = self._circle.turns(number * self._spacing)
            candidates.append(Candidate(lead + self._walk(legs)))
            ends += [End(number, (frame,), frame) for frame in _ends(len(lead), legs)]
        return Proposal(tuple(candidates), tuple(ends))

    def _draw(self, generator: np.random.Generator) -> Legs:
        while True:
            first = int(generator.integers(SHORTEST_LEG, LONGEST_LEG + 1))
            turn = int(generator.integers(-SHARPEST_TURN, SHARPEST_TURN + 1))
            second = int(generator.integers(SHORTEST_LEG, LONGEST_LEG + 1))
            if first + abs(turn) + second <= self._longest:
                return first, turn, second

    def _walk(self, legs: Legs) -> Tuple[Action, ...]:
        first, turn, second = legs
        forward = self._circle.forward
        return (forward,) * first + self._circle.turns(turn) + (forward,) * second


def _ends(lead: int, legs: Legs) -> Tuple[int, int, int, int]:
    """Return after how many actions the legs have their middles and ends, ``lead`` turns coming before them."""
    first, turn, second = legs
    corner = lead + first
    left = corner + abs(turn)
    return lead + first // 2, corner, left + second // 2, left + second
