"""Actions: the published voxels and bins become the pose that RLBench executes."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from harness.contracts.actions import Primitive, Vector, discrete7_space, ee_pose8_space
from harness.contracts.arm_poses import BOUNDS_HIGH, BOUNDS_LOW, from_euler
from harness.contracts.errors import Refusal
from images.rlbench.actions import (
    GripperPose,
    discrete_target,
    from_xyzw,
    pose_target,
    target_of,
    to_xyzw,
)

Voxel, Angle = st.integers(0, 100), st.integers(0, 120)


@given(voxels=st.tuples(Voxel, Voxel, Voxel), angles=st.tuples(Angle, Angle, Angle), gripper=st.integers(0, 1))
def test_a_discrete_action_is_the_published_pose(
    voxels: Tuple[int, int, int], angles: Tuple[int, int, int], gripper: int
) -> None:
    action = np.array(discrete_target([*map(float, voxels), *map(float, angles), float(gripper)]).rlbench_action())
    low, high = np.array(BOUNDS_LOW), np.array(BOUNDS_HIGH)
    size = (high - low) / 100
    assert np.allclose(action[:3], low + size * np.array(voxels) + size / 2)
    expected = Rotation.from_euler("xyz", np.array(angles) * 3.0 - 180.0, degrees=True)
    assert np.allclose(Rotation.from_quat(action[3:7]).as_matrix(), expected.as_matrix(), atol=1e-9)
    assert np.isclose(np.linalg.norm(action[3:7]), 1.0, atol=1e-12)
    assert action[7] == gripper


def test_the_corners_of_the_workspace() -> None:
    assert discrete_target((0, 0, 0, 60, 60, 60, 0)).position == pytest.approx((-0.295, -0.495, 0.605))
    assert discrete_target((99, 99, 99, 60, 60, 60, 0)).position == pytest.approx((0.695, 0.495, 1.595))
    assert discrete_target((100, 0, 0, 60, 60, 60, 0)).position[0] == pytest.approx(0.705)
    assert from_euler(0.0, 0.0, 0.0) == (1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((101, 0, 0, 0, 0, 0, 0), "x"),
        ((0, -1, 0, 0, 0, 0, 0), "y"),
        ((0, 0, 0.5, 0, 0, 0, 0), "z"),
        ((0, 0, 0, 121, 0, 0, 0), "roll"),
        ((0, 0, 0, 0, float("nan"), 0, 0), "pitch"),
        ((0, 0, 0, 0, 0, float("inf"), 0), "yaw"),
        ((0, 0, 0, 0, 0, 0, 2), "gripper"),
    ],
)
def test_a_number_outside_its_range_is_named(values: Tuple[float, ...], name: str) -> None:
    with pytest.raises(Refusal, match=rf"^{name} of a discrete7 action"):
        discrete_target(values)


def test_quaternions_change_their_order_both_ways() -> None:
    assert to_xyzw((0.1, 0.2, 0.3, 0.4)) == (0.2, 0.3, 0.4, 0.1)
    assert from_xyzw((0.0, 0.6, 0.0, 0.8)) == pytest.approx((0.8, 0.0, 0.6, 0.0))
    target = pose_target((0.3, 0.1, 1.0, 0.8, 0.0, 0.6, 0.0, 1.0))
    assert target == GripperPose((0.3, 0.1, 1.0), (0.8, 0.0, 0.6, 0.0), True)
    assert target.rlbench_action() == pytest.approx((0.3, 0.1, 1.0, 0.0, 0.6, 0.0, 0.8, 1.0))


@given(gripper=st.floats(0.0, 1.0))
def test_the_gripper_opens_above_one_half(gripper: float) -> None:
    assert pose_target((0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, gripper)).open == (gripper > 0.5)


@pytest.mark.parametrize(
    "values",
    [
        (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 1.0),
        (0.0, 0.0, float("nan"), 1.0, 0.0, 0.0, 0.0, 1.0),
        (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.5),
    ],
)
def test_a_pose_that_is_none_is_refused(values: Tuple[float, ...]) -> None:
    with pytest.raises(Refusal, match="ee_pose8"):
        pose_target(values)


def test_a_slightly_rounded_quaternion_is_brought_to_length_one() -> None:
    target = pose_target((0.0, 0.0, 1.0, 0.7072, 0.7072, 0.0, 0.0, 0.0))
    assert sum(v * v for v in target.rotation) == pytest.approx(1.0, abs=1e-15)


def test_spaces_allow_their_own_vectors_alone() -> None:
    seven, eight = Vector("discrete7", (0.0,) * 7), Vector("ee_pose8", (0.0,) * 8)
    assert discrete7_space().allows(seven) and not discrete7_space().allows(eight)
    assert ee_pose8_space().allows(eight) and not ee_pose8_space().allows(Primitive("forward", 0.2))
    for wrong in (Primitive("forward", 0.2), Vector("joints", (0.0,) * 7)):
        with pytest.raises(Refusal, match="discrete7, ee_pose8"):
            target_of(wrong)
