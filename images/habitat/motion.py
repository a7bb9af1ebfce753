"""Where the body stands and which actions it knows.

The heading is a whole number of turns from a base yaw, so that a full circle of turns comes home exactly, however the
simulator's own rotation rounds. How far a forward really goes is the simulator's answer (`engine.Engine.act`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Tuple

from harness.contracts.actions import Action, ActionSpace, Primitive, navigation_space
from harness.contracts.cameras import Pose, Quaternion, Vec3, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.errors import Refusal

_ALIGNED_DEG = 1e-4
"""A yaw this near to a multiple of the turn counts as that multiple (published rotations carry seven digits)."""


@dataclass(frozen=True)
class Body:
    """Floor position in metres and yaw ``base_deg + heading * turn``; ``heading`` counts turns to the left."""

    position: Vec3
    heading: int
    base_deg: float = 0.0


@dataclass(frozen=True)
class Steps:
    """The step sizes of a suite: metres a forward, degrees a turn."""

    forward_m: float
    turn_deg: float

    def __post_init__(self) -> None:
        count = 360.0 / self.turn_deg if self.turn_deg > 0.0 else 0.0
        if count < 1.0 or count != math.floor(count) or self.forward_m <= 0.0:
            raise Refusal(
                f"forward {self.forward_m} m and turn {self.turn_deg} degrees are no steps of a body.",
                "Give metres above 0 and degrees of which a whole number makes a circle.",
            )

    @property
    def headings(self) -> int:
        """How many turns make a circle."""
        return int(360.0 / self.turn_deg)

    @property
    def space(self) -> ActionSpace:
        """The action space of these steps."""
        return navigation_space(self.forward_m, self.turn_deg)

    def check(self, action: Action) -> Primitive:
        """Return ``action`` if the space has it; raise Refusal with what it has otherwise."""
        if isinstance(action, Primitive) and self.space.allows(action):
            return action
        allowed = ", ".join(f"{p.name} {p.magnitude:g}" for p in self.space.primitives)
        raise Refusal(f"action {action} is not in the space {self.space.name!r}.", f"Allowed: {allowed}.")

    def body_at(self, pose: Pose) -> Body:
        """Return the body at ``pose``; raise Refusal where its rotation is not about y."""
        heading, base_deg = self._nearest(quaternion_to_yaw(pose.rotation))
        return Body(pose.position, heading, base_deg)

    def turned(self, body: Body, steps_left: int) -> Body:
        """Return ``body`` after ``steps_left`` turns to the left (negative: to the right)."""
        return Body(body.position, (body.heading + steps_left) % self.headings, body.base_deg)

    def yaw_deg(self, body: Body) -> float:
        """Return the yaw in degrees in (-180, 180], left positive."""
        yaw = body.base_deg + self.turn_deg * body.heading
        return yaw - 360.0 if yaw > 180.0 else yaw

    def rotation(self, body: Body) -> Quaternion:
        """Return the body's rotation, w x y z."""
        return yaw_to_quaternion(self.yaw_deg(body))

    def pose(self, body: Body) -> Pose:
        """Return the body's pose."""
        return Pose(body.position, self.rotation(body))

    def _nearest(self, yaw_deg: float) -> Tuple[int, float]:
        count = math.floor(yaw_deg / self.turn_deg + 0.5)
        rest = yaw_deg - count * self.turn_deg
        return count % self.headings, 0.0 if abs(rest) < _ALIGNED_DEG else rest
