"""A map's path covers exactly its walkable cells; an episode's details are what its record and payload say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.contracts.actions import Vector
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.observations import TopDownMap
from harness.contracts.results import DecisionRecord, StepRecord
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


def test_an_arm_s_episode_shows_what_is_asked_its_plans_by_name_and_what_was_carried_out_in_words() -> None:
    goals = ((48.0, 61.0, 29.0, 120.0, 60.0, 34.0, 1.0), (52.0, 39.0, 18.0, 120.0, 60.0, 60.0, 0.0))
    hand = Pose((0.0, 1.0, 0.0), (0.5, 0.5, 0.5, -0.5))
    steps = tuple(StepRecord(Vector("discrete7", goal), hand, False, "", {}) for goal in goals)
    decision = DecisionRecord(0, 2, 2, 1, (-0.2, -0.1), -0.3, "", 0.2, 2, steps)
    trajectory = Trajectory("e", 0, "gtsim", "oracle", hand, "", (decision,), "oracle", 0.0, True)
    plans = [{"mistake": "offset", "size_cm": 5}, {"mistake": "right", "size_cm": 0}]
    episode = replace(toy_episode(0), payload={"words": "slide the block", "plans": plans})
    shown = trajectory_details(trajectory, episode)
    assert shown["words"] == "slide the block" and shown["decisions"][0]["plans"] == ["offset 5 cm", "right"]
    assert shown["decisions"][0]["words"] == ["to 48 61 29, turned 34, open", "to 52 39 18, turned 60, closed"]
    fewer = replace(trajectory, decisions=(replace(decision, ends=1, scores=(-0.1,), chosen=0),))
    assert trajectory_details(fewer, episode)["decisions"][0]["plans"] == []
    for strange in ({"plans": 3, "words": 5}, {"plans": [4]}, {"plans": [{}, {"mistake": 2, "size_cm": "x"}]}):
        found = trajectory_details(trajectory, replace(episode, payload=strange))
        assert found["words"] == "" and "right" not in found["decisions"][0]["plans"]
