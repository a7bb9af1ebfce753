"""Poses of a robot's gripper: how a plan of a few poses becomes one pose a frame, and the numbers that models take.

A pose is ``ee_pose8``: x, y, z in metres, the quaternion w, x, y, z, and the gripper (open above 0.5). Models that
were trained on poses read ten numbers: a rotation as two columns of its matrix, because that is continuous where a
quaternion jumps between q and -q (Zhou et al. 2019, "On the Continuity of Rotation Representations").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Sequence, Tuple

from harness.contracts.actions import DISCRETE7
from harness.contracts.cameras import Quaternion, Vec3
from harness.contracts.errors import Refusal
from harness.contracts.portable import PI, atan2, sincos

BOUNDS_LOW: Vec3 = (-0.3, -0.5, 0.6)
BOUNDS_HIGH: Vec3 = (0.7, 0.5, 1.6)
"""The published workspace in metres, in the robot's frame (x away from the robot, y left, z up)."""

VOXELS = 100
LAST_VOXEL = 100
"""The published range is 0..100 although there are 100 voxels: index 100 is the voxel just behind the high bound."""

ANGLE_STEP_DEG = 3.0
LAST_ANGLE = 120

ArmPose = Tuple[float, ...]
"""Eight numbers in the order of ``ee_pose8``."""

_NEARLY_EQUAL = 1e-9


@dataclass(frozen=True)
class ArmPath:
    """One pose a frame, frame 0 the present one; ``anchors[k]`` is the frame at which goal k is reached."""

    poses: Tuple[ArmPose, ...]
    anchors: Tuple[int, ...]


def discrete_pose(values: Sequence[float]) -> ArmPose:
    """Return the pose of the 7 whole numbers of ``discrete7``: voxel x, y, z, bins of roll, pitch, yaw, gripper.

    A voxel of the published grid stands for its centre, so position = low + (index + 1/2) * size; an angle bin stands
    for 3 * bin - 180 degrees, applied about the fixed axes x, then y, then z. Refusal for other numbers.
    """
    names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    highest = (LAST_VOXEL,) * 3 + (LAST_ANGLE,) * 3 + (1,)
    if len(values) != len(names):
        raise Refusal(f"a {DISCRETE7} action has {len(values)} numbers.", f"Give {', '.join(names)}.")
    for name, value, high in zip(names, values, highest):
        if not (math.isfinite(value) and value == math.floor(value) and 0 <= value <= high):
            raise Refusal(f"{name} of a {DISCRETE7} action is {value}.", f"Give a whole number in 0..{high}.")
    position = (
        low + (voxel + 0.5) * ((high - low) / VOXELS) for low, high, voxel in zip(BOUNDS_LOW, BOUNDS_HIGH, values[:3])
    )
    roll, pitch, yaw = (ANGLE_STEP_DEG * value - 180.0 for value in values[3:6])
    return (*position, *from_euler(roll, pitch, yaw), float(values[6]))


def from_euler(roll_deg: float, pitch_deg: float, yaw_deg: float) -> Quaternion:
    """Return the rotation about the fixed axes x, then y, then z: q = q_yaw * q_pitch * q_roll."""
    (sr, cr), (sp, cp), (sy, cy) = (sincos(angle * (PI / 360.0)) for angle in (roll_deg, pitch_deg, yaw_deg))
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def ten_numbers(pose: ArmPose) -> Tuple[float, ...]:
    """Return x, y, z, the first and the second column of the rotation matrix, and the gripper."""
    x, y, z, qw, qx, qy, qz, gripper = _checked(pose)
    first = (1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy + qw * qz), 2.0 * (qx * qz - qw * qy))
    second = (2.0 * (qx * qy - qw * qz), 1.0 - 2.0 * (qx * qx + qz * qz), 2.0 * (qy * qz + qw * qx))
    return (x, y, z, *first, *second, gripper)


def interpolated(present: ArmPose, goals: Sequence[ArmPose], frames: int = 14) -> ArmPath:
    """Return the way from ``present`` through all ``goals``, in ``frames`` poses.

    Positions move linearly and rotations spherically; the gripper switches only when a goal is reached, since it
    closes around a thing, not on the way to it. Goals are spread evenly over the frames, truncated to whole ones, as
    the published protocol does. More goals than frames raise Refusal.
    """
    steps = frames - 1
    if not 1 <= len(goals) <= steps:
        raise Refusal(f"{len(goals)} goals do not fit into {frames} frames.", "Give 1 to one fewer than frames.")
    anchors = tuple((number + 1) * steps // len(goals) for number in range(len(goals)))
    poses: List[ArmPose] = [_checked(present)]
    for goal, anchor in zip(goals, anchors):
        start, begin = poses[-1], len(poses) - 1
        target = _checked(goal)
        poses.extend(_between(start, target, i / (anchor - begin)) for i in range(1, anchor - begin))
        poses.append(target)
    return ArmPath(tuple(poses), anchors)


def slerp(start: Sequence[float], end: Sequence[float], share: float) -> Tuple[float, ...]:
    """Return the rotation ``share`` (0..1) of the shorter way from one unit quaternion to another."""
    cosine = sum(a * b for a, b in zip(start, end))
    sign = -1.0 if cosine < 0.0 else 1.0
    cosine *= sign
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    if sine < _NEARLY_EQUAL:
        return tuple(start)
    angle = atan2(sine, cosine)
    from_start = sincos((1.0 - share) * angle)[0] / sine
    from_end = sign * sincos(share * angle)[0] / sine
    return tuple(from_start * a + from_end * b for a, b in zip(start, end))


def _between(start: ArmPose, end: ArmPose, share: float) -> ArmPose:
    position = (a + (b - a) * share for a, b in zip(start[:3], end[:3]))
    return (*position, *slerp(start[3:7], end[3:7], share), start[7])


def _checked(pose: ArmPose) -> ArmPose:
    if len(pose) != 8:
        raise Refusal(f"a gripper's pose has 8 numbers, not {len(pose)}.", "Give x, y, z, qw, qx, qy, qz, gripper.")
    if abs(sum(part * part for part in pose[3:7]) - 1.0) > 1e-3:
        raise Refusal(f"{tuple(pose[3:7])} is no unit quaternion.", "Give w, x, y, z of length 1.")
    return tuple(float(value) for value in pose)
