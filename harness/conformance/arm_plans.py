"""Plans for models of a robot arm, made of the plans for models of a moving camera."""

from __future__ import annotations

from itertools import accumulate
from typing import Sequence

from harness.contracts.actions import EE_POSE8, Action, Primitive, Vector, signed_turn

STEP_M = 0.02
START = (0.2, 0.0, 1.0)
"""Metres in the robot's frame: 24 steps in any direction stay within the published scene."""

DOWN = (0.0, 0.0, 1.0, 0.0)
"""A gripper that looks down: half a turn about the robot's y axis (w, x, y, z)."""

OPEN = 1.0


def as_poses(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Return one pose of the gripper an action: forwards move it away from the robot, turns to their side.

    So plans that differ for a camera differ for an arm, and checks need not know which of both they ask.
    """
    steps = [_step(action) for action in actions]
    ahead = accumulate(step[0] for step in steps)
    aside = accumulate(step[1] for step in steps)
    return tuple(
        Vector(EE_POSE8, (START[0] + x, START[1] + y, START[2], *DOWN, OPEN)) for x, y in zip(ahead, aside, strict=True)
    )


def _step(action: Action) -> tuple[float, float]:
    """Return metres away from the robot and to its left."""
    turn = signed_turn(action)
    if turn:
        return 0.0, STEP_M if turn > 0.0 else -STEP_M
    return (STEP_M, 0.0) if isinstance(action, Primitive) else (0.0, 0.0)
