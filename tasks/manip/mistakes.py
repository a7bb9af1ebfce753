"""Plans with one mistake of stated size, made of a plan that solves a scene's last stage.

What a mistake comes to is the physics' to say: a ring that is let go 1 cm beside its peg may still slip over it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, List, Mapping, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.names import nearest
from images.tabletop.scenes import SubGoal
from images.tabletop.tasks.puzzle import Stage

_WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1))

Plan = Tuple[SubGoal, ...]


def other_object(stage: Stage, size_cm: int) -> List[Plan]:
    """The same with another thing or place."""
    return list(stage.others)


def offset(stage: Stage, size_cm: int) -> List[Plan]:
    """The thing is brought ``size_cm`` beside its place, along an axis of the table."""
    return [_moved(stage.plan, stage.carried, (size_cm * x, size_cm * y, 0)) for x, y in _WAYS]


def order(stage: Stage, size_cm: int) -> List[Plan]:
    """The first sub-goal that has to be low is exchanged with the next one."""
    first = stage.low[0]
    if first + 2 > len(stage.plan) - 1:
        return []
    plan = list(stage.plan)
    plan[first], plan[first + 1] = plan[first + 1], plan[first]
    return [tuple(plan)]


def grasp(stage: Stage, size_cm: int) -> List[Plan]:
    """The hand is ``size_cm`` too high where it takes, presses or pushes."""
    return [_moved(stage.plan, stage.low, (0, 0, size_cm))]


def drop(stage: Stage, size_cm: int) -> List[Plan]:
    """What is held is let go ``size_cm`` too high."""
    return [] if stage.release < 0 else [_moved(stage.plan, (stage.release,), (0, 0, size_cm))]


def push(stage: Stage, size_cm: int) -> List[Plan]:
    """The hand pushes ``size_cm`` beside the middle, along an axis of the table that leads most across the push."""
    if stage.release >= 0 or len(stage.low) < 2:
        return []
    start, end = (stage.plan[index] for index in stage.low)
    across = (0, 1) if abs(end.x - start.x) >= abs(end.y - start.y) else (1, 0)
    every = tuple(range(len(stage.plan)))
    return [_moved(stage.plan, every, (sign * size_cm * across[0], sign * size_cm * across[1], 0)) for sign in (1, -1)]


MISTAKES: Mapping[str, Callable[[Stage, int], List[Plan]]] = {
    "object": other_object, "offset": offset, "order": order, "grasp": grasp, "drop": drop, "push": push,
}  # fmt: skip
"""What each returns are the plans that a stage allows, none where the mistake has no meaning in it."""


def mistaken(stage: Stage, mistake: str, size_cm: int) -> List[Plan]:
    """Return all plans of a stage with one mistake; Refusal names the nearest mistake."""
    if mistake not in MISTAKES:
        raise Refusal(f"there is no mistake {mistake!r}.", nearest(mistake, MISTAKES))
    return MISTAKES[mistake](stage, size_cm)


def _moved(plan: Plan, numbers: Sequence[int], voxels: Tuple[int, int, int]) -> Plan:
    x, y, z = voxels
    return tuple(
        replace(goal, x=goal.x + x, y=goal.y + y, z=goal.z + z) if number in numbers else goal
        for number, goal in enumerate(plan)
    )
