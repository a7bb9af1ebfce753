"""Proposer `heading-fan`: straight walks of several lengths along equally spaced headings.

Candidates of different lengths are what makes a wrong scale of motion visible: among ends at equal distance a model
that imagines half the motion ranks them just as well.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, Action, ActionSpace, Candidate, Primitive
from harness.contracts.errors import Refusal
from harness.planning.proposals import End, Proposal
from harness.planning.seeding import EpisodeSeeds


class HeadingFan:
    """``headings`` directions, the present one first, then leftwards round; ends after each of ``prefixes`` forwards.

    A turn takes the shorter way; half a circle goes left. The proposal is the same in every decision, relative to the
    present heading, and draws nothing.
    """

    def __init__(self, space: ActionSpace, headings: int, prefixes: Sequence[int]) -> None:
        by_name = {primitive.name: primitive for primitive in space.primitives}
        self._forward = by_name[FORWARD]
        self._left, self._right = by_name[TURN_LEFT], by_name[TURN_RIGHT]
        turns_a_circle = round(360.0 / self._left.magnitude)
        if headings < 1 or turns_a_circle % headings:
            raise Refusal(
                f"heading-fan cannot space {headings} headings over {turns_a_circle} turns "
                f"of {self._left.magnitude} degrees.",
                f"Choose a divisor of {turns_a_circle}.",
            )
        if not prefixes or min(prefixes) < 1 or list(prefixes) != sorted(set(prefixes)):
            raise Refusal(
                f"heading-fan prefixes {list(prefixes)} are not ascending positive numbers.",
                "For example [2, 5, 8].",
            )
        self._prefixes = tuple(prefixes)
        self._proposal = self._fan(headings, turns_a_circle)

    def propose(self, decision: int, history: Sequence[Action], seeds: EpisodeSeeds) -> Proposal:
        """Return the fan; neither history nor seeds enter."""
        return self._proposal

    def _fan(self, headings: int, turns_a_circle: int) -> Proposal:
        candidates: List[Candidate] = []
        ends: List[End] = []
        for number in range(headings):
            turns = self._turns(number * turns_a_circle // headings, turns_a_circle)
            candidates.append(Candidate(turns + (self._forward,) * self._prefixes[-1]))
            ends += [End(number, (len(turns) + n,), len(turns) + n) for n in self._prefixes]
        return Proposal(tuple(candidates), tuple(ends))

    def _turns(self, left_steps: int, turns_a_circle: int) -> Tuple[Primitive, ...]:
        if left_steps * 2 <= turns_a_circle:
            return (self._left,) * left_steps
        return (self._right,) * (turns_a_circle - left_steps)
