"""Trajectories: unbroken, seeded, to every waypoint; and collisions where they are wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.collecting.plan import CollectPlan
from harness.collecting.policies import ACTIONS, POLICIES, Walker, make_policy
from harness.collecting.recording import Clip, record_unit
from harness.contracts.actions import FORWARD, STOP, Primitive
from harness.contracts.cameras import Pose, yaw_to_quaternion
from harness.contracts.errors import Refusal
from tests.collecting.toy import PLAN, ToyBackend


def clips_of(policy: str, seed: int = 0, clips: int = 30) -> list[Clip]:
    plan = replace(PLAN, policies=(policy,), seed=seed, clips=clips, clips_per_trajectory=clips, clip_frames=14)
    return record_unit(ToyBackend(), plan, plan.units[0])


@pytest.mark.parametrize("policy", POLICIES)
def test_consecutive_clips_share_a_frame_and_the_last_action_is_a_stop(policy: str) -> None:
    clips = clips_of(policy, clips=4)
    for before, clip in zip(clips, clips[1:], strict=False):
        np.testing.assert_array_equal(before.frames[-1], clip.frames[0])
        np.testing.assert_array_equal(before.poses[-1], clip.poses[0])
    for clip in clips:
        assert len(clip.frames) == len(clip.poses) == len(clip.actions) == 14
        assert [action == Primitive(STOP, 0.0) for action in clip.actions] == [False] * 13 + [True]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_seed_decides_everything(policy: str) -> None:
    digests = [[clip.rendered_digest() for clip in clips_of(policy, seed, 3)] for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(("policy", "least_m"), (("waypoints", 5.0), ("waypoints-upstream", 2.0)))
def test_shortest_paths_never_collide_and_cross_the_home(policy: str, least_m: float) -> None:
    clips = clips_of(policy)
    poses = np.concatenate([clip.poses for clip in clips])
    assert not any(any(clip.collided) for clip in clips)
    assert np.ptp(poses[:, 0]) > least_m
    forwards = sum(action == ACTIONS[FORWARD] for clip in clips for action in clip.actions)
    assert forwards > 0.4 * len(poses)


def test_random_actions_collide() -> None:
    clips = clips_of("random")
    assert 10 < sum(sum(clip.collided) for clip in clips) < 300


@pytest.mark.parametrize("start", ((0.0, -1.0), (2.0, 3.0), (5.5, 1.0)))
def test_a_walker_arrives(start: tuple[float, float]) -> None:
    backend = ToyBackend()
    scene = backend.open("train-9000", 0)

    class OneGoal:
        arrivals = 0

        def following(self, body: tuple[int, int]) -> tuple[int, int]:
            return (30, 70)

        def arrived(self, goal: tuple[int, int]) -> None:
            self.arrivals += 1

    goal = OneGoal()
    walker = Walker(scene, goal)
    frame = backend.place(Pose((start[0], 0.0, start[1]), yaw_to_quaternion(45.0)))
    taken = 0
    while not goal.arrivals and taken < 200:
        frame = backend.step(walker.action(frame.pose))
        taken += 1
    x, _, z = frame.pose.position
    assert taken < 90 and abs(x - (-1.0 + 70.5 * 0.1)) < 0.4 and abs(z - (-2.0 + 30.5 * 0.1)) < 0.4


def test_a_body_that_the_simulator_holds_gives_the_waypoint_up() -> None:
    backend = ToyBackend()
    walker = make_policy("waypoints", backend.open("train-9000", 0), np.random.default_rng(0))
    assert isinstance(walker, Walker)
    pose = Pose((1.0, 0.0, 1.0), yaw_to_quaternion(0.0))
    goals = []
    for _ in range(200):
        walker.action(pose)
        goals.append(walker._waypoint)
    assert len(set(goals)) > 2


def test_unknown_policies_are_named() -> None:
    with pytest.raises(Refusal, match="waypoints"):
        make_policy("waypoint", ToyBackend().open("train-9000", 0), np.random.default_rng(0))


def test_actions_are_of_the_published_size() -> None:
    assert {action.name: action.magnitude for action in ACTIONS.values()} == {
        "forward": 0.2,
        "turn_left": 22.5,
        "turn_right": 22.5,
    }
    assert isinstance(ACTIONS["turn_left"].magnitude, float)


def test_units_deal_scenes_and_policies_in_turn() -> None:
    plan: CollectPlan = replace(PLAN, clips=13)
    units = plan.units
    assert [unit.clips for unit in units] == [3, 3, 3, 3, 1]
    assert [unit.first_clip for unit in units] == [0, 3, 6, 9, 12]
    assert [unit.scene[-1] for unit in units] == ["0", "1", "0", "1", "0"]
    assert [unit.trajectory for unit in units] == [0, 0, 1, 1, 2]
    assert {(unit.scene, unit.policy) for unit in units} == {(s, p) for s in plan.scenes for p in plan.policies}
