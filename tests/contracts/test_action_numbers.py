"""Actions as numbers: golden values of ids, motions, normalised deltas and arm poses."""

from __future__ import annotations

import math

import pytest

from harness.contracts.action_numbers import action_ids, motions, normalised_deltas
from harness.contracts.actions import Primitive, Vector
from harness.contracts.arm_poses import interpolated, slerp, ten_numbers
from harness.contracts.errors import Refusal

AHEAD, LEFT, RIGHT = Primitive("forward", 0.2), Primitive("turn_left", 22.5), Primitive("turn_right", 22.5)
HALF = math.sqrt(0.5)
PRESENT = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0)
TURNED = (0.4, 0.2, 0.5, HALF, 0.0, 0.0, HALF, 0.0)
"""A quarter turn about z, with the gripper closed."""


def test_ids_begin_with_the_null_action_and_are_filled_up_with_forwards() -> None:
    assert action_ids((AHEAD, AHEAD, RIGHT, LEFT), 13) == (4, 1, 1, 3, 2, *[1] * 9)
    assert action_ids((LEFT, Primitive("stop", 0.0))) == (4, 2, 4)
    assert len(action_ids((), 13)) == 14
    with pytest.raises(Refusal, match="14 actions do not fit into 13"):
        action_ids([AHEAD] * 14, 13)
    with pytest.raises(Refusal, match="has no id"):
        action_ids((Vector("ee_pose8", (0.0,) * 8),))


def test_motions_are_seen_by_the_body() -> None:
    assert motions((AHEAD, LEFT, AHEAD, RIGHT)) == ((0.2, 0, 0), (0, 0, 22.5), (0.2, 0, 0), (0, 0, -22.5))


def test_deltas_of_a_navigation_world_model() -> None:
    # (0.2 / 0.25 + 2.5) / 7.5 * 2 - 1 = -0.12; no motion to the side is the middle of -4..4.
    (ahead, side, yaw), (still, _, left) = normalised_deltas(motions((AHEAD, LEFT)), 0.25, (-2.5, -4.0), (5.0, 4.0))
    assert (round(ahead, 12), side, yaw) == (-0.12, 0.0, 0.0)
    assert round(still, 12) == round(-1.0 / 3.0, 12)
    assert left == 22.5 * (math.pi / 180.0)
    with pytest.raises(Refusal, match="low below high"):
        normalised_deltas((), 0.25, (1.0, 1.0), (1.0, 2.0))


def test_ten_numbers_of_a_gripper() -> None:
    assert ten_numbers(PRESENT) == (0, 0, 1, 1, 0, 0, 0, 1, 0, 1)
    assert [round(v, 12) for v in ten_numbers(TURNED)] == [0.4, 0.2, 0.5, 0, 1, 0, -1, 0, 0, 0]
    with pytest.raises(Refusal, match="no unit quaternion"):
        ten_numbers((0.0,) * 8)
    with pytest.raises(Refusal, match="8 numbers, not 7"):
        ten_numbers((0.0,) * 7)


def test_an_arm_path_is_straight_turns_evenly_and_switches_the_gripper_at_goals() -> None:
    path = interpolated(PRESENT, (TURNED, (*PRESENT[:7], 0.0)), frames=14)
    assert path.anchors == (6, 13)
    assert len(path.poses) == 14
    assert path.poses[0] == PRESENT
    assert path.poses[6] == TURNED
    third = path.poses[2]
    expected = (0.4 / 3, 0.2 / 3, 1 - 0.5 / 3, math.cos(math.pi / 12), 0, 0, math.sin(math.pi / 12), 1.0)
    assert third == pytest.approx(expected, abs=1e-12)
    assert [pose[7] for pose in path.poses] == [1.0] * 6 + [0.0] * 8


def test_an_arm_path_of_as_many_goals_as_steps_reaches_one_a_frame() -> None:
    path = interpolated(PRESENT, [TURNED] * 13)
    assert path.anchors == tuple(range(1, 14))
    with pytest.raises(Refusal, match="14 goals do not fit"):
        interpolated(PRESENT, [TURNED] * 14)


def test_rotations_take_the_shorter_way() -> None:
    negative = tuple(-part for part in TURNED[3:7])
    assert slerp(PRESENT[3:7], negative, 0.5) == pytest.approx((math.cos(math.pi / 8), 0, 0, math.sin(math.pi / 8)))
    assert slerp(TURNED[3:7], TURNED[3:7], 0.3) == TURNED[3:7]
