"""Proposer `heading-fan`: straight walks of several lengths along equally spaced headings.

Candidates of different lengths are what makes a wrong scale of motion visible: among ends at equal distance a model
that imagines half the motion ranks them just as well.
"""

from __future__ import annotations

from typing import List, Sequence

from harness.contracts.actions import Action, ActionSpace, Candidate
from harness.contracts.errors import Refusal
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds
from tasks.navigation.proposers.turns import Circle


class HeadingFan:
    """``headings`` directions, the present one first, then leftwards round; ends after each of ``prefixes`` forwards.

    A turn takes the shorter way; half a circle goes left. The proposal is the same in every decision, relative to the
    present heading, and draws nothing.
    """

    def __init__(self, space: ActionSpace, headings: int, prefixes: Sequence[int]) -> None:
        self._circle = Circle(space)
        spacing = self._circle.spacing(headings, "heading-fan")
        if not prefixes or min(prefixes) < 1 or list(prefixes) != sorted(set(prefixes)):
            raise Refusal(
                f"heading-fan prefixes {list(prefixes)} are not ascending positive numbers.",
                "For example [2, 5, 8].",
            )
        self._prefixes = tuple(prefixes)
        self._proposal = self._fan(headings, spacing)

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the fan; neither history nor seeds enter."""
        return self._proposal

    def _fan(self, headings: int, spacing: int) -> Proposal:
        candidates: List[Candidate] = []
        ends: List[End] = []
        for number in range(headings):
            turns = self._circle.turns(number * spacing)
            candidates.append(Candidate(turns + (self._circle.forward,) * self._prefixes[-1]))
            ends += [End(number, (len(turns) + n,), len(turns) + n) for n in self._prefixes]
        return Proposal(tuple(candidates), tuple(ends))
