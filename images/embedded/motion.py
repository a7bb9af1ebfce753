"""How the body moves: forward 0.20 m with sliding collision, turns of 22.5 degrees, no noise.

States are immutable and every step is a pure function of the state, so imagining needs no saving and restoring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Action, ActionSpace, Primitive
from harness.contracts.actions import navigation_space as published_space
from harness.contracts.cameras import Pose, quaternion_to_yaw, yaw_to_quaternion
from harness.contracts.errors import Refusal
from images.embedded.cameras import HEADING_STEP_DEG, HEADINGS, heading_sincos, nearest_multiple
from images.embedded.raster import compiled

FORWARD_M = 0.2
SUBSTEPS = 8
"""A forward is walked in 8 parts of 0.025 m, each half a grid cell: nothing is jumped over."""

SPACE: ActionSpace = published_space(FORWARD_M, HEADING_STEP_DEG)


@dataclass(frozen=True)
class Body:
    """Where the body stands: floor coordinates in metres and a heading.

    The yaw is ``base_deg`` + 22.5 * ``heading`` with ``heading`` an integer modulo 16: sixteen turns come home exactly.
    ``base_deg`` is 0 for the compass headings.
    """

    x: float
    z: float
    heading: int
    base_deg: float = 0.0

    @property
    def yaw_deg(self) -> float:
        """The yaw in degrees in (-180, 180], left positive."""
        yaw = self.base_deg + HEADING_STEP_DEG * self.heading
        return yaw - 360.0 if yaw > 180.0 else yaw

    def pose(self) -> Pose:
        """Return the pose on the floor."""
        return Pose((self.x, 0.0, self.z), yaw_to_quaternion(self.yaw_deg))


def body_at(pose: Pose) -> Body:
    """Return the body at ``pose``; raise Refusal where its rotation is not about y."""
    heading, rest = nearest_multiple(quaternion_to_yaw(pose.rotation), HEADING_STEP_DEG)
    return Body(pose.position[0], pose.position[2], heading % HEADINGS, rest)


def known(action: Action) -> Primitive:
    """Return ``action``; an action outside the space raises Refusal."""
    if not isinstance(action, Primitive) or not SPACE.allows(action):
        allowed = ", ".join(f"{p.name} {p.magnitude:g}" for p in SPACE.primitives)
        raise Refusal(f"action {action} is not in the space {SPACE.name!r}.", f"Allowed: {allowed}.")
    return action


def move(
    body: Body, action: Action, walkable: npt.NDArray[np.bool_], origin: Tuple[float, float], cell_m: float
) -> Tuple[Body, bool]:
    """Return (body after ``action``, collided) on a walkable grid [rows z, columns x] with its corner at ``origin``.

    ``collided`` is true where the body slid or was blocked. An action outside the space raises Refusal.
    """
    action = known(action)
    if action.name == TURN_LEFT:
        return Body(body.x, body.z, (body.heading + 1) % HEADINGS, body.base_deg), False
    if action.name == TURN_RIGHT:
        return Body(body.x, body.z, (body.heading - 1) % HEADINGS, body.base_deg), False
    if action.name == STOP:
        return body, False
    assert action.name == FORWARD
    sine, cosine = heading_sincos(body.yaw_deg)
    x, z, collided = walk_forward(walkable, origin[0], origin[1], cell_m, body.x, body.z, -sine, -cosine)
    return Body(x, z, body.heading, body.base_deg), collided


@compiled
def standable(walkable, origin_x, origin_z, cell_m, x, z):  # type: ignore[no-untyped-def]
    """Say whether (x, z) lies in a walkable cell."""
    column = int(np.floor((x - origin_x) / cell_m))
    row = int(np.floor((z - origin_z) / cell_m))
    if row < 0 or column < 0 or row >= walkable.shape[0] or column >= walkable.shape[1]:
        return False
    return walkable[row, column]


@compiled
def walk_parts(walkable, origin_x, origin_z, cell_m, x, z, step_x, step_z, parts):  # type: ignore[no-untyped-def]
    """Return (x, z, collided) after ``parts`` equal steps of at most half a cell each.

    Each part is tried in full, then along x alone, then along z alone (sliding); where none fits, the body stays.
    """
    collided = False
    for _ in range(parts):
        if standable(walkable, origin_x, origin_z, cell_m, x + step_x, z + step_z):
            x += step_x
            z += step_z
            continue
        collided = True
        if standable(walkable, origin_x, origin_z, cell_m, x + step_x, z):
            x += step_x
        elif standable(walkable, origin_x, origin_z, cell_m, x, z + step_z):
            z += step_z
        else:
            break
    return x, z, collided


@compiled
def walk_forward(walkable, origin_x, origin_z, cell_m, x, z, direction_x, direction_z):  # type: ignore[no-untyped-def]
    """Return (x, z, collided) after one forward along a unit direction."""
    step_x = direction_x * FORWARD_M / SUBSTEPS
    step_z = direction_z * FORWARD_M / SUBSTEPS
    return walk_parts(walkable, origin_x, origin_z, cell_m, x, z, step_x, step_z, SUBSTEPS)
