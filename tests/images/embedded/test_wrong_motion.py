"""Motion with planted errors, walked in the tiny home."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Candidate, Primitive
from harness.contracts.errors import Refusal
from harness.contracts.motion_errors import NO_ERROR, MotionError
from harness.contracts.observations import ViewRequest
from images.embedded.cameras import heading_sincos
from images.embedded.motion import Body
from images.embedded.navigation import Navigator
from images.embedded.wrong_motion import WrongMotion
from tests.images.embedded.tiny_environment import TinyEnvironment, tiny_episode
from tests.images.embedded.tiny_home import tiny_home

GO = Primitive(FORWARD, 0.2)
LEFT = Primitive(TURN_LEFT, 22.5)
RIGHT = Primitive(TURN_RIGHT, 22.5)
HALT = Primitive(STOP, 0.0)
NAVIGATOR = Navigator(tiny_home())
FREE = Body(2.0, 2.0, 0)

actions = st.lists(st.sampled_from([GO, GO, GO, LEFT, RIGHT, HALT]), max_size=12).map(tuple)


def bodies(error: MotionError, walk: tuple[Primitive, ...], seed: int = 0, body: Body = FREE) -> list[Body]:
    return WrongMotion(NAVIGATOR, error).bodies(body, walk, range(len(walk) + 1), seed)


def truth(walk: tuple[Primitive, ...], body: Body = FREE) -> list[Body]:
    found = [body]
    for action in walk:
        found.append(NAVIGATOR.move(found[-1], action)[0])
    return found


@given(walk=actions, seed=st.integers(0, 2**64 - 1))
@settings(deadline=None, max_examples=60)
def test_without_an_error_it_is_the_true_motion(walk: tuple[Primitive, ...], seed: int) -> None:
    assert bodies(NO_ERROR, walk, seed) == truth(walk)


@given(scale=st.floats(0.0, 1.5), turns=st.integers(0, 15), error=st.floats(-45.0, 45.0))
@settings(deadline=None, max_examples=60)
def test_a_free_forward_is_as_long_and_as_wrong_as_the_error_says(scale: float, turns: int, error: float) -> None:
    before, after = bodies(MotionError(scale, error), (LEFT,) * turns + (GO,))[-2:]
    sine, cosine = heading_sincos(before.yaw_deg + error)
    assert after.x == pytest.approx(before.x - 0.2 * scale * sine, abs=1e-9)
    assert after.z == pytest.approx(before.z - 0.2 * scale * cosine, abs=1e-9)
    assert after.heading == before.heading == turns % 16


@given(walk=actions, scale=st.floats(0.0, 4.0), error=st.floats(-180.0, 180.0), jitter=st.floats(0.0, 2.0))
@settings(deadline=None, max_examples=60)
def test_obstacles_hold_every_error_that_does_not_pass_through_them(
    walk: tuple[Primitive, ...], scale: float, error: float, jitter: float
) -> None:
    for body in bodies(MotionError(scale, error, jitter_m=jitter), walk, 3):
        assert NAVIGATOR.is_navigable((body.x, 0.0, body.z))


def test_through_obstacles_nothing_blocks() -> None:
    walk = (GO,) * 20
    end, held = bodies(MotionError(through_obstacles=True), walk)[-1], truth(walk)[-1]
    assert end.z == pytest.approx(FREE.z - 4.0) and end.x == FREE.x
    assert not NAVIGATOR.is_navigable((end.x, 0.0, end.z))
    assert held.z > end.z + 1.0


def test_jitter_displaces_views_after_the_first_forward_and_never_the_walk() -> None:
    walk = (LEFT, GO, HALT, GO, RIGHT)
    true, seen = truth(walk), bodies(MotionError(jitter_m=0.1), walk, 5)
    assert seen[:2] == true[:2]
    assert all(a != b for a, b in zip(seen[2:], true[2:]))
    for frame in range(2, 6):
        x, z = MotionError(jitter_m=0.1).displacement(5, frame)
        assert math.isclose(seen[frame].x, true[frame].x + x, abs_tol=1e-9)
        assert math.isclose(seen[frame].z, true[frame].z + z, abs_tol=1e-9)


def test_a_frame_does_not_depend_on_the_others_that_are_wanted() -> None:
    walk, motion = (GO, GO, LEFT, GO), WrongMotion(NAVIGATOR, MotionError(jitter_m=0.4))
    whole = motion.bodies(FREE, walk, range(5), 9)
    assert [motion.bodies(FREE, walk, (frame,), 9)[0] for frame in range(5)] == whole
    assert motion.bodies(FREE, walk, (4,), 10)[0] != whole[4]


def test_the_environment_imagines_wrongly_without_moving() -> None:
    environment = TinyEnvironment()
    start = environment.reset(tiny_episode(), 0, [ViewRequest("pano")])
    walk = Candidate((GO, GO, GO, GO))
    (half,) = environment.imagine_wrongly([walk], "pano", [(2, 4)], MotionError(0.5), [1])
    (right,) = environment.imagine([walk], "pano", [(1, 2)])
    assert np.array_equal(half.rgb, right.rgb)
    (inside,) = environment.imagine_wrongly([Candidate((GO,) * 40)], "pano", [(40,)], MotionError(4.0, 0.0, True), [1])
    assert inside.rgb.shape == (1, 128, 256, 3)
    assert environment.step([HALT], [])[0].pose == start.pose


def test_wrong_requests_are_refused() -> None:
    environment = TinyEnvironment()
    environment.reset(tiny_episode(), 0, [])
    with pytest.raises(Refusal, match="2 candidates came with 1 seeds"):
        list(environment.imagine_wrongly([Candidate((GO,))] * 2, "pano", [(1,)] * 2, MotionError(0.5), [1]))
    with pytest.raises(Refusal, match="not in the space"):
        fly = Candidate((Primitive("fly", 1.0),))
        list(environment.imagine_wrongly([fly], "pano", [(1,)], MotionError(0.5), [1]))


def test_rollout_poses_are_where_executing_leads() -> None:
    environment = TinyEnvironment()
    environment.reset(tiny_episode(), 0, [])
    walks = [Candidate((LEFT,) * 3 + (GO,) * 9), Candidate((GO, RIGHT, GO))]
    poses = environment.rollout_poses(walks, [(0, 5, 12), (3,)])
    assert [len(rollout) for rollout in poses] == [3, 1]
    for walk, frames, rollout in zip(walks, [(0, 5, 12), (3,)], poses):
        fresh = TinyEnvironment()
        start = fresh.reset(tiny_episode(), 0, [])
        seen = [start, *fresh.step(walk.actions, [])]
        assert [seen[frame].pose for frame in frames] == list(rollout)
