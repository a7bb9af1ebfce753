"""Demonstrations on the double: what is shown, what is told of the scene, and how failures are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
import pytest

from harness.contracts.actions import FOLLOW, Primitive
from harness.contracts.errors import EpisodeError, Refusal, ServiceError
from harness.contracts.observations import Observation, ViewRequest
from images.rlbench.demonstrating import RLBenchDemonstrations, demonstrated_parts
from images.rlbench.demos import StoredStart, read_start
from images.rlbench.environment import drawn_seed
from tests.images.rlbench import double
from tests.images.rlbench.stored_demos import state_of, write_demo
from tests.images.rlbench.test_environment import FRONT, episode, shades

NEXT = Primitive(FOLLOW, 0.0)


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLBenchDemonstrations]:
    double.install(monkeypatch)
    monkeypatch.setenv("COPPELIASIM_ROOT", str(tmp_path))
    monkeypatch.setattr(double, "HARD_M", 1.0)
    double.planning.clear()
    made = RLBenchDemonstrations(image_size=20)
    yield made
    made.close()


def begun(teacher: RLBenchDemonstrations, scene: str = "push_buttons/variation1", seed: int = 0) -> Observation:
    return teacher.reset(episode(scene), seed, FRONT)


def shown(teacher: RLBenchDemonstrations, scene: str = "push_buttons/variation1", seed: int = 0) -> List[Observation]:
    first = begun(teacher, scene, seed)
    return [first, *teacher.step([NEXT] * (int(first.info["moments"]) - 1), FRONT)]


def start_of(info: Dict[str, float]) -> str:
    return "".join(f"{int(info[f'start.{index}']):08x}" for index in range(8))


def test_describing_starts_nothing_and_names_one_action(teacher: RLBenchDemonstrations) -> None:
    spec = teacher.describe()
    assert [(space.name, space.primitives) for space in spec.action_spaces] == [("demonstration", (NEXT,))]
    assert {camera.name for camera in spec.rig.cameras} >= {"front", "wrist"} and double.calls == []


def test_a_demonstration_is_followed_to_the_moment_in_which_the_task_is_done(teacher: RLBenchDemonstrations) -> None:
    seen = shown(teacher)
    assert [o.done for o in seen] == [False] * (len(seen) - 1) + [True]
    assert [o.info["success"] for o in seen] == [0.0] * (len(seen) - 1) + [1.0]
    assert {o.info["gripper_open"] for o in seen} == {0.0, 1.0} and len(set(shades(seen))) > 10
    (after,) = teacher.step([NEXT], FRONT)
    assert after.info["executed"] == 0.0 and after.pose == seen[-1].pose


def test_only_the_wanted_camera_is_rendered(teacher: RLBenchDemonstrations) -> None:
    begun(teacher)  # the first one also loads the task
    double.calls.clear()
    first = begun(teacher)
    assert double.calls.count("render front") == 1 + int(first.info["moments"]), "one of them is the reset's own"
    assert not any(call.startswith("render") and call != "render front" for call in double.calls)
    with pytest.raises(Refusal, match="views that its reset asked for"):
        teacher.step([NEXT], [ViewRequest("wrist")])


def test_equal_seeds_give_equal_scenes_although_the_planner_wanders(teacher: RLBenchDemonstrations) -> None:
    straight = shown(teacher, seed=4)
    shown(teacher, "push_button/variation0", 9)
    double.planning.append("wanders")
    wandering = shown(teacher, seed=4)
    assert start_of(dict(straight[0].info)) == start_of(dict(wandering[0].info))
    assert np.array_equal(straight[0].views["front"].rgb, wandering[0].views["front"].rgb)
    assert [o.pose for o in straight] != [o.pose for o in wandering]
    assert start_of(dict(begun(teacher, seed=5).info)) != start_of(dict(straight[0].info))


def test_a_task_alone_is_shown_in_variations_that_the_seed_draws(teacher: RLBenchDemonstrations) -> None:
    drawn = {drawn_seed(seed, "one/variation") % 4 for seed in range(20)}
    assert drawn == {0, 1, 2, 3}
    seed = next(seed for seed in range(20) if drawn_seed(seed, "one/variation") % 4 == 2)
    assert begun(teacher, "push_buttons", seed).info["variation"] == 2.0


def test_a_scene_has_the_digest_of_a_stored_demo_with_the_same_start(
    teacher: RLBenchDemonstrations, tmp_path: Path
) -> None:
    info = dict(begun(teacher).info)
    state = state_of(drawn_seed(0, "one"))
    stored = read_start(write_demo(tmp_path / "demos", random_seed=state, num_reset_attempts=None))
    assert stored.digest("push_buttons") == start_of(info)
    assert stored.digest("push_button") != start_of(info)
    assert StoredStart(2, stored.random_state, 1).digest("push_buttons") != start_of(info)
    assert info["placements"] == 1.0


def test_a_scene_that_is_not_done_costs_itself_alone(teacher: RLBenchDemonstrations) -> None:
    double.planning.append("fails")
    with pytest.raises(EpisodeError, match=r"variation 1, seed \d+: no demonstration"):
        begun(teacher)
    with pytest.raises(Refusal, match="no episode is being played"):
        teacher.step([NEXT], FRONT)
    with pytest.raises(EpisodeError, match="Could not place"):
        begun(teacher, "push_buttons/variation3")
    assert begun(teacher).info["moments"] > 10


def test_a_simulator_that_dies_is_no_failed_demonstration(teacher: RLBenchDemonstrations) -> None:
    double.planning.append("dies")
    with pytest.raises(ServiceError, match="failed while demonstrating"):
        begun(teacher)
    with pytest.raises(ServiceError, match="failed earlier"):
        begun(teacher)


@pytest.mark.parametrize(
    ("scene", "said"),
    (
        ("push_buttons/variation1/episode0", "stored demo, which evaluation plays"),
        ("push_buttons/variation99", "no variation 99"),
        ("../push_buttons", "no task of RLBench"),
        ("train-0001", "no task of RLBench"),
        ("stack_books", "RLBench has no task 'stack_books'"),
    ),
)
def test_scenes_that_are_not_demonstrated(teacher: RLBenchDemonstrations, scene: str, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        begun(teacher, scene)


def test_nothing_but_follow_is_an_action(teacher: RLBenchDemonstrations) -> None:
    begun(teacher)
    wrong: List[Any] = [NEXT, Primitive("forward", 0.2)]
    with pytest.raises(Refusal, match="cannot change a demonstration"):
        teacher.step(wrong, FRONT)
    assert teacher.step([NEXT], FRONT)[0].info["executed"] == 1.0


def test_a_scene_names_a_task_and_perhaps_a_variation() -> None:
    assert demonstrated_parts("push_buttons") == ("push_buttons", None)
    assert demonstrated_parts("push_buttons/variation12") == ("push_buttons", 12)
