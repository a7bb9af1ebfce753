"""The turns of a circle: what proposers of absolute headings share."""

from __future__ import annotations

from typing import Tuple

from harness.contracts.actions import FORWARD, TURN_LEFT, TURN_RIGHT, ActionSpace, Primitive
from harness.contracts.errors import Refusal


class Circle:
    """The forward and the turns of an action space, whose left turns make a full circle of ``steps``."""

    def __init__(self, space: ActionSpace) -> None:
        by_name = {primitive.name: primitive for primitive in space.primitives}
        self.forward = by_name[FORWARD]
        self._left, self._right = by_name[TURN_LEFT], by_name[TURN_RIGHT]
        self.steps = round(360.0 / self._left.magnitude)

    def spacing(self, headings: int, proposer: str) -> int:
        """Return how many turns lie between ``headings`` equally spaced headings; Refusal where there is no such."""
        if headings < 1 or self.steps % headings:
            raise Refusal(
                f"{proposer} cannot space {headings} headings over {self.steps} turns "
                f"of {self._left.magnitude} degrees.",
                f"Choose a divisor of {self.steps}.",
            )
        return self.steps // headings

    def turns(self, left_steps: int) -> Tuple[Primitive, ...]:
        """Return the turns to the heading ``left_steps`` to the left, the shorter way; half a circle goes left."""
        left_steps %= self.steps
        if left_steps * 2 <= self.steps:
            return (self._left,) * left_steps
        return (self._right,) * (self.steps - left_steps)
