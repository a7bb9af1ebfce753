"""The RLBench environment against the double: scenes, actions, views, success, failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List

import numpy as np
import pytest

from harness.contracts.actions import Primitive, Vector
from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, Refusal, ServiceError, SpecMismatch
from harness.contracts.observations import Observation, ViewRequest
from images.rlbench import environment as module
from images.rlbench.environment import RLBenchEnvironment
from images.rlbench.simulator import scene_parts
from tests.image_goals import image_goal_episode
from tests.images.rlbench import double
from tests.images.rlbench.stored_demos import state_of, write_demo

FRONT = [ViewRequest("front")]
DOWN = (0.0, 0.0, 1.0, 0.0)


def episode(scene: str = "push_buttons/variation1/episode0", name: str = "one") -> Episode:
    here = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    return image_goal_episode(name, "manip", "t", "test", scene, scene.split("/")[0], here, here, 1.0, 1.0, 1)


def pose8(position: Any, gripper: float = 1.0) -> Vector:
    return Vector("ee_pose8", (*map(float, position), *DOWN, gripper))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLBenchEnvironment]:
    double.install(monkeypatch)
    monkeypatch.setenv("COPPELIASIM_ROOT", str(tmp_path))
    write_demo(tmp_path / "demos")
    made = RLBenchEnvironment(str(tmp_path / "demos"), image_size=20)
    yield made
    made.close()


def button_of(seed: int, placements: int = 2) -> Any:
    """Return where the double puts the button from a random state."""
    drawn = np.random.RandomState(seed)
    for _ in range(placements):
        place = drawn.uniform((0.1, -0.2), (0.4, 0.2))
    return np.append(place, 0.8)


def shades(observations: List[Observation]) -> List[int]:
    return [int(o.views["front"].rgb[-1, 0, 0]) for o in observations]


def test_describing_starts_nothing(environment: RLBenchEnvironment) -> None:
    spec = environment.describe()
    assert [space.name for space in spec.action_spaces] == ["discrete7", "ee_pose8"]
    assert [space.vector_width for space in spec.action_spaces] == [7, 8]
    assert {c.name for c in spec.rig.cameras} == {"front", "wrist", "left_shoulder", "right_shoulder", "overhead"}
    assert environment.capabilities() == () and double.calls == []


def test_a_stored_scene_is_made_again_whatever_was_played_before(environment: RLBenchEnvironment) -> None:
    first = environment.reset(episode(), 0, FRONT)
    environment.reset(episode("push_buttons/variation2"), 3, FRONT)
    environment.step([pose8((0.2, 0.1, 1.0))], FRONT)
    again = environment.reset(episode(), 0, FRONT)
    assert np.array_equal(first.views["front"].rgb, again.views["front"].rgb)
    other = environment.reset(episode(), 1, FRONT)
    assert np.array_equal(first.views["front"].rgb, other.views["front"].rgb)
    fresh = RLBenchEnvironment(environment._demos, image_size=20)
    begun = fresh.reset(episode(), 0, FRONT)
    assert np.array_equal(first.views["front"].rgb, begun.views["front"].rgb)


def test_the_demo_says_state_and_number_of_placements(environment: RLBenchEnvironment) -> None:
    environment.reset(episode(), 0, FRONT)
    (touched,) = environment.step([pose8(button_of(5))], FRONT)
    assert touched.info["success"] == 1.0 and touched.done


def test_a_seeded_scene_depends_on_seed_and_episode(environment: RLBenchEnvironment) -> None:
    def shade(seed: int, name: str) -> int:
        reply = environment.reset(episode("push_buttons/variation2", name), seed, FRONT)
        return shades([reply])[0]

    assert shade(0, "one") == shade(0, "one")
    assert len({shade(0, "one"), shade(1, "one"), shade(0, "two")}) == 3


def test_what_numpy_draws_after_a_reset_depends_on_the_seed(environment: RLBenchEnvironment) -> None:
    drawn = []
    for seed in (0, 0, 1):
        environment.reset(episode(), seed, FRONT)
        drawn.append(np.random.random())
    assert drawn[0] == drawn[1] != drawn[2]


def test_discrete_actions_and_poses_move_the_tip(environment: RLBenchEnvironment) -> None:
    environment.reset(episode(), 0, FRONT)
    seen = environment.step([Vector("discrete7", (50, 50, 60, 0, 60, 60, 1)), pose8((0.1, 0.2, 1.0))], FRONT)
    assert (seen[0].info["ee.x"], seen[0].info["ee.y"], seen[0].info["ee.z"]) == pytest.approx((0.205, 0.005, 1.205))
    assert seen[1].pose.position == pytest.approx((-0.2, 1.0, -0.1))
    assert [seen[1].info[f"ee.q{p}"] for p in "wxyz"] == pytest.approx(DOWN)
    assert [o.collided for o in seen] == [False, False] and [o.info["executed"] for o in seen] == [1.0, 1.0]


def test_success_on_the_way_is_kept_although_the_gripper_undoes_it(environment: RLBenchEnvironment) -> None:
    environment.reset(episode(), 0, FRONT)
    beyond = button_of(5) + (button_of(5) - np.array([0.3, 0.0, 1.4])) * 0.1
    (seen,) = environment.step([pose8(beyond, gripper=0.0)], FRONT)
    assert seen.info["success"] == 1.0 and seen.info["gripper_open"] == 0.0 and not seen.done
    (later,) = environment.step([pose8((0.3, 0.0, 1.4))], FRONT)
    assert later.info["success"] == 1.0
    assert environment.reset(episode(), 0, FRONT).info["success"] == 0.0


def test_after_the_end_nothing_moves(environment: RLBenchEnvironment) -> None:
    environment.reset(episode(), 0, FRONT)
    touched, later = environment.step([pose8(button_of(5)), pose8((0.3, 0.0, 1.4))], FRONT)
    assert later.done and later.pose == touched.pose and later.info["executed"] == 0.0


def test_an_action_that_cannot_be_planned_is_blocked(environment: RLBenchEnvironment) -> None:
    start = environment.reset(episode(), 0, FRONT)
    blocked, moved = environment.step([pose8((0.0, 0.0, 0.4)), pose8((0.1, 0.2, 1.0))], FRONT)
    assert blocked.collided and blocked.pose == start.pose and blocked.info["executed"] == 0.0
    assert not moved.collided


def test_a_wrong_action_moves_nothing(environment: RLBenchEnvironment) -> None:
    start = environment.reset(episode(), 0, FRONT)
    with pytest.raises(Refusal):
        environment.step([pose8((0.1, 0.2, 1.0)), Primitive("forward", 0.2)], FRONT)
    (seen,) = environment.step([pose8((0.0, 0.0, 0.4))], FRONT)
    assert seen.pose == start.pose


def test_only_what_is_asked_for_is_rendered(environment: RLBenchEnvironment) -> None:
    environment.reset(episode(), 0, FRONT)
    double.calls.clear()
    (seen,) = environment.step([pose8((0.1, 0.2, 1.0))], [ViewRequest("wrist", depth=True, ids=True)])
    assert double.calls == ["render wrist"]
    view = seen.views["wrist"]
    assert view.rgb.shape == (20, 20, 3) and view.rgb.dtype == np.uint8
    assert view.depth is not None and view.depth.dtype == np.float32
    assert view.depth[0, 0] == 1.25 and view.depth[5, 5] == 0.0
    assert view.ids is not None and view.ids.dtype == np.int32 and view.ids[0, 0] == 41 and view.ids[5, 5] == 0
    assert seen.info["wrist.x"] == pytest.approx(-0.1) and seen.info["wrist.y"] == pytest.approx(1.2)


def test_an_unknown_camera_is_refused(environment: RLBenchEnvironment) -> None:
    with pytest.raises(Refusal, match="no camera 'back'"):
        environment.reset(episode(), 0, [ViewRequest("back")])


def test_cameras_are_compared_with_what_was_declared(
    environment: RLBenchEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(double, "WRIST_FOCAL", double.FRONT_FOCAL)
    with pytest.raises(SpecMismatch, match=r"'wrist' has a field of view of 40\.000 degrees in the scene, 60"):
        environment.reset(episode(), 0, FRONT)


def test_a_failed_simulator_answers_no_more(environment: RLBenchEnvironment) -> None:
    environment.reset(episode(), 0, FRONT)
    with pytest.raises(ServiceError, match=r"carrying out an action: RuntimeError: The call failed on the V-REP side"):
        environment.step([pose8((0.0, 0.0, 1.75))], FRONT)
    with pytest.raises(ServiceError, match="failed earlier"):
        environment.step([pose8((0.1, 0.0, 1.0))], FRONT)
    with pytest.raises(ServiceError, match="failed earlier"):
        environment.reset(episode(), 0, FRONT)
    environment.close()
    assert "shutdown" not in double.calls


def test_a_scene_that_cannot_be_placed_costs_its_episode_alone(environment: RLBenchEnvironment) -> None:
    with pytest.raises(EpisodeError, match="Could not place"):
        environment.reset(episode("push_buttons/variation3"), 0, FRONT)
    assert environment.reset(episode("push_button/variation2"), 0, FRONT).views


def test_one_launch_serves_all_tasks_and_close_shuts_it_down(environment: RLBenchEnvironment) -> None:
    for scene in ("push_buttons/variation2", "push_buttons/variation1", "push_button/variation0"):
        environment.reset(episode(scene), 0, FRONT)
    environment.close()
    environment.close()
    assert double.calls.count("launch") == double.calls.count("shutdown") == 1
    assert sum(call.startswith("get_task") for call in double.calls) == 2


def test_a_demo_of_another_variation_or_version_is_refused(environment: RLBenchEnvironment, tmp_path: Path) -> None:
    write_demo(tmp_path / "demos", variation=2)
    with pytest.raises(Refusal, match="names variation 2, its demo was made of 1"):
        environment.reset(episode("push_buttons/variation2/episode0"), 0, FRONT)
    path = write_demo(tmp_path / "demos", variation=119)
    path.write_bytes(path.read_bytes().replace(b"variation_indexq", b"variation_indexq"))
    with pytest.raises(Refusal, match="no variation 9"):
        environment.reset(episode("push_buttons/variation9"), 0, FRONT)


def test_without_rlbench_or_coppeliasim_a_sentence_says_what_to_do(
    environment: RLBenchEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COPPELIASIM_ROOT")
    with pytest.raises(Refusal, match="COPPELIASIM_ROOT names no folder"):
        environment.reset(episode(), 0, FRONT)
    with pytest.raises(Refusal, match="option demos"):
        RLBenchEnvironment().reset(episode(), 0, FRONT)
    with pytest.raises(Refusal, match="no episode is being played"):
        environment.step([pose8((0.1, 0.0, 1.0))], FRONT)


@pytest.mark.parametrize(
    "scene", ["push_buttons", "../x/variation1", "push_buttons/variation1/episode", "a/variation1/x"]
)
def test_a_scene_has_one_form(scene: str) -> None:
    with pytest.raises(Refusal, match="like push_buttons/variation3/episode7"):
        scene_parts(scene)


def test_an_unknown_task_is_refused(environment: RLBenchEnvironment) -> None:
    with pytest.raises(Refusal, match="RLBench has no task 'stack_books'"):
        environment.reset(episode("stack_books/variation0"), 0, FRONT)


def test_the_declared_views_are_the_published_ones() -> None:
    assert module.IMAGE_SIZE == 500 and state_of(5)[0] == "MT19937"
