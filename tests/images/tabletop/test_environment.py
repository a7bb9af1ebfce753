"""The tabletop environment: contract of the wire, restored states, solved tasks, and what is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

import numpy as np
import pytest

from harness.contracts.actions import Action, Candidate, Primitive, Vector
from harness.contracts.cameras import Pose
from harness.contracts.episodes import Episode
from harness.contracts.errors import EpisodeError, Refusal
from harness.contracts.handling_errors import HandlingError
from harness.contracts.observations import Observation, ViewRequest
from images.rlbench.actions import target_of
from images.tabletop.environment import TabletopEnvironment
from images.tabletop.play import Play
from images.tabletop.scenes import TABLE_M, TASKS
from images.tabletop.stage import ARM_ID, FIRST_THING_ID, TABLE_ID
from images.tabletop.tasks.all import make_puzzle
from tests.image_goals import image_goal_episode
from tests.images.environment_contract import same_observation
from tests.images.tabletop.needs import needs_the_arm

pytestmark = needs_the_arm

CUPS, BUTTONS = "stack_cups/variation0/episode0", "push_buttons/variation1/episode0"
BLOCK = "slide_block_to_color_target/variation1/episode0"
ALL = [ViewRequest(name, depth=True, ids=True) for name in ("front", "overhead", "wrist")]


def episode(scene: str) -> Episode:
    here = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
    return image_goal_episode("one", "manip", "t", "test", scene, scene.split("/")[0], here, here, 1.0, 1.0, 1)


def solution(scene: str) -> List[Action]:
    return [Vector("discrete7", goal.values()) for goal in make_puzzle(scene).sub_goals()]


PLANS = {CUPS: solution(CUPS)[:6], BLOCK: solution(BLOCK)}
"""What moves a thing: a cup is put into another, and a block is pushed to its square."""


@pytest.fixture
def environment() -> Iterator[TabletopEnvironment]:
    made = TabletopEnvironment()
    yield made
    made.close()


def distances(observation: Observation) -> Dict[str, float]:
    return {name: value for name, value in observation.info.items() if name.startswith("distance.")}


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_scripted_sub_goals_solve_the_task_and_success_is_sustained(
    environment: TabletopEnvironment, task: str
) -> None:
    scene = f"{task}/variation11/episode5"
    first = environment.reset(episode(scene), 0, [])
    assert first.info["success"] == 0.0 and max(distances(first).values()) > 0.005
    seen = environment.step(solution(scene), [])
    assert seen[-1].info["success"] == 1.0 and seen[-1].info["spoiled"] == 0.0
    assert max(distances(seen[-1]).values()) < 0.03
    away = Vector("ee_pose8", (0.2, 0.0, 1.1, 0.0, 1.0, 0.0, 0.0, 1.0))
    assert environment.step([away], [])[-1].info["success"] == 1.0


def test_imagining_equals_stepping_and_leaves_the_state(environment: TabletopEnvironment) -> None:
    actions = solution(CUPS)[:3]
    start = environment.reset(episode(CUPS), 0, ALL)
    candidates = [Candidate(tuple(actions)), Candidate(tuple(actions[:1])), Candidate(())]
    rollouts = list(environment.imagine(candidates, "front", [(0, 1, 3), (), (0,)]))
    assert [len(rollout.rgb) for rollout in rollouts] == [3, 0, 1]
    seen = environment.step(actions, ALL)
    for image, observation in zip(rollouts[0].rgb, (start, seen[0], seen[2]), strict=True):
        assert np.array_equal(image, observation.views["front"].rgb)
    again = environment.reset(episode(CUPS), 7, ALL)
    assert same_observation(again, start) and again.info == start.info
    replayed = environment.step(actions, ALL)
    assert all(same_observation(a, b) and a.info == b.info for a, b in zip(seen, replayed, strict=True))


def test_what_is_kept_of_an_action_is_what_simulating_it_again_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(CUPS)
    targets = [target_of(action) for action in solution(CUPS)[:3]]

    def ends() -> List[bytes]:
        play.restore(play.beginning)
        found = []
        for target in targets:
            play.act(target)
            view = play.stage.views(play.world, {"wrist": (True, True)})["wrist"]
            assert view.depth is not None and view.ids is not None
            found += [play.world.key(), view.rgb.tobytes(), view.depth.tobytes(), view.ids.tobytes()]
        return found

    first = ends()
    play.forget()
    assert ends() == first
    with monkeypatch.context() as patched:
        patched.setattr(play.controller, "carry_out", None)
        patched.setattr(play.stage.painter, "draw", None)
        assert ends() == first  # neither is asked again
    play.restore(play.beginning)
    play.world.let_things_through(True)
    monkeypatch.setattr(play.controller, "carry_out", None)
    with pytest.raises(TypeError):  # another physics is another beginning
        play.act(targets[0])


def test_an_imagined_success_is_not_a_success(environment: TabletopEnvironment) -> None:
    environment.reset(episode(BUTTONS), 0, [])
    list(environment.imagine([Candidate(tuple(solution(BUTTONS)))], "front", [(3,)]))
    stay = Vector("ee_pose8", (0.1, 0.0, 1.1, 0.0, 1.0, 0.0, 0.0, 1.0))
    assert environment.step([stay], [])[-1].info["success"] == 0.0


def test_a_wrong_button_spoils_the_episode(environment: TabletopEnvironment) -> None:
    environment.reset(episode(BUTTONS), 0, [])
    right = solution(BUTTONS)
    assert len(right) == 6, "two buttons"
    seen = environment.step(right[3:] + right, [])
    assert seen[2].info["spoiled"] == 1.0 and seen[-1].info["success"] == 0.0


def test_the_tip_goes_where_it_is_told_and_what_is_in_the_way_blocks_it(environment: TabletopEnvironment) -> None:
    environment.reset(episode(CUPS), 0, [])
    free = environment.step([Vector("ee_pose8", (0.3, 0.1, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0))], [])[0]
    assert not free.collided and free.info["gripper_open"] == 0.0 and free.info["finger_gap"] < 0.005
    assert [free.info[f"ee.{axis}"] for axis in "xyz"] == pytest.approx([0.3, 0.1, 1.0], abs=0.006)
    assert free.pose.position == pytest.approx((-0.1, 1.0, -0.3), abs=0.006)
    under = environment.step([Vector("ee_pose8", (0.3, 0.1, 0.6, 0.0, 1.0, 0.0, 0.0, 0.0))], [])[0]
    assert under.collided and under.info["executed"] == 0.0 and under.info["ee.z"] > TABLE_M - 0.01


def test_unknown_actions_scenes_and_cameras_are_refused_and_move_nothing(environment: TabletopEnvironment) -> None:
    with pytest.raises(Refusal, match="reset"):
        environment.step([], [])
    before = environment.reset(episode(CUPS), 0, ALL)
    with pytest.raises(Refusal, match="space"):
        environment.step([solution(CUPS)[0], Primitive("fly", 1.0)], [])
    with pytest.raises(Refusal, match="front"):
        environment.step(solution(CUPS)[:1], [ViewRequest("side")])
    with pytest.raises(Refusal, match="frames"):
        list(environment.imagine([Candidate(())], "front", [(1,)]))
    with pytest.raises(Refusal, match="no scene"):
        environment.reset(episode("fold_towel/variation0/episode0"), 0, [])
    assert environment.step([], ALL) == [] and same_observation(environment.reset(episode(CUPS), 0, ALL), before)


def test_the_cameras_see_table_arm_and_every_thing(environment: TabletopEnvironment) -> None:
    views = environment.reset(episode(CUPS), 0, ALL).views
    count = len(make_puzzle(CUPS).things)
    ids, depth = views["overhead"].ids, views["overhead"].depth
    assert ids is not None and depth is not None and views["front"].ids is not None
    assert {TABLE_ID, ARM_ID, *range(FIRST_THING_ID, FIRST_THING_ID + count)} <= set(np.unique(views["front"].ids))
    table = depth[ids == TABLE_ID]
    assert table.min() == pytest.approx(2.02 - TABLE_M, abs=0.01) == table.max()
    assert views["front"].rgb.std() > 20.0
    info = environment.reset(episode(CUPS), 0, ALL).info
    assert info["front.y"] == pytest.approx(1.58) and info["front.z"] == pytest.approx(-1.35)
    large = environment.step([], [ViewRequest("front_large")])
    assert large == []


def test_physics_that_broke_end_the_episode_and_write_no_file(
    environment: TabletopEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MuJoCo itself would reset its world, write a file into the working folder, and go on."""
    monkeypatch.chdir(tmp_path)
    environment.reset(episode(BUTTONS), 0, [])
    play = environment._play
    assert play is not None
    play.world.data.qvel[0] = 1e11
    with pytest.raises(EpisodeError, match="BADQVEL"):
        environment.step(solution(BUTTONS)[:1], [])
    assert not list(tmp_path.iterdir())
    assert environment.reset(episode(BUTTONS), 0, []).info["success"] == 0.0
    assert not environment.step(solution(BUTTONS)[:1], [])[0].collided


def test_a_missing_package_is_named(environment: TabletopEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    from images.tabletop import arm

    monkeypatch.setattr(arm, "find_spec", lambda name: None)
    with pytest.raises(Refusal, match="gymnasium-robotics"):
        environment.prepare(lambda words: None)


@pytest.mark.parametrize(
    ("scene", "error"),
    [
        (CUPS, HandlingError(offset_m=0.04)),
        (CUPS, HandlingError(things_stay=True)),
        (CUPS, HandlingError(gripper_late=True)),
        (CUPS, HandlingError(through_things=True)),
    ],
)
def test_an_error_of_handling_changes_what_is_imagined_and_nothing_else(
    environment: TabletopEnvironment, scene: str, error: HandlingError
) -> None:
    environment.reset(episode(scene), 0, [])
    plan = [Candidate(tuple(PLANS[scene]))]
    last = [[len(plan[0])]]
    (right,) = environment.imagine(plan, "front", last)
    (none,) = environment.imagine_wrongly(plan, "front", last, HandlingError(), [3])
    (wrong,) = environment.imagine_wrongly(plan, "front", last, error, [3])
    (again,) = environment.imagine(plan, "front", last)
    assert np.array_equal(right.rgb, none.rgb) and np.array_equal(right.rgb, again.rgb)
    assert not np.array_equal(right.rgb, wrong.rgb)
    with pytest.raises(Refusal, match="1 candidates came with 2 seeds"):
        list(environment.imagine_wrongly(plan, "front", last, error, [3, 4]))


def test_things_that_stay_are_seen_where_they_were_behind_a_hand_that_moved(environment: TabletopEnvironment) -> None:
    before = environment.reset(episode(BLOCK), 0, [ViewRequest("front", ids=True)])
    ids = before.views["front"].ids
    assert ids is not None
    plan = [Candidate(tuple(PLANS[BLOCK]))]
    (stay,) = environment.imagine_wrongly(plan, "front", [[len(plan[0])]], HandlingError(things_stay=True), [0])
    after = environment.step(plan[0].actions, [ViewRequest("front", ids=True)])[-1].views["front"]
    assert after.ids is not None
    block = FIRST_THING_ID
    seen = (ids == block) & (after.ids != ARM_ID)
    changed = np.abs(before.views["front"].rgb.astype(int) - after.rgb.astype(int)).max(axis=2)[seen].mean()
    kept = np.abs(before.views["front"].rgb.astype(int) - stay.rgb[0].astype(int)).max(axis=2)[seen].mean()
    assert kept < 0.5 * changed
