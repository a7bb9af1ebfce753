"""The liveness gate catches every planted dead frame and believes every real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts.actions import FORWARD, STOP, TURN_LEFT, TURN_RIGHT, Action, Candidate, Primitive
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.episodes import Episode
from harness.contracts.errors import DeadFrame
from harness.contracts.folders import cache_root
from harness.contracts.motion_errors import MotionError
from harness.contracts.observations import ViewRequest
from harness.running.frame_checks import LivenessGate, check_frame
from images.embedded.cache import HomeCache
from images.embedded.environment import EmbeddedEnvironment, Scene, make_scene
from images.embedded.mesh import Home
from tests.image_goals import changed, goal_of
from tests.images.embedded.tiny_environment import TinyEnvironment, tiny_episode
from tests.running.planted import PlantedEnvironment

VIEWS = [ViewRequest("pano"), ViewRequest("front")]
LEFT, RIGHT, AHEAD, STAY = (
    Primitive(TURN_LEFT, 22.5),
    Primitive(TURN_RIGHT, 22.5),
    Primitive(FORWARD, 0.2),
    Primitive(STOP, 0.0),
)
MOVES = st.lists(st.sampled_from([LEFT, AHEAD]), min_size=2, max_size=14)
"""Left turns and forwards only: at most 14, so that no heading comes twice and every pose is new unless blocked."""


def gate_with(**faults: object) -> LivenessGate:
    return LivenessGate(PlantedEnvironment(**faults))


def begin(gate: LivenessGate, episode: Episode, views: Sequence[ViewRequest]) -> None:
    gate.reset(episode, 0, views)
    gate.render([goal_of(episode).goal], [ViewRequest("front")])


def walk(gate: LivenessGate, actions: Sequence[Action], scene: str = "tiny") -> None:
    begin(gate, tiny_episode(scene=scene), VIEWS)
    gate.step(actions, VIEWS)


@pytest.mark.parametrize(("fault", "named"), [("black", "black"), ("nearly_black", "black"), ("constant", "constant")])
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_every_undrawn_frame_is_caught_at_once(fault: str, named: str, data: st.DataObject) -> None:
    actions = data.draw(MOVES)
    at = data.draw(st.integers(0, len(actions)))
    with pytest.raises(DeadFrame, match=f"^{named} frame, camera '(pano|front)': step {at} of tiny-00") as caught:
        walk(gate_with(fault=fault, at=at), actions)
    assert "benchmark.py doctor" in caught.value.next_step


@settings(deadline=None, max_examples=40)
@given(actions=MOVES, data=st.data())
def test_every_frozen_frame_is_caught_where_the_pose_changed(actions: list[Action], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(actions)))
    poses = poses_of(actions)
    if poses[at] == poses[at - 1]:
        walk(gate_with(fault="frozen", at=at), actions)  # blocked: the same frame is the true one
    else:
        with pytest.raises(DeadFrame, match=f"^frozen frame, camera 'pano': step {at} of .* bytes of step {at - 1} "):
            walk(gate_with(fault="frozen", at=at), actions)


@settings(deadline=None, max_examples=30)
@given(actions=MOVES, data=st.data())
def test_every_stale_frame_is_caught(actions: list[Action], data: st.DataObject) -> None:
    poses = poses_of(actions)
    moved = [at for at in range(2, len(poses)) if poses[at] != poses[0]]
    if moved:
        at = data.draw(st.sampled_from(moved))
        first_repeat = poses[at - 1] == poses[0]
        with pytest.raises(DeadFrame, match="frozen" if first_repeat else f"^stale .*step {at} of .* of step 0 "):
            walk(gate_with(fault="stale", at=at), actions)


@cache
def _tiny() -> TinyEnvironment:
    return TinyEnvironment()


def poses_of(actions: Sequence[Action]) -> list[Pose]:
    first = _tiny().reset(tiny_episode(), 0, [])
    return [first.pose, *(seen.pose for seen in _tiny().step(actions, []))]


def test_the_bytes_of_the_episode_before_are_stale() -> None:
    gate = gate_with(fault="stale", at=3)
    walk(gate, [LEFT, AHEAD])
    with pytest.raises(DeadFrame, match=r"^stale frame, camera 'pano': step 0 of .* in other .* step 0 of .* in tiny"):
        walk(gate, [LEFT], scene="other")


def test_the_same_pose_in_the_same_scene_may_look_the_same_again() -> None:
    gate = LivenessGate(TinyEnvironment())
    for _ in range(2):
        walk(gate, [LEFT, RIGHT, STAY, AHEAD, *[AHEAD] * 60])  # the last ones are blocked by a wall


@pytest.mark.parametrize("fault", ["black", "nearly_black", "constant"])
def test_undrawn_rendered_views_are_caught(fault: str) -> None:
    with pytest.raises(DeadFrame, match="rendered view 'front'"):
        walk(gate_with(rendered_fault=fault), [])


def test_the_rendered_view_of_another_pose_is_stale() -> None:
    gate = gate_with(rendered_fault="stale")
    walk(gate, [])
    walk(gate, [])  # the same pose: the same view
    other = changed(tiny_episode(), goal=Pose((2.0, 0.0, 3.0), yaw_to_quaternion(0.0)))
    with pytest.raises(DeadFrame, match=r"^stale frame, rendered view 'front'"):
        begin(gate, other, VIEWS)


CANDIDATES = [Candidate((LEFT, AHEAD, AHEAD)), Candidate((RIGHT,) * 3), Candidate((AHEAD, LEFT, RIGHT))]
FRAMES = [(0, 1, 3), (2,), (1, 2, 3)]


@pytest.mark.parametrize(("fault", "named"), [("black", "black"), ("constant", "constant"), ("frozen", "frozen")])
def test_dead_imagined_frames_are_caught(fault: str, named: str) -> None:
    gate = gate_with(imagined_fault=fault)
    walk(gate, [AHEAD, LEFT])
    with pytest.raises(DeadFrame, match=f"^{named} frame, camera 'pano', frame [01] of rollout 0: .* after step 2"):
        list(gate.imagine(CANDIDATES, "pano", FRAMES))


def test_imagined_frames_of_another_scene_are_stale() -> None:
    gate = gate_with(imagined_fault="stale")
    walk(gate, [LEFT])
    environment = gate._environment
    assert isinstance(environment, PlantedEnvironment)
    old = environment._shown["pano"][-1]
    gate.reset(replace(tiny_episode(scene="other"), start=Pose((6.5, 0.0, 2.0), yaw_to_quaternion(0.0))), 0, VIEWS)
    environment._shown["pano"].append(old)
    with pytest.raises(DeadFrame, match=r"^stale frame, camera 'pano', frame 0"):
        list(gate.imagine(CANDIDATES, "pano", FRAMES))


def test_real_rollouts_pass_and_are_the_environments_own() -> None:
    gate = LivenessGate(TinyEnvironment())
    walk(gate, [AHEAD])
    walk_again = TinyEnvironment()
    walk_again.reset(tiny_episode(), 0, VIEWS)
    walk_again.step([AHEAD], VIEWS)
    for one, other in zip(
        gate.imagine(CANDIDATES, "pano", FRAMES), walk_again.imagine(CANDIDATES, "pano", FRAMES), strict=True
    ):
        assert np.array_equal(one.rgb, other.rgb)


@settings(max_examples=200)
@given(height=st.integers(1, 70), width=st.integers(1, 70), data=st.data())
def test_one_bright_enough_spot_anywhere_decides(height: int, width: int, data: st.DataObject) -> None:
    """The sample never convicts or misses: a frame is judged as if every pixel were read."""
    value = data.draw(st.integers(0, 255))
    frame = np.full((height, width, 3), value, np.uint8)
    with pytest.raises(DeadFrame, match="^black" if value <= 3 else "^constant"):
        check_frame("camera 'x'", frame, "here")
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    frame[row, column] = 255 - value
    if height * width > 1 and value > 3:
        check_frame("camera 'x'", frame, "here")


def test_a_dark_room_is_no_black_frame() -> None:
    """An unlit room of readings 0 to 6: no picture to be proud of, but one."""
    dark = np.random.default_rng(0).integers(0, 7, (128, 256, 3)).astype(np.uint8)
    check_frame("camera 'pano'", dark, "here")


class OneHome(EmbeddedEnvironment):
    """An environment that keeps the scene it was made with."""

    def __init__(self, home: Home) -> None:
        super().__init__("no cache of homes is needed")
        self._home = home

    def load_home(self, name: str) -> Home:
        """Return the home."""
        return self._home


def count_false_alarms(scene: Scene, home: Home, walks: int, seed: int, large: bool = False) -> tuple[int, int]:
    """Walk at random, mostly along walls, behind the gate; return (frames looked at, false alarms).

    A walk turns to a random heading, goes ahead until it is blocked and beyond, and looks around there: an agent with
    its nose on a wall.
    """
    draws = np.random.default_rng(seed)
    gate = LivenessGate(OneHome(home))
    views = [*VIEWS, ViewRequest("pano_large")] if large else VIEWS
    frames = alarms = 0
    for number in range(walks):
        start, goal = (scene.navigator.sample(draws) for _ in range(2))
        turns = [LEFT] * int(draws.integers(0, 16))
        actions = [*turns, *[AHEAD] * int(draws.integers(5, 40)), *[RIGHT] * 6, *[LEFT] * 9, AHEAD]
        episode = replace(
            tiny_episode(start, 22.5 * float(draws.integers(0, 16)), goal), id=f"walk-{number}", scene=scene.name
        )
        try:
            begin(gate, episode, views)
            frames += len(views) + 1
            frames += len(views) * len(gate.step(actions, views))
            candidates = [Candidate((*[LEFT] * k, AHEAD, AHEAD)) for k in range(8)]
            wanted = [tuple(range(len(candidate) + 1)) for candidate in candidates]
            frames += sum(len(rollout.rgb) for rollout in gate.imagine(candidates, "pano", wanted))
        except DeadFrame as error:
            print(error)
            alarms += 1
    return frames, alarms


def test_no_false_alarm_in_a_plain_home() -> None:
    home = _tiny().load_home("tiny")
    frames, alarms = count_false_alarms(make_scene("tiny", home), home, walks=12, seed=1)
    assert frames >= 1000
    assert alarms == 0


@pytest.mark.slow
def test_no_false_alarm_in_real_homes() -> None:
    """Over a thousand frames of all three cameras in homes of the suite, near walls too."""
    cache = HomeCache(cache_root())
    total = 0
    for seed, name in enumerate(("validation-0000", "validation-0001")):
        home = cache.load(name)
        frames, alarms = count_false_alarms(make_scene(name, home), home, walks=5, seed=seed, large=True)
        assert alarms == 0
        total += frames
    assert total >= 1000


def test_wrong_rollouts_are_not_judged_and_poses_pass() -> None:
    """A planted error may put the camera into a wall, where one colour is what there is to see."""
    gate = LivenessGate(TinyEnvironment())
    walk(gate, [AHEAD])
    inside = MotionError(4.0, 0.0, True)
    rollouts = list(gate.imagine_wrongly([Candidate((AHEAD,) * 60)] * 2, "pano", [(60,), (1,)], inside, [1, 2]))
    assert [rollout.id for rollout in rollouts] == [0, 1]
    poses = gate.rollout_poses(CANDIDATES, FRAMES)
    assert [len(rollout) for rollout in poses] == [len(frames) for frames in FRAMES]
