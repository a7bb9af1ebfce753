"""Poses between RLBench's frames and this project's.

RLBench's world has x away from the robot, y left, z up; this project has x right, y up, z back, so that "away from the
robot" is forward (-z). CoppeliaSim's cameras look along their +z with x to the left and y up; here a camera looks along
its -z with x to the right and y up.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Sequence, Tuple

from harness.contracts.cameras import Pose, Quaternion, Vec3
from images.rlbench.actions import from_xyzw

WORLD: Quaternion = (0.5, -0.5, 0.5, 0.5)
"""The rotation that takes RLBench's axes to this project's: (x, y, z) becomes (-y, z, -x)."""

CAMERA_FLIP: Quaternion = (0.0, 0.0, 1.0, 0.0)
"""Half a turn about y: CoppeliaSim's camera axes seen from this project's."""


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return the rotation that applies ``b`` first, then ``a`` (Hamilton product)."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def to_world(position: Sequence[float]) -> Vec3:
    """Return a point of RLBench's world in this project's frame."""
    x, y, z = (float(value) for value in position)
    return (-y, z, -x)


def gripper_pose(pose: Sequence[float]) -> Pose:
    """Return RLBench's x, y, z, qx, qy, qz, qw of the gripper's tip in this project's world.

    The tip keeps the simulator's axes; only the world they are told in changes.
    """
    return Pose(to_world(pose[:3]), multiply(WORLD, from_xyzw(pose[3:])))


def camera_pose(extrinsics: Any) -> Pose:
    """Return the pose of a camera in this project's world from its 4 x 4 (or 3 x 4) matrix in RLBench's."""
    rows = [[float(extrinsics[row][column]) for column in range(4)] for row in range(3)]
    rotation = from_matrix([row[:3] for row in rows])
    return Pose(to_world([row[3] for row in rows]), multiply(multiply(WORLD, rotation), CAMERA_FLIP))


def from_matrix(matrix: Sequence[Sequence[float]]) -> Quaternion:
    """Return the quaternion of a rotation matrix, from its largest component (Shepperd 1978), with w >= 0."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    squares = (1.0 + a + e + i, 1.0 + a - e - i, 1.0 - a + e - i, 1.0 - a - e + i)
    largest = max(range(4), key=lambda index: squares[index])
    by_largest: Tuple[Quaternion, ...] = (
        (squares[0], h - f, c - g, d - b),
        (h - f, squares[1], b + d, c + g),
        (c - g, b + d, squares[2], f + h),
        (d - b, c + g, f + h, squares[3]),
    )
    w, x, y, z = by_largest[largest]
    length = math.copysign(math.sqrt(w * w + x * x + y * y + z * z), w if w != 0.0 else 1.0)
    return (w / length, x / length, y / length, z / length)


def hfov_deg(intrinsics: Any, width: int) -> float:
    """Return the horizontal field of view in degrees of a 3 x 3 matrix (its focal lengths are negative there)."""
    return math.degrees(2.0 * math.atan2(width / 2.0, abs(float(intrinsics[0][0]))))


def numbers_of(name: str, pose: Pose) -> Dict[str, float]:
    """Return a pose as plain numbers ``<name>.x`` ... ``<name>.qz``, for an observation's info."""
    values = (*pose.position, *pose.rotation)
    return {f"{name}.{part}": value for part, value in zip(("x", "y", "z", "qw", "qx", "qy", "qz"), values)}
