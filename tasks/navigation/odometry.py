"""Where the agent believes to be: dead reckoning of commanded actions.

The agent gets no pose from the simulator. Commanded odometry is what any agent has, and it is wrong exactly where
the body slid or was blocked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable

from harness.contracts.actions import FORWARD, Action, Primitive, signed_turn
from harness.contracts.portable import PI, sincos


@dataclass(frozen=True)
class Odometry:
    """A planar pose relative to the start of the episode: ``x`` right, ``z`` back, in metres; yaw left positive."""

    x: float = 0.0
    z: float = 0.0
    yaw_deg: float = 0.0

    def advance(self, actions: Iterable[Action]) -> Odometry:
        """Return the pose after ``actions``, as if none of them met an obstacle."""
        x, z, yaw = self.x, self.z, self.yaw_deg
        for action in actions:
            yaw = (yaw + signed_turn(action)) % 360.0
            if isinstance(action, Primitive) and action.name == FORWARD:
                sine, cosine = sincos(yaw * (PI / 180.0))
                x -= action.magnitude * sine
                z -= action.magnitude * cosine
        return Odometry(x, z, yaw)

    def distance(self, other: Odometry) -> float:
        """Return the straight distance between the two positions in metres."""
        dx, dz = self.x - other.x, self.z - other.z
        return math.sqrt(dx * dx + dz * dz)
