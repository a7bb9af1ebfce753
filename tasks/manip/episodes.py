"""What manipulation knows of an episode and of a tier beside what every task does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Mapping, Tuple

from pydantic import Field

from harness.contracts.actions import DISCRETE7, Action, Vector

RIGHT = "right"
"""What a plan without a mistake is called."""

Bin = Annotated[int, Field(ge=0, le=120)]
Pose = Annotated[Tuple[Bin, ...], Field(min_length=7, max_length=7)]
"""One pose of the hand: the seven whole numbers of ``discrete7``."""
SubGoals = Annotated[Tuple[Pose, ...], Field(min_length=1, max_length=5)]


@dataclass(frozen=True)
class Plan:
    """One plan of at most five sub-goals, and which mistake was planted in it: how many centimetres, 0 for a mistake
    that has no size."""

    mistake: Annotated[str, Field(min_length=1, max_length=40)]
    size_cm: Annotated[int, Field(ge=0, le=100)]
    goals: SubGoals


@dataclass(frozen=True)
class TableScene:
    """The payload of an episode.

    ``words`` say what is to be done. ``before`` was carried out before the agent is asked. ``solution`` solves the
    episode from there, in so many ``sub_goals``. ``plans`` are what the agent chooses among; it is given their actions
    and not their names. ``after`` follows on every plan: the hand goes home, so that what it did is seen. At the end of
    ``shown`` the picture is taken that the agent is asked with: it solves the episode too, and comes to the same
    end by another way, so that no arm stands in the picture as a plan leaves it.
    """

    words: Annotated[str, Field(min_length=1, max_length=500)]
    before: Annotated[Tuple[Pose, ...], Field(max_length=64)]
    solution: SubGoals
    sub_goals: Annotated[int, Field(ge=1)]
    plans: Annotated[Tuple[Plan, ...], Field(min_length=2, max_length=64)]
    after: Annotated[Tuple[Pose, ...], Field(max_length=1)]
    shown: Annotated[Tuple[Pose, ...], Field(min_length=1, max_length=64)]

    def actions(self, goals: SubGoals) -> Tuple[Action, ...]:
        """Return the actions of a plan with what follows on it."""
        return actions_of((*goals, *self.after))


@dataclass(frozen=True)
class TierConstants:
    """What the episodes of a tier are made of.

    ``mistakes`` names the kinds of scene, which take turns, and for each how many plans of an episode have which
    mistake (`tasks.manip.mistakes`), by its name or its name and size in centimetres, beside the one that is right.
    Where a scene has fewer plans with a mistake than that, further ones have the mistakes named after it, from the
    first again.
    """

    mistakes: Annotated[Mapping[str, Mapping[str, Annotated[int, Field(ge=1)]]], Field(min_length=1)]


def actions_of(goals: Tuple[Tuple[int, ...], ...]) -> Tuple[Action, ...]:
    """Return sub-goals as actions of ``discrete7``."""
    return tuple(Vector(DISCRETE7, tuple(float(number) for number in goal)) for goal in goals)
