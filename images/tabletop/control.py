"""Moves the tip to a pose: a straight line and an even turn, followed by damped least squares (Wampler 1986).

Every tick asks the joint servos for a small step towards the next place of the line. All sums are taken in one order
and the small system is solved by MuJoCo's own Cholesky factorisation: numpy's go through BLAS, whose bits differ
between CPUs.
"""

from __future__ import annotations

import math
from typing import Any, Callable, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import Quaternion
from images.rlbench.actions import GripperPose
from images.rlbench.frames import from_matrix
from images.tabletop.arm import FINGER_OPEN_M
from images.tabletop.physics import World

SPEED_M, TURN = 0.012, 0.08
"""How far the line goes in one tick: metres, and radians."""

MOST_TICKS = 150
"""What one action may take: 6 s of the world's time."""

REACHED_M, REACHED = 0.006, 0.05
"""How near to the pose an action must come not to be blocked: metres, and radians."""

_EXACT_M, _EXACT = 0.0015, 0.0125
"""An action ends early once it is this near."""

_LAG_M, _LAG = 0.02, 0.15
"""The line waits where the arm is further behind."""

_SETTLE_TICKS = 25
_GRIPPER_TICKS = 14
_DAMPING = 1e-3
_GAINS = (2.0, 2.0, 2.0, 2.0, 1.6, 1.6, 1.6)
_MOST_STEP = 0.05
"""The servos are asked to go further than they shall in one tick, since they need some ticks to get anywhere. A step
is at most so many radians; all joints' steps are shortened alike, so that the tip stays on its line."""

_ELBOW, _UPRIGHT = 2, 0.15
"""The arm has one joint more than a pose needs: this one is drawn back to 0, so that the elbow stays up."""
Matrix = Sequence[Sequence[float]]


class Controller:
    """Carries out one end-effector pose at a time in a `World`; the gripper is part of its state."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jacobian_p: npt.NDArray[np.float64] = np.zeros((3, world.model.nv))
        self._jacobian_r: npt.NDArray[np.float64] = np.zeros((3, world.model.nv))
        self.gripper_open = True

    def carry_out(self, target: GripperPose, watch: Callable[[], None]) -> bool:
        """Move to ``target``, then open or close the gripper; say whether the pose was reached.

        ``watch`` is called after every tick. Where something is in the way, the arm pushes until its time is over.
        """
        start, turn = self.pose()
        goal = target.rotation if _dot(turn, target.rotation) >= 0.0 else _negative(target.rotation)
        gap = [b - a for a, b in zip(start, target.position)]
        parts = max(math.ceil(_length(gap) / SPEED_M), math.ceil(2.0 * _chord(turn, goal) / TURN), 1)
        part = settled = 0
        for _ in range(MOST_TICKS):
            place = [a + part / parts * g for a, g in zip(start, gap)]
            if part < parts and self._near(place, _blended(turn, goal, part / parts), _LAG_M, _LAG):
                part += 1
                place = [a + part / parts * g for a, g in zip(start, gap)]
            self._tick(place, _blended(turn, goal, part / parts))
            watch()
            settled += part == parts
            if settled > _SETTLE_TICKS or (settled and self._near(target.position, goal, _EXACT_M, _EXACT)):
                break
        reached = self._near(target.position, goal, REACHED_M, REACHED)
        if target.open != self.gripper_open:
            self.gripper_open = target.open
            for _ in range(_GRIPPER_TICKS):
                self._tick(target.position if reached else self.pose()[0], goal)
                watch()
        return reached

    def pose(self) -> Tuple[List[float], Quaternion]:
        """Return the tip's position and rotation."""
        place, rotation = self._world.tip_pose()
        return place.tolist(), from_matrix(rotation.tolist())

    def _near(self, position: Sequence[float], rotation: Quaternion, metres: float, radians: float) -> bool:
        place, turn = self.pose()
        turn = turn if _dot(turn, rotation) >= 0.0 else _negative(turn)
        near = _length([b - a for a, b in zip(place, position)]) <= metres
        return near and 2.0 * _chord(turn, rotation) <= radians

    def _tick(self, position: Sequence[float], rotation: Quaternion) -> None:
        world = self._world
        now, axes = world.tip_pose()
        error = [b - a for a, b in zip(now.tolist(), position)] + _turn_between(axes.tolist(), _matrix(rotation))
        here = world.data.qpos[world.arm_qpos].tolist()
        steps = self._joint_steps(error, -_UPRIGHT * here[_ELBOW])
        shortened = min(1.0, _MOST_STEP / max(max(abs(step) for step in steps), 1e-9))
        wanted = [
            min(max(q + shortened * gain * step, low), high)
            for q, gain, step, (low, high) in zip(here, _GAINS, steps, world.arm_range.tolist())
        ]
        gap = FINGER_OPEN_M if self.gripper_open else 0.0
        world.advance([*wanted, gap, gap])

    def _joint_steps(self, error: Sequence[float], elbow: float) -> List[float]:
        """Return d + J^T (J J^T + damping)^-1 (error - J d), where d moves the elbow's joint alone."""
        world: Any = self._world
        world.engine.mj_jacSite(world.model, world.data, self._jacobian_p, self._jacobian_r, world.tip)
        rows = [*self._jacobian_p[:, world.arm_dofs].tolist(), *self._jacobian_r[:, world.arm_dofs].tolist()]
        system = np.array([[_sum_of_products(a, b) for b in rows] for a in rows])
        for k in range(6):
            system[k, k] += _DAMPING
        world.engine.mju_cholFactor(system, 1e-12)
        solved = np.zeros(6)
        world.engine.mju_cholSolve(solved, system, np.array([e - row[_ELBOW] * elbow for e, row in zip(error, rows)]))
        weights = solved.tolist()
        steps = [_sum_of_products(column, weights) for column in zip(*rows)]
        steps[_ELBOW] += elbow
        return steps


def _sum_of_products(a: Sequence[float], b: Sequence[float]) -> float:
    total = 0.0
    for x, y in zip(a, b):
        total += x * y
    return total


def _length(vector: Sequence[float]) -> float:
    return math.sqrt(_sum_of_products(vector, vector))


def _dot(a: Quaternion, b: Quaternion) -> float:
    return _sum_of_products(a, b)


def _negative(q: Quaternion) -> Quaternion:
    return (-q[0], -q[1], -q[2], -q[3])


def _chord(a: Quaternion, b: Quaternion) -> float:
    """Return the distance of two unit quaternions: half the angle between them, nearly."""
    return _length([x - y for x, y in zip(a, b)])


def _blended(a: Quaternion, b: Quaternion, share: float) -> Quaternion:
    mixed = [x + share * (y - x) for x, y in zip(a, b)]
    length = _length(mixed)
    if length < 1e-6:  # half a turn: any way round is as good
        return b
    return (mixed[0] / length, mixed[1] / length, mixed[2] / length, mixed[3] / length)


def _matrix(q: Quaternion) -> Matrix:
    w, x, y, z = q
    return (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        (2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        (2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )


def _turn_between(now: Matrix, wanted: Matrix) -> List[float]:
    """Return half the sum of the cross products of the axes: the turn that is missing, as a vector."""
    total = [0.0, 0.0, 0.0]
    for axis in range(3):
        a = [row[axis] for row in now]
        b = [row[axis] for row in wanted]
        total[0] += a[1] * b[2] - a[2] * b[1]
        total[1] += a[2] * b[0] - a[0] * b[2]
        total[2] += a[0] * b[1] - a[1] * b[0]
    return [0.5 * part for part in total]
