"""Thinking that costs steps: the world goes on while the agent decides.

A decision is made on what was seen when it began. Until it is there, the agent goes on with the plan that it chose
last, the actions of that candidate after those which it meant to execute, and stands still once they are used up. An
episode has as many steps as the decisions of its tier can take at most; thinking, standing still included, uses them
up as acting does. So at no cost an episode is what it is without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

from harness.contracts.actions import Action
from harness.planning.agent import Choice


class ThinkingTime:
    """What is left of an episode's steps, and of the last plan, where a decision costs ``steps`` (0: nothing)."""

    def __init__(self, steps: int, decisions: int) -> None:
        self._steps = steps
        self._decisions = decisions
        self._left: Optional[int] = None
        self._plan: Tuple[Action, ...] = ()

    @property
    def is_over(self) -> bool:
        """Say whether the steps are used up."""
        return self._left == 0

    def taken(self, choice: Choice) -> Choice:
        """Return what is executed of a choice: before its own actions those of the time in which it was made.

        What was imagined belongs to where the decision began, and is left out where the agent has moved on since.
        """
        if not self._steps:
            return choice
        left = self._decisions * choice.longest if self._left is None else self._left
        waited = min(self._steps if choice.rollouts else 0, left)
        moved = self._plan[:waited]
        acted = choice.actions[: left - waited]
        self._left = left - waited - len(acted)
        self._plan = choice.rest
        return replace(choice, actions=(*moved, *acted), imagined={} if moved else choice.imagined)
