"""Motion as published: 0.20 m forward, 22.5 degree turns, sliding, no noise."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Primitive, Vector
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.errors import Refusal
from images.embedded.motion import Body, body_at, move

GO = Primitive(FORWARD, 0.2)
LEFT = Primitive(TURN_LEFT, 22.5)
RIGHT = Primitive(TURN_RIGHT, 22.5)

OPEN = np.ones((100, 100), np.bool_)
"""5 m x 5 m, free everywhere; its corner is at (-2.5, -2.5)."""

CORRIDOR = np.zeros((100, 100), np.bool_)
CORRIDOR[40:60] = True
ORIGIN = (-2.5, -2.5)


def run(body: Body, actions: List[Primitive], area: np.ndarray = OPEN) -> Body:  # type: ignore[type-arg]
    for action in actions:
        body, _ = move(body, action, area, ORIGIN, 0.05)
    return body


@pytest.mark.parametrize(("heading", "x", "z"), [(0, 0.0, -0.2), (4, -0.2, 0.0), (8, 0.0, 0.2), (12, 0.2, 0.0)])
def test_forward_goes_where_the_body_looks(heading: int, x: float, z: float) -> None:
    body = run(Body(0.0, 0.0, heading), [GO])
    assert (body.x, body.z) == pytest.approx((x, z), abs=1e-12)


def test_left_is_counter_clockwise_from_above() -> None:
    assert run(Body(0.0, 0.0, 0), [LEFT]).yaw_deg == 22.5
    assert run(Body(0.0, 0.0, 0), [RIGHT]).yaw_deg == -22.5


@given(st.floats(-180.0, 180.0), st.lists(st.sampled_from([LEFT, RIGHT]), max_size=20))
@settings(max_examples=50, deadline=None)
def test_sixteen_turns_come_home_exactly(yaw: float, turns: List[Primitive]) -> None:
    body = run(body_at(Pose((0.3, 0.0, 0.1), yaw_to_quaternion(yaw))), turns)
    assert run(body, [LEFT] * 16) == body
    assert run(body, [RIGHT] * 16) == body
    assert run(body, [LEFT, RIGHT]) == body


@given(st.integers(0, 15))
def test_poses_of_compass_headings_survive_the_quaternion(heading: int) -> None:
    body = Body(0.1, -0.2, heading)
    assert body_at(body.pose()) == body


def test_a_free_forward_does_not_collide() -> None:
    assert move(Body(0.0, 0.0, 3), GO, OPEN, ORIGIN, 0.05)[1] is False


def test_a_wall_at_a_slant_is_slid_along() -> None:
    body, collided = move(Body(0.0, -0.45, 2), GO, CORRIDOR, ORIGIN, 0.05)
    assert collided
    assert body.z >= -0.5
    assert body.x == pytest.approx(-0.2 * np.sin(np.pi / 4), abs=1e-9)


def test_a_wall_ahead_blocks() -> None:
    body, collided = move(Body(0.0, -0.49, 0), GO, CORRIDOR, ORIGIN, 0.05)
    assert collided
    assert (body.x, body.z) == (0.0, -0.49)


def test_stop_moves_nothing() -> None:
    body = Body(0.0, 0.0, 5, 1.5)
    assert move(body, Primitive(STOP, 0.0), OPEN, ORIGIN, 0.05) == (body, False)


@pytest.mark.parametrize("action", [Primitive(FORWARD, 0.25), Primitive("jump", 0.2), Vector("navigation", (0.2,))])
def test_other_actions_are_refused(action: Primitive) -> None:
    with pytest.raises(Refusal, match=r"Allowed: forward 0\.2"):
        move(Body(0.0, 0.0, 0), action, OPEN, ORIGIN, 0.05)


@given(st.integers(0, 15), st.floats(-2.4, 2.4), st.floats(-0.49, 0.49), st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_the_body_never_leaves_the_area(heading: int, x: float, z: float, steps: int) -> None:
    body = run(Body(x, z, heading), [GO] * steps, CORRIDOR)
    assert -0.5 - 1e-9 <= body.z <= 0.5 + 1e-9
    assert -2.5 <= body.x <= 2.5
