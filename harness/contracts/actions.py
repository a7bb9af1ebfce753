"""Canonical actions: what a candidate is made of, whatever the simulator or the world model.

A candidate is a list of primitives (``forward 0.2 m``) or vectors (an end-effector pose). Its space,
declared by the environment, says which names and magnitudes exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple, Union

FORWARD = "forward"
TURN_LEFT = "turn_left"
TURN_RIGHT = "turn_right"
STOP = "stop"


@dataclass(frozen=True)
class Primitive:
    """One named step. ``magnitude`` is in metres for ``forward`` and degrees (> 0) for turns; 0 for ``stop``."""

    name: str
    magnitude: float


@dataclass(frozen=True)
class Vector:
    """One numeric step: float32 values in the order that the space documents."""

    space: str
    values: Tuple[float, ...]


Action = Union[Primitive, Vector]


@dataclass(frozen=True)
class Candidate:
    """One proposed action sequence. Frame i of its rollout is the view after action i; frame 0 is now."""

    actions: Tuple[Action, ...]

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True)
class ActionSpace:
    """What an environment can execute: a name (``navigation``) and its primitives, or a vector width.

    ``vector_width`` is 0 for spaces of primitives; then ``primitives`` lists each allowed name with its
    one magnitude.
    """

    name: str
    primitives: Tuple[Primitive, ...] = ()
    vector_width: int = 0

    def allows(self, action: Action) -> bool:
        """Say whether the space contains ``action`` (name and magnitude, or space and width)."""
        if isinstance(action, Primitive):
            return action in self.primitives
        return action.space == self.name and len(action.values) == self.vector_width > 0


def navigation_space(forward_m: float = 0.2, turn_deg: float = 22.5) -> ActionSpace:
    """Return the ``navigation`` space with the published step sizes as defaults."""
    return ActionSpace(
        "navigation",
        (
            Primitive(FORWARD, forward_m),
            Primitive(TURN_LEFT, turn_deg),
            Primitive(TURN_RIGHT, turn_deg),
            Primitive(STOP, 0.0),
        ),
    )


def signed_turn(action: Action) -> float:
    """Return the yaw change of ``action`` in degrees, left positive; 0 for anything but a turn."""
    if isinstance(action, Primitive):
        if action.name == TURN_LEFT:
            return action.magnitude
        if action.name == TURN_RIGHT:
            return -action.magnitude
    return 0.0
