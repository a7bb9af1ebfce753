"""Manipulation: what its suite promises, what the agent is shown, and what is true of a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Tuple

import numpy as np
import pytest

from harness.contracts import seeds
from harness.contracts.cameras import PINHOLE, Camera
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.observations import View, ViewRequest
from harness.contracts.trajectories import PlayedEpisode
from harness.planning.seeding import EpisodeSeeds
from harness.worldmodels.imaginer import EnvironmentImaginer
from images.tabletop.environment import TabletopEnvironment
from images.tabletop.scenes import TASKS
from images.tabletop.tasks.all import make_puzzle, scene_digest
from tasks.manip.episodes import RIGHT, TableScene, actions_of
from tasks.manip.make_episodes import draw_plans
from tasks.manip.outcome import judge
from tasks.manip.proposers.scripted import Scripted
from tasks.manip.scores.picture import Picture
from tasks.manip.task import TASK, begin
from tasks.suite import load_suite
from tasks.task import payload_of
from tests.images.tabletop.needs import needs_the_arm

SUITE = load_suite("embedded-v1", "manip")
CAMERA = Camera("front", PINHOLE, 16, 16, 40.0, 0.0)


def scene_of(episode: Episode) -> TableScene:
    return payload_of(TableScene, episode)


def first(kind: str, tier: str = "easy") -> Episode:
    return next(episode for episode in SUITE.episodes(tier, "validation") if kind in episode.scene)


@pytest.mark.parametrize("name", SUITE.tiers)
def test_every_episode_has_one_right_plan_among_as_many_as_the_tier_says_and_splits_share_no_scene(name: str) -> None:
    tier, seen = SUITE.tier(name), {}
    for split, size in tier.splits.items():
        episodes = SUITE.episodes(name, split)
        seen[split] = {episode.home for episode in episodes}
        assert (len(episodes), len(seen[split])) == (size.episodes, size.homes)
        for episode in episodes:
            scene = scene_of(episode)
            plans = [plan.goals for plan in scene.plans]
            assert [plan.goals for plan in scene.plans if plan.mistake == RIGHT] == [scene.solution]
            assert len(plans) == len(set(plans)) == tier.candidates == 8 and len(scene.solution) == scene.sub_goals
            assert scene.shown != (*scene.solution, *scene.after)  # no arm stands in the picture as a plan leaves it
    assert not seen["validation"] & seen["test"]


@pytest.mark.parametrize("kind", TASKS)
def test_episodes_are_what_the_maker_makes_of_their_scenes(kind: str) -> None:
    episode = first(kind)
    puzzle = make_puzzle(episode.scene)
    mistakes = SUITE.tier("easy").constants.mistakes[kind]
    plans = draw_plans(puzzle.last_stage(), mistakes, seeds.generator(0, episode.scene, -1, -1, "easy"))
    assert scene_of(episode).plans == tuple(plans) and scene_of(episode).words == puzzle.words
    assert SUITE.scene_digests()[episode.scene] == scene_digest(puzzle)
    with pytest.raises(Refusal, match="plans too few"):
        draw_plans(puzzle.last_stage(), {"object": 9}, seeds.generator(0, "", 0, 0, ""))
    with pytest.raises(Refusal, match=r"no mistake 'ofset'.*offset"):
        draw_plans(puzzle.last_stage(), {"ofset 3": 1}, seeds.generator(0, "", 0, 0, ""))


def test_the_agent_is_offered_the_actions_of_every_plan_and_nothing_else() -> None:
    episode, proposer = first("stack_cups"), Scripted(SUITE.action_space, 8)
    offered = proposer.of(episode).propose(0, (), EpisodeSeeds(0, "x"))
    scene = scene_of(episode)
    assert [candidate.actions for candidate in offered.candidates] == [
        actions_of((*plan.goals, *scene.after)) for plan in scene.plans
    ]
    assert all(end.frames[-1] == end.execute == len(offered.candidates[end.candidate]) for end in offered.ends)
    assert all(SUITE.action_space.allows(action) for candidate in offered.candidates for action in candidate.actions)


def picture(x: int, value: int = 200) -> View:
    rgb = np.full((16, 16, 3), 90, np.uint8)
    rgb[6:10, x : x + 4] = value
    return View(CAMERA, rgb)


def test_the_score_is_0_for_the_goal_itself_and_falls_with_the_distance_of_a_thing() -> None:
    compare = Picture(32).against(picture(2))
    scores = [compare([picture(9), picture(x)]) for x in (2, 3, 4, 6)]
    assert scores[0] == 0.0 and scores == sorted(scores, reverse=True) and len(set(scores)) == 4
    assert compare([picture(8, 255)]) == pytest.approx(compare([picture(8)]), abs=0.03)  # by its size, not its light
    with pytest.raises(Refusal, match=r"\[8, 16, 3\] cannot be compared"):
        compare([View(CAMERA, np.zeros((8, 16, 3), np.uint8))])


@pytest.fixture(scope="module")
def environment() -> TabletopEnvironment:
    return TabletopEnvironment(SUITE.scene_digests())


def played(environment: TabletopEnvironment, episode: Episode, wm: str) -> PlayedEpisode:
    imaginer = EnvironmentImaginer(environment) if wm == "gtsim" else None
    return TASK.play_episode(environment, imaginer, episode, SUITE.tier(episode.tier), 0, wm, "oracle")


@needs_the_arm
def test_the_goal_picture_is_taken_where_the_episode_is_solved_and_taking_it_moves_nothing(
    environment: TabletopEnvironment,
) -> None:
    episode, front = first("push_buttons"), [ViewRequest("front")]
    begun = begin(environment, episode, 0, front, SUITE.tier("easy").loop)
    assert begun.truth.distance(begun.observation) > 0.0
    end = environment.step(actions_of(scene_of(episode).shown), front)[-1]
    np.testing.assert_array_equal(end.views["front"].rgb, begun.prompt.rgb)
    assert begun.truth.is_solved(begun.truth.distance(end))


@needs_the_arm
def test_the_simulator_and_the_oracle_take_a_plan_that_solves_and_none_takes_any(
    environment: TabletopEnvironment,
) -> None:
    episode = first("push_buttons")
    outcomes: Dict[str, Tuple[bool, float]] = {}
    for wm in ("gtsim", "oracle", "none"):
        again = [played(environment, episode, wm) for _ in range(2)]
        assert again[0].trajectory.digest() == again[1].trajectory.digest()
        outcomes[wm] = again[0].trajectory.solved, again[0].metrics["right_plan"]
        assert judge(episode, again[0].trajectory).contradictions == ()
    assert outcomes["gtsim"] == (True, 1.0) and outcomes["oracle"][0]


@needs_the_arm
def test_a_trajectory_that_claims_what_no_plan_says_is_contradicted(environment: TabletopEnvironment) -> None:
    episode = first("push_buttons")
    trajectory = played(environment, episode, "none").trajectory
    (decision,) = trajectory.decisions
    other = replace(decision.steps[0], action=actions_of(((1, 2, 3, 4, 5, 6, 1),))[0])
    changed = replace(trajectory, decisions=(replace(decision, steps=(other, *decision.steps[1:])),))
    assert any("none of the plans" in said for said in judge(episode, changed).contradictions)
    lied = replace(trajectory, solved=not trajectory.solved)
    assert any("counts as" in said for said in judge(episode, lied).contradictions)


@needs_the_arm
def test_a_scene_of_other_things_than_the_suite_s_is_refused() -> None:
    episode = first("push_buttons")
    with pytest.raises(SpecMismatch, match="made of other things"):
        TabletopEnvironment({episode.scene: "00" * 32}).reset(episode, 0, [])
