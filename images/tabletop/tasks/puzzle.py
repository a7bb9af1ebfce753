"""What a task is here: the things of a scene, when it is solved, and sub-goals that solve it.

Progress is a frozen value beside the physics, so that it is saved and restored with them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Dict, FrozenSet, Tuple

from images.tabletop.physics import World
from images.tabletop.scenes import SubGoal, Thing


@dataclass(frozen=True)
class Progress:
    """What has happened so far. ``succeeded`` stays once it is true.

    ``met`` counts the parts of the goal that were met in order, ``spoiled`` says that the goal cannot be met any more,
    ``down`` are the buttons that are down now.
    """

    met: int = 0
    spoiled: bool = False
    succeeded: bool = False
    down: FrozenSet[str] = frozenset()


@dataclass(frozen=True)
class Stage:
    """The last part of what solves a scene, as one plan of at most five sub-goals.

    ``before`` leads there from the scene's beginning. ``others`` are the same with another thing or place than the
    named one. The numbers are those of sub-goals in ``plan``: ``low`` are those whose height decides whether the thing
    is taken, pressed or pushed, ``carried`` those that bring it to its place, and at ``release`` it is let go (-1: it
    never is). ``shows`` says that what was done is seen when the hand is gone.
    """

    before: Tuple[SubGoal, ...]
    plan: Tuple[SubGoal, ...]
    others: Tuple[Tuple[SubGoal, ...], ...]
    low: Tuple[int, ...]
    carried: Tuple[int, ...]
    release: int = -1
    shows: bool = True


class Puzzle(ABC):
    """One scene of a task."""

    things: Tuple[Thing, ...]
    words: str
    """What is to be done, in one English sentence."""

    @abstractmethod
    def after(self, progress: Progress, world: World, gripper_open: bool) -> Progress:
        """Return the progress once the world is as it is now."""

    @abstractmethod
    def distances(self, progress: Progress, world: World) -> Dict[str, float]:
        """Return how far each part of the goal is from being met, in metres, by name."""

    @abstractmethod
    def sub_goals(self) -> Tuple[SubGoal, ...]:
        """Return poses that solve the scene from its beginning."""

    @abstractmethod
    def last_stage(self) -> Stage:
        """Return the last part of what solves the scene."""


def apart(a: Tuple[float, float, float], b: Tuple[float, float, float]) -> float:
    """Return the horizontal distance of two places in metres."""
    return math.sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]))
