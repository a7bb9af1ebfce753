"""A map's path covers exactly its walkable cells."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.observations import TopDownMap
from harness.contracts.trajectories import Trajectory
from harness.records.episode_files import MapInfo
from harness.records.pictures import map_png
from harness.reporting.details import map_shape, rectangles_path, trajectory_details
from tests.planning.toy import toy_episode
from tests.reporting.synthetic_folder import home_map

RECTANGLE = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z")


def painted(path: str, shape: tuple[int, ...]) -> npt.NDArray[np.int_]:
    """Return how often each cell is covered by the rectangles of ``path``."""
    cells = np.zeros(shape, np.int_)
    for found in RECTANGLE.finditer(path):
        x, y, width, height, back = map(int, found.groups())
        assert width == back
        cells[y : y + height, x : x + width] += 1
    return cells


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
@settings(max_examples=100, deadline=None)
def test_each_walkable_cell_is_covered_once_and_no_other(walkable: npt.NDArray[np.bool_]) -> None:
    assert np.array_equal(painted(rectangles_path(walkable), walkable.shape), walkable.astype(np.int_))


def test_a_home_takes_few_bytes_and_survives_its_png() -> None:
    top_down: TopDownMap = home_map()
    shape = map_shape(map_png(top_down), MapInfo(top_down.origin, top_down.cell_m, 200, 200))
    assert shape is not None and len(shape.path) < 500
    assert np.array_equal(painted(shape.path, (200, 200)), top_down.walkable.astype(np.int_))


def test_what_stands_upright_has_a_heading_and_a_hand_that_points_down_has_none() -> None:
    for rotation, heading in ((yaw_to_quaternion(90.0), 90.0), ((0.5, 0.5, 0.5, -0.5), 0.0)):
        start = Pose((1.0, 0.9, 2.0), rotation)
        trajectory = Trajectory("e", 0, "none", "oracle", start, "", (), "budget", 1.0, False)
        assert trajectory_details(trajectory, toy_episode(0))["start"] == [1.0, 2.0, heading]
