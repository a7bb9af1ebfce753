"""Demonstrations of an arm as a data set: whole clips of their own lengths, their scenes, and planted faults.

All but the test of the bytes make the checksums again, as someone would who changes data on purpose.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.spatial.transform import Rotation

from harness.collecting import split_guard, tables
from harness.collecting.config import make_plan
from harness.collecting.dataset_writer import finish
from harness.collecting.demonstrations import SCENES_TRIED, scene_seed
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.sources import find_source
from harness.collecting.validate import check_dataset
from harness.collecting.video import read_times, read_video, write_video
from harness.collecting.worker import record
from harness.contracts.arm_poses import BOUNDS_LOW
from harness.contracts.errors import Refusal, ServiceError
from harness.running.messages import Abort, Again
from images.rlbench.actions import discrete_target
from tests.collecting.arm import ARM_PLAN, ToyArm
from tests.collecting.test_check import DATA, EPISODES, VIDEO, edit, first_fault, summed_again
from tests.collecting.test_data import files_of
from tests.collecting.test_refusals import question
from tests.collecting.toy import answer_of, make_data

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), ARM_PLAN, ToyArm())


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "arm"))


def rows_of(folder: Path) -> Rows:
    return tables.read_rows(folder / EPISODES)


def test_every_clip_is_a_whole_demonstration_of_its_own_length(original: Path) -> None:
    assert check_dataset(original).faults == ()
    rows = rows_of(original)
    assert len({row["length"] for row in rows}) > 1
    first = 0
    for row in rows:
        table = pq.read_table(original / DATA.format(row["data/file_index"])).to_pylist()
        assert [line["index"] for line in table] == list(range(first, first + row["length"]))
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (first, first + row["length"])
        times, keys = read_times(original / VIDEO.format(row["videos/observation.images.front/file_index"]))
        assert len(times) == row["length"] and [i for i, key in enumerate(keys) if key] == list(range(0, len(keys), 14))
        first += row["length"]
    info = json.loads((original / "meta/info.json").read_text())
    assert (info["total_frames"], info["total_episodes"], info["robot_type"]) == (first, 5, "rlbench-panda")
    assert info["features"]["action"]["shape"] == info["features"]["observation.state"]["shape"] == [8]
    assert "collided" not in info["features"]
    assert json.loads((original / "meta/stats.json").read_text())["index"]["max"] == [first - 1]


def test_an_action_is_the_next_pose_and_the_last_one_stays(original: Path) -> None:
    table = pq.read_table(original / DATA.format(0)).to_pylist()
    states = [line["observation.state"] for line in table]
    assert [line["action"] for line in table] == [*states[1:], states[-1]]
    assert {state[7] for state in states} == {0.0, 1.0}


def test_discrete_actions_can_be_made_of_the_poses(original: Path) -> None:
    """As docs/collecting.md says: within half a voxel and three degrees."""
    for line in pq.read_table(original / DATA.format(0)).to_pylist():
        x, y, z, qw, qx, qy, qz, gripper = line["action"]
        voxels = [int((value - low) // 0.01) for value, low in zip((x, y, z), BOUNDS_LOW, strict=True)]
        turned = Rotation.from_quat((qx, qy, qz, qw))
        bins = [round((float(angle) + 180.0) / 3.0) for angle in turned.as_euler("xyz", degrees=True)]
        target = discrete_target((*voxels, *bins, gripper))
        assert np.abs(np.array(target.position) - (x, y, z)).max() <= 0.00501
        found = Rotation.from_quat((*target.rotation[1:], target.rotation[0]))
        assert np.degrees((turned.inv() * found).magnitude()) <= 3.0
        assert target.open == bool(gripper)


def test_the_tasks_are_those_of_the_arm_and_the_card_counts_them(original: Path) -> None:
    tasks = tables.read_rows(original / "meta/tasks.parquet")
    assert [row["task"] for row in tasks] == ["push buttons with a robot arm", "stack cups with a robot arm"]
    card = (original / "README.md").read_text()
    for fact in ("5 whole demonstrations of", "| stack_cups/variation3 | 2 | 3 |", "- manipulation", "scenes given up"):
        assert fact in card
    assert "above the floor" not in card and "collisions" not in card


def test_equal_settings_give_equal_bytes_where_the_simulator_does(original: Path, tmp_path: Path) -> None:
    assert files_of(make_data(tmp_path, ARM_PLAN, ToyArm())) == files_of(original)


def test_a_finish_that_was_interrupted_is_done_again(original: Path, tmp_path: Path) -> None:
    folder = tmp_path / "arm"
    (folder / WORK / UNITS).mkdir(parents=True)
    for unit in reversed(ARM_PLAN.units):  # the order of recording changes nothing either
        record(folder, ARM_PLAN, ToyArm(), unit.number)
    shutil.copytree(folder / WORK, tmp_path / "kept")
    finish(folder, ARM_PLAN)
    shutil.copytree(tmp_path / "kept", folder / WORK)
    finish(folder, ARM_PLAN)
    assert files_of(folder) == files_of(original)


def test_a_scene_that_is_not_done_is_followed_by_the_next_of_its_seeds(tmp_path: Path) -> None:
    arm = ToyArm(undone=2)
    (tmp_path / WORK / UNITS).mkdir(parents=True)
    record(tmp_path, ARM_PLAN, arm, 0)
    unit = ARM_PLAN.units[0]
    assert arm.asked == [("push_buttons", scene_seed(ARM_PLAN, unit, attempt)) for attempt in range(3)]
    assert json.loads((tmp_path / WORK / UNITS / "000000.json").read_text())["episodes"][0]["attempt"] == 2


def test_a_task_that_is_never_done_ends_the_collection(tmp_path: Path) -> None:
    answer = answer_of(tmp_path, ARM_PLAN, ToyArm(undone=SCENES_TRIED), 1)
    assert isinstance(answer, Abort) and "stack_cups/variation3 was not done in 10 scenes" in answer.what


def test_a_simulator_that_died_is_started_again_for_the_same_demonstration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(arm: ToyArm, scene: str, seed: int) -> None:
        raise ServiceError("CoppeliaSim failed.")

    monkeypatch.setattr(ToyArm, "demonstrate", dies)
    assert answer_of(tmp_path, ARM_PLAN, ToyArm(), 0) == Again("CoppeliaSim failed.")


def test_scenes_are_keyed_by_seed_split_task_and_number() -> None:
    plans = (ARM_PLAN, replace(ARM_PLAN, seed=1), replace(ARM_PLAN, split="validation"))
    drawn = [scene_seed(plan, unit, attempt) for plan in plans for unit in plan.units for attempt in range(3)]
    assert len(set(drawn)) == len(drawn) and max(drawn) < 2**63


def test_an_evaluation_episode_is_refused_by_what_it_is_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites = tmp_path / "tasks/manip/suites/wiw-v1"
    suites.mkdir(parents=True)
    (suites / "homes.json").write_text(json.dumps({"push_buttons/variation3/episode7": "e" * 64}))
    played = split_guard.evaluation_homes.__wrapped__(tmp_path / "tasks")
    monkeypatch.setattr(split_guard, "evaluation_homes", lambda: played)
    for plan in (ARM_PLAN, replace(ARM_PLAN, split="validation")):
        arm = ToyArm()
        arm.digests[0] = "e" * 64
        answer = answer_of(tmp_path, plan, arm, 0)
        assert isinstance(answer, Abort) and "push_buttons/variation3/episode7" in answer.what


def test_the_check_refuses_an_evaluation_episode_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = rows_of(data)[3]["scene_digest"]
    monkeypatch.setattr(split_guard, "evaluation_homes", lambda: {digest: "push_buttons/variation3/episode7"})
    clip, said = first_fault(data)
    assert clip == 3 and "has the bytes of push_buttons/variation3/episode7" in said


def jump(rows: Rows) -> None:
    """Move the gripper half a metre aside from row 8 on, in poses and actions."""
    for row in rows[8:]:
        row["observation.state"][1] += 0.5
    for row in rows[7:]:
        row["action"][1] += 0.5


def spin(rows: Rows) -> None:
    """Turn the gripper by 90 degrees in row 6, and tell it so in row 5."""
    rows[6]["observation.state"][3:7] = rows[5]["action"][3:7] = [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "said"),
    (
        (jump, "between frames 7 and 8 the gripper moves by 0.500 m"),
        (spin, "between frames 5 and 6 the gripper turns by"),
        (lambda rows: rows[9]["action"].__setitem__(7, 0.5), "the action of row 9 is not the pose of frame 10"),
        (lambda rows: rows[9]["observation.state"].__setitem__(0, 0.395), "the action of row 8 is not the pose"),
        (lambda rows: rows[4]["observation.state"].__setitem__(3, 2.0), "the pose of frame 4 has a quaternion"),
        (lambda rows: rows[4]["observation.state"].__setitem__(0, float("nan")), "has numbers that are none"),
        (lambda rows: rows[4]["observation.state"].__setitem__(7, 0.5), "a gripper that is 0.5"),
        (lambda rows: rows[-1]["action"].__setitem__(2, 0.0), "is not the pose of frame"),
        (lambda rows: rows[5].update(index=0), "row 5 is numbered wrongly"),
        (lambda rows: rows.pop(), "frames in its table, not"),
    ),
)
def test_rows_that_cannot_be(data: Path, change: Callable[[Rows], object], said: str) -> None:
    edit(data / DATA.format(2), change)
    summed_again(data)
    clip, found = first_fault(data)
    assert clip == 2 and said in found


@pytest.mark.parametrize(
    ("change", "clip", "said"),
    (
        ({"length": 1}, 1, "1 frames, which no clip here has"),
        ({"length": 19}, 1, "does not say that it has the frames"),
        ({"dataset_from_index": 3}, 1, "does not say that it has the frames"),
        ({"variation": 2}, 1, "says variation 2, its scene is stack_cups/variation3"),
        ({"variation": -1}, 1, "says variation -1"),
        ({"placements": 0}, 1, "0 placements"),
        ({"scene": "push_buttons"}, 1, "as the settings do"),
    ),
)
def test_a_row_that_says_something_else(data: Path, change: dict[str, Any], clip: int, said: str) -> None:
    edit(data / EPISODES, lambda rows: rows[1].update(change))
    summed_again(data)
    first, found = first_fault(data)
    assert first == clip and said in found


def test_one_scene_twice(data: Path) -> None:
    edit(data / EPISODES, lambda rows: rows[4].update(scene_digest=rows[2]["scene_digest"]))
    summed_again(data)
    assert first_fault(data) == (4, "clip 4: it has the scene of clip 2")


@pytest.mark.parametrize(
    ("kept", "every", "said"), ((-1, 14, "frames, not"), (None, 50, "no key frame at its frame 14"))
)
def test_a_video_that_lost_a_frame_or_its_key_frames(data: Path, kept: int | None, every: int, said: str) -> None:
    path = data / VIDEO.format(3)
    frames = np.stack([frame for _, frame in read_video(path)])
    write_video(path, [frames[:kept]], 20, every)
    summed_again(data)
    clip, found = first_fault(data)
    assert clip == 3 and said in found


def test_two_demonstrations_swapped(data: Path) -> None:
    for name in (VIDEO, DATA):
        first, second = data / name.format(0), data / name.format(1)
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
    summed_again(data)
    assert first_fault(data)[0] == 0


def arm_question(**changes: Any) -> Any:
    asked = question(
        suite="rlbench",
        environment="rlbench",
        scenes_of="rlbench",
        rig=find_source("rlbench").rig,
        policy="",
        clip_frames=None,
        fps=None,
    )
    return replace(asked, **{"scenes": "push_buttons", **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    (
        ({"scenes": ""}, "no task was named"),
        ({"scenes": "push_buttons/variation3/episode7"}, "stored demo, which evaluation plays"),
        ({"scenes": "3"}, "no task of RLBench"),
        ({"scenes": "push_buttons,push_buttons"}, "twice"),
        ({"clip_frames": 14}, "a clip of an arm is a whole demonstration"),
        ({"policy": "waypoints"}, "are for walks"),
        ({"layout": "folders"}, "layout folders is for walks"),
        ({"camera": "pano"}, "no camera 'pano'"),
        ({"split": "test"}, "collected for nobody"),
    ),
)
def test_wrong_questions(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        make_plan(arm_question(**changes), "simulator")


def test_a_plan_of_named_variations() -> None:
    plan = make_plan(arm_question(scenes="push_buttons/variation8:push_buttons/variation10,stack_cups", clips=9), "x")
    assert plan.scenes == (*(f"push_buttons/variation{n}" for n in (8, 9, 10)), "stack_cups")
    assert plan.whole and plan.fps == 20 and len(plan.units) == 9 and {unit.clips for unit in plan.units} == {1}
    assert (plan.camera.height, plan.camera.width) == (500, 500)


def test_only_an_arm_has_whole_clips() -> None:
    for changes in ({"environment": "embedded"}, {"clip_frames": 14}, {"clips_per_trajectory": 2}):
        with pytest.raises(Refusal, match="cannot be had of"):
            replace(ARM_PLAN, **changes)  # type: ignore[arg-type]
