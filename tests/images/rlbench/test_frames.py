"""Frames: RLBench's world and cameras in this project's axes."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from harness.contracts.cameras import Quaternion
from images.rlbench.actions import from_xyzw
from images.rlbench.frames import (
    CAMERA_FLIP,
    WORLD,
    camera_pose,
    from_matrix,
    gripper_pose,
    hfov_deg,
    multiply,
    to_world,
)

Unit = st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: sum(v * v for v in q) > 0.01)


def rotate(rotation: Quaternion, vector: Sequence[float]) -> npt.NDArray[np.float64]:
    w, x, y, z = rotation
    turned: npt.NDArray[np.float64] = Rotation.from_quat([x, y, z, w]).apply(np.array(vector, float))
    return turned


def test_away_from_the_robot_is_forward() -> None:
    assert np.allclose(rotate(WORLD, (1, 0, 0)), (0, 0, -1))
    assert np.allclose(rotate(WORLD, (0, 1, 0)), (-1, 0, 0))
    assert np.allclose(rotate(WORLD, (0, 0, 1)), (0, 1, 0))
    assert to_world((1.0, 2.0, 3.0)) == (-2.0, 3.0, -1.0)


def test_a_camera_looks_along_its_back_axis() -> None:
    """CoppeliaSim: z is where the camera looks, y up, x left; here -z, y up, x right."""
    assert np.allclose(rotate(CAMERA_FLIP, (0, 0, -1)), (0, 0, 1))
    assert np.allclose(rotate(CAMERA_FLIP, (1, 0, 0)), (-1, 0, 0))
    looking_away = np.eye(4)
    looking_away[:3, :3] = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)  # columns: left, up, ahead
    assert np.allclose(rotate(camera_pose(looking_away).rotation, (0, 0, -1)), (0, 0, -1))
    assert np.allclose(rotate(camera_pose(looking_away).rotation, (0, 1, 0)), (0, 1, 0))


@given(a=Unit, b=Unit)
def test_products_and_matrices_agree_with_scipy(a: Any, b: Any) -> None:
    first, second = Rotation.from_quat(a), Rotation.from_quat(b)
    ours = multiply(from_xyzw(a), from_xyzw(b))
    expected = (first * second).as_matrix()
    assert np.allclose(Rotation.from_quat([*ours[1:], ours[0]]).as_matrix(), expected, atol=1e-9)
    back = from_matrix(expected.tolist())
    assert back[0] >= 0.0 and sum(v * v for v in back) == pytest.approx(1.0)
    assert np.allclose(Rotation.from_quat([*back[1:], back[0]]).as_matrix(), expected, atol=1e-7)


def test_the_tip_of_the_gripper_keeps_its_axes() -> None:
    pose = gripper_pose((0.3, 0.1, 1.0, 0.0, 1.0, 0.0, 0.0))  # half a turn about y: the tip points down
    assert pose.position == (-0.1, 1.0, -0.3)
    assert np.allclose(rotate(pose.rotation, (0, 0, 1)), (0, -1, 0))


def test_the_field_of_view_comes_from_the_focal_length() -> None:
    assert hfov_deg([[-175.83856, 0, 64], [0, -175.83856, 64], [0, 0, 1]], 128) == pytest.approx(40.0, abs=1e-4)
