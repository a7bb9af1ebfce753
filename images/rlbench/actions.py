"""Turns the two manipulation action spaces into the pose that RLBench executes.

``discrete7`` follows the published voxel grid: a voxel stands for its centre, so position = low + (index + 1/2) *
size; an angle bin stands for 3 * bin - 180 degrees, applied about the fixed axes x, then y, then z. RLBench writes
quaternions x, y, z, w; everything on this project's side is w, x, y, z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

from harness.contracts.actions import DISCRETE7, EE_POSE8, Action, Vector, discrete7_space, ee_pose8_space
from harness.contracts.cameras import Quaternion, Vec3
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, sincos

BOUNDS_LOW: Vec3 = (-0.3, -0.5, 0.6)
BOUNDS_HIGH: Vec3 = (0.7, 0.5, 1.6)
"""The published workspace in metres, in the robot's frame (x away from the robot, y left, z up)."""

VOXELS = 100
LAST_VOXEL = 100
"""The published range is 0..100 although there are 100 voxels: index 100 is the voxel just behind the high bound."""

ANGLE_STEP_DEG = 3.0
LAST_ANGLE = 120
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
    names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    highest = (LAST_VOXEL,) * 3 + (LAST_ANGLE,) * 3 + (1,)
    if len(values) != len(names):
        raise Refusal(f"a {DISCRETE7} action has {len(values)} numbers.", f"Give {', '.join(names)}.")
    for name, value, high in zip(names, values, highest):
        if not (math.isfinite(value) and value == math.floor(value) and 0 <= value <= high):
            raise Refusal(f"{name} of a {DISCRETE7} action is {value}.", f"Give a whole number in 0..{high}.")
    position = tuple(
        low + (voxel + 0.5) * ((high - low) / VOXELS) for low, high, voxel in zip(BOUNDS_LOW, BOUNDS_HIGH, values[:3])
    )
    roll, pitch, yaw = (ANGLE_STEP_DEG * value - 180.0 for value in values[3:6])
    return GripperPose((position[0], position[1], position[2]), from_euler(roll, pitch, yaw), values[6] == 1)


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


def from_euler(roll_deg: float, pitch_deg: float, yaw_deg: float) -> Quaternion:
    """Return the rotation about the fixed axes x, then y, then z: q = q_yaw * q_pitch * q_roll."""
    (sr, cr), (sp, cp), (sy, cy) = (sincos(angle * (PI / 360.0)) for angle in (roll_deg, pitch_deg, yaw_deg))
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def to_xyzw(rotation: Quaternion) -> Tuple[float, float, float, float]:
    """Return w, x, y, z as RLBench's x, y, z, w."""
    w, x, y, z = rotation
    return (x, y, z, w)


def from_xyzw(rotation: Sequence[float]) -> Quaternion:
    """Return RLBench's x, y, z, w as w, x, y, z, of length 1."""
    x, y, z, w = (float(value) for value in rotation)
    length = math.sqrt(w * w + x * x + y * y + z * z)
    return (w / length, x / length, y / length, z / length)
