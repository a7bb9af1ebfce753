"""Turns the two manipulation action spaces into the pose that RLBench executes.

What the numbers of ``discrete7`` mean stands in `harness.contracts.arm_poses`. RLBench writes quaternions x, y, z, w;
everything on this project's side is w, x, y, z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

from harness.contracts.actions import DISCRETE7, EE_POSE8, Action, Vector, discrete7_space, ee_pose8_space
from harness.contracts.arm_poses import discrete_pose
from harness.contracts.cameras import Quaternion, Vec3
from harness.contracts.errors import Refusal

UNIT_TOLERANCE = 1e-3

SPACES = (discrete7_space(), ee_pose8_space())


@dataclass(frozen=True)
class GripperPose:
    """An absolute end-effector pose in the robot's frame, and whether the gripper is open."""

    position: Vec3
    rotation: Quaternion
    open: bool

    def rlbench_action(self) -> Tuple[float, ...]:
        """Return the 8 numbers of RLBench's action: x, y, z, qx, qy, qz, qw, gripper."""
        return (*self.position, *to_xyzw(self.rotation), 1.0 if self.open else 0.0)


def target_of(action: Action) -> GripperPose:
    """Return the pose that an action of either space asks for; Refusal for anything else."""
    if isinstance(action, Vector):
        if action.space == DISCRETE7:
            return discrete_target(action.values)
        if action.space == EE_POSE8:
            return pose_target(action.values)
    raise Refusal(f"action {action} is in no space of this environment.", f"Spaces: {DISCRETE7}, {EE_POSE8}.")


def discrete_target(values: Sequence[float]) -> GripperPose:
    """Return the pose of 7 whole numbers: voxel x, y, z, bins of roll, pitch, yaw, gripper."""
    x, y, z, qw, qx, qy, qz, gripper = discrete_pose(values)
    return GripperPose((x, y, z), (qw, qx, qy, qz), gripper == 1)


def pose_target(values: Sequence[float]) -> GripperPose:
    """Return the pose of 8 numbers: x, y, z, qw, qx, qy, qz, gripper. The quaternion is brought to length 1.

    Whether the pose can be reached is the simulator's to say: a pose outside its workspace is a blocked action.
    """
    if len(values) != 8 or not all(math.isfinite(value) for value in values):
        raise Refusal(f"an {EE_POSE8} action is {tuple(values)}.", "Give 8 finite numbers.")
    x, y, z, qw, qx, qy, qz, gripper = values
    length = math.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
    if abs(length - 1.0) > UNIT_TOLERANCE:
        raise Refusal(f"the quaternion of an {EE_POSE8} action has length {length:.4f}.", "Give w, x, y, z, length 1.")
    if not 0.0 <= gripper <= 1.0:
        raise Refusal(f"the gripper of an {EE_POSE8} action is {gripper}.", "Give 0 (closed) to 1 (open).")
    rotation = (qw / length, qx / length, qy / length, qz / length)
    return GripperPose((x, y, z), rotation, gripper > 0.5)


def to_xyzw(rotation: Quaternion) -> Tuple[float, float, float, float]:
    """Return w, x, y, z as RLBench's x, y, z, w."""
    w, x, y, z = rotation
    return (x, y, z, w)


def from_xyzw(rotation: Sequence[float]) -> Quaternion:
    """Return RLBench's x, y, z, w as w, x, y, z, of length 1."""
    x, y, z, w = (float(value) for value in rotation)
    length = math.sqrt(w * w + x * x + y * y + z * z)
    return (w / length, x / length, y / length, z / length)
