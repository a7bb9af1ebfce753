"""Canonical actions: what a candidate is made of, whatever the simulator or the world model.

A candidate is a list of primitives (``forward 0.2 m``) or vectors (an end-effector pose). Its space,
declared by the environment, says which names and magnitudes exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Tuple, Union

from harness.contracts.field_limits import MAX_ACTIONS, Few, Finite, Name, Whole

FORWARD = "forward"
TURN_LEFT = "turn_left"
TURN_RIGHT = "turn_right"
STOP = "stop"
NAVIGATION = "navigation"
DISCRETE7 = "discrete7"
EE_POSE8 = "ee_pose8"
DEMONSTRATION = "demonstration"
FOLLOW = "follow"

MAX_VECTOR = 256


@dataclass(frozen=True)
class Primitive:
    """One named step. ``magnitude`` is in metres for ``forward`` and degrees (> 0) for turns; 0 for ``stop``."""

    name: Name
    magnitude: Finite


@dataclass(frozen=True)
class Vector:
    """One numeric step: float32 values in the order that the space documents."""

    space: Name
    values: Annotated[Tuple[Finite, ...], Few(MAX_VECTOR)]


Action = Union[Primitive, Vector]


@dataclass(frozen=True)
class Candidate:
    """One proposed action sequence. Frame i of its rollout is the view after action i; frame 0 is now."""

    actions: Annotated[Tuple[Action, ...], Few(MAX_ACTIONS)]

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True)
class ActionSpace:
    """What an environment can execute: a name (``navigation``) and its primitives, or a vector width.

    ``vector_width`` is 0 for spaces of primitives; then ``primitives`` lists each allowed name with its
    one magnitude.
    """

    name: Name
    primitives: Annotated[Tuple[Primitive, ...], Few(256)] = ()
    vector_width: Annotated[int, Whole(0, MAX_VECTOR)] = 0

    def allows(self, action: Action) -> bool:
        """Say whether the space contains ``action`` (name and magnitude, or space and width)."""
        if isinstance(action, Primitive):
            return action in self.primitives
        return action.space == self.name and len(action.values) == self.vector_width > 0


def navigation_space(forward_m: float = 0.2, turn_deg: float = 22.5) -> ActionSpace:
    """Return the ``navigation`` space with the published step sizes as defaults."""
    return ActionSpace(
        NAVIGATION,
        (
            Primitive(FORWARD, forward_m),
            Primitive(TURN_LEFT, turn_deg),
            Primitive(TURN_RIGHT, turn_deg),
            Primitive(STOP, 0.0),
        ),
    )


def discrete7_space() -> ActionSpace:
    """Return the ``discrete7`` space of manipulation: whole numbers x, y, z, roll, pitch, yaw, gripper.

    x, y, z are voxels of the workspace in 0..100, the angles bins of 3 degrees in 0..120 (bin 60 is 0 degrees), the
    gripper 0 (closed) or 1 (open). The action is the absolute end-effector pose that they stand for.
    """
    return ActionSpace(DISCRETE7, vector_width=7)


def ee_pose8_space() -> ActionSpace:
    """Return the ``ee_pose8`` space of manipulation: x, y, z, qw, qx, qy, qz, gripper.

    The absolute end-effector pose in the robot's frame (metres, x away from the robot, y left, z up, as published
    checkpoints use it), with the quaternion in this project's order; the gripper is open above 0.5.
    """
    return ActionSpace(EE_POSE8, vector_width=8)


def demonstration_space() -> ActionSpace:
    """Return the space of an environment that shows how a task is done: ``follow`` goes to its next moment.

    What was done on the way there is told by the observation (``ee.*`` and ``gripper_open`` in its info).
    """
    return ActionSpace(DEMONSTRATION, (Primitive(FOLLOW, 0.0),))


def signed_turn(action: Action) -> float:
    """Return the yaw change of ``action`` in degrees, left positive; 0 for anything but a turn."""
    if isinstance(action, Primitive):
        if action.name == TURN_LEFT:
            return action.magnitude
        if action.name == TURN_RIGHT:
            return -action.magnitude
    return 0.0
