"""Demonstrations of the tabletop: plans that are right or have mistakes, in scenes that no suite plays."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest

from harness.contracts.actions import FOLLOW, Primitive
from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import Refusal
from harness.contracts.observations import Observation, ViewRequest
from images.tabletop.demonstrating import SHOWN, TabletopDemonstrations, demonstrated_parts, drawn_plan
from images.tabletop.scenes import HOME, TASKS
from images.tabletop.tasks.all import make_puzzle
from tests.images.environment_contract import same_observation
from tests.images.tabletop.needs import needs_the_arm

FRONT = [ViewRequest("front")]
NEXT = Primitive(FOLLOW, 0.0)


def shown(environment: TabletopDemonstrations, scene: str, seed: int) -> List[Observation]:
    here = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    first = environment.reset(Episode("collect", "collect", "", "", scene, scene, here, 0), seed, FRONT)
    return [first, *environment.step([NEXT] * (int(first.info["moments"]) - 1), FRONT)]


@pytest.mark.parametrize("scene", ["push_buttons/variation59", "stack_cups/variation0"])
def test_variations_that_suites_play_are_not_demonstrated(scene: str) -> None:
    with pytest.raises(Refusal, match="suites play the variations 0 to 59"):
        demonstrated_parts(scene)


@pytest.mark.parametrize("scene", ["push_buttons", "fold/variation60", "push_buttons/variation60/episode1", ""])
def test_other_names_are_refused(scene: str) -> None:
    with pytest.raises(Refusal, match="is nothing that the tabletop demonstrates"):
        demonstrated_parts(scene)


@pytest.mark.parametrize("task", TASKS)
def test_plans_are_right_or_wrong_on_the_grid_and_end_at_home(task: str) -> None:
    stage = make_puzzle(f"{task}/variation60/episode10000").last_stage()
    plans = [drawn_plan(stage, np.random.default_rng(seed)) for seed in range(200)]
    assert len(set(plans)) > 100 and all(len(plan) == SHOWN for plan in plans)
    assert all(0 <= voxel <= 100 for plan in plans for goal in plan for voxel in (goal.x, goal.y, goal.z))
    assert all((plan[-1].x, plan[-1].y, plan[-1].z) == HOME for plan in plans)
    assert 10 < sum(plan[: len(stage.plan)] == stage.plan for plan in plans) < 120


@needs_the_arm
def test_a_demonstration_shows_a_moment_for_each_sub_goal_and_says_what_was_told() -> None:
    environment = TabletopDemonstrations()
    moments = shown(environment, "slide_block_to_color_target/variation60", 3)
    assert len(moments) == SHOWN + 1 and all(moment.views["front"].rgb.shape == (128, 128, 3) for moment in moments)
    assert moments[0].info["variation"] == 60 and "told.0" not in moments[0].info
    told = [[moment.info[f"told.{index}"] for index in range(7)] for moment in moments[1:]]
    assert told[-1][:3] == list(HOME) and moments[-1].info["ee.x"] == pytest.approx(0.055, abs=0.007)
    assert not np.array_equal(moments[0].views["front"].rgb, moments[-1].views["front"].rgb)
    environment.close()


@needs_the_arm
def test_equal_seeds_show_equal_demonstrations_whatever_was_shown_before() -> None:
    scene = "push_buttons/variation61"
    one, other = TabletopDemonstrations(), TabletopDemonstrations()
    shown(other, "push_buttons/variation62", 1)
    first, second = shown(one, scene, 5), shown(other, scene, 5)
    for a, b in zip(first, second, strict=True):
        same_observation(a, b)
    words = [f"start.{index}" for index in range(8)]
    third = shown(one, scene, 6)
    assert [first[0].info[word] for word in words] != [third[0].info[word] for word in words]


@needs_the_arm
def test_wrong_steps_are_refused() -> None:
    environment = TabletopDemonstrations()
    with pytest.raises(Refusal, match="nothing is being demonstrated"):
        environment.step([NEXT], FRONT)
    shown(environment, "push_buttons/variation61", 5)
    with pytest.raises(Refusal, match="cannot change a demonstration"):
        environment.step([Primitive(FOLLOW, 1.0)], FRONT)
    with pytest.raises(Refusal, match="the views that its reset asked for"):
        environment.step([NEXT], [ViewRequest("wrist")])
