"""Proposer `look-fan`: straight walks along equally spaced headings, and a look round at the end of each.

A front view shows a quarter of a place, and nobody says which way the goal view looks. So an end is a place and a
heading: every turn after a walk is an end of its own, which is imagined, scored and executed as it is.
"""

from __future__ import annotations

from typing import List, Sequence

from harness.contracts.actions import Action, ActionSpace, Candidate, Primitive
from harness.contracts.errors import Refusal
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from tasks.navigation.proposers.turns import Circle


class LookFan:
    """``headings`` directions, the present one first, then leftwards round; each is walked for each of ``prefixes``
    forwards, and then turned left by up to ``looks`` steps, and right by as many.

    Each walk is two candidates, one a side, so that the longest has ``prefixes[-1] + looks`` actions after the leading
    turns. The view straight ahead is an end of the left one alone, and so is that half a circle away. The proposal is
    the same in every decision, relative to the present heading, and draws nothing.
    """

    def __init__(self, space: ActionSpace, headings: int, prefixes: Sequence[int], looks: int) -> None:
        self._circle = Circle(space)
        spacing = self._circle.spacing(headings, "look-fan")
        if not prefixes or min(prefixes) < 1 or list(prefixes) != sorted(set(prefixes)):
            raise Refusal(
                f"look-fan prefixes {list(prefixes)} are not ascending positive numbers.", "For example [2, 5]."
            )
        if not 1 <= looks <= self._circle.steps // 2:
            raise Refusal(
                f"look-fan cannot look {looks} turns to either side.", f"Choose 1 to {self._circle.steps // 2}."
            )
        self._looks = looks
        self._proposal = self._fan(headings, spacing, prefixes)

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the fan; neither history nor seeds enter."""
        return self._proposal

    def _fan(self, headings: int, spacing: int, prefixes: Sequence[int]) -> Proposal:
        candidates: List[Candidate] = []
        ends: List[End] = []
        for number in range(headings):
            lead = self._circle.turns(number * spacing)
            for forwards in prefixes:
                walk = (*lead, *(self._circle.forward,) * forwards)
                for looks in self._sides():
                    first = len(walk) if looks[0] == self._circle.turns(1)[0] else len(walk) + 1
                    ends += [End(len(candidates), (n,), n) for n in range(first, len(walk) + len(looks) + 1)]
                    candidates.append(Candidate((*walk, *looks)))
        return Proposal(tuple(candidates), tuple(ends))

    def _sides(self) -> List[Sequence[Primitive]]:
        """Return the turns to the left and those to the right, one fewer where both would end half a circle away."""
        right = min(self._looks, (self._circle.steps - 1) // 2)
        sides = [self._circle.turns(self._looks), self._circle.turns(-right)]
        return [side for side in sides if side]
