"""Demonstrations by sub-goals: the tabletop's, from the command's plan to training clips, and planted faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.collecting.continuity import broken_commands
from harness.collecting.dataset_reader import ReadClip
from harness.collecting.demonstrations import record_demonstration
from harness.collecting.plan import CollectPlan
from harness.collecting.simulators import Demonstration, Moment
from harness.collecting.sources import find_source
from harness.collecting.validate import check_dataset
from harness.contracts.actions import DISCRETE7, Vector
from harness.contracts.arm_poses import discrete_pose
from harness.contracts.errors import Refusal, SpecMismatch
from harness.posttraining.lerobot_clips import LerobotClips
from harness.posttraining.open_data import open_all
from tests.collecting.arm import ARM_PLAN, ToyArm
from tests.collecting.toy import make_data

SCENES = ("push_buttons/variation60", "stack_cups/variation61")
PLAN: CollectPlan = replace(ARM_PLAN, suite="tabletop", environment="tabletop", scenes=SCENES, clips=4, fps=1)
GOALS = [(50.0 + step, 50.0, 30.0, 120.0, 60.0, 60.0, float(step % 2)) for step in range(6)]


class ToyTable(ToyArm):
    """Reaches every sub-goal but one, whose moment says so."""

    def demonstrate(self, scene: str, seed: int) -> Demonstration:
        shown = super().demonstrate(scene, seed)
        moments = [replace(shown.moments[0], pose=discrete_pose(GOALS[0]))]
        for step, goal in enumerate(GOALS):
            pose = discrete_pose(goal)
            if step == 2:
                pose = (pose[0] + 0.1, *pose[1:])
            moments.append(Moment(shown.moments[step + 1].rgb, pose, goal, step == 2))
        return replace(shown, moments=tuple(moments))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), PLAN, ToyTable())


def test_rows_say_what_was_told_and_what_was_blocked(data: Path) -> None:
    assert check_dataset(data).faults == ()
    info = json.loads((data / "meta/info.json").read_text())
    assert info["robot_type"] == "tabletop-panda" and info["fps"] == 1
    assert info["features"]["action"]["names"][:2] == ["voxel_x", "voxel_y"] and "collided" in info["features"]
    card = (data / "README.md").read_text()
    assert "after a commanded pose" in card and "simulation step" not in card


def test_training_clips_are_told_the_published_numbers(data: Path) -> None:
    opened = open_all([data], 7, frozenset({"actions", "collided"}), "a model", "train")[0]
    assert isinstance(opened, LerobotClips) and len(opened.windows) == PLAN.clips
    clip = opened.read(opened.windows[0])
    assert clip.frames.shape == (7, PLAN.camera.height, PLAN.camera.width, 3)
    assert clip.actions == tuple(Vector(DISCRETE7, goal) for goal in GOALS)
    assert clip.collided is not None and clip.collided.tolist() == [False, False, True, False, False, False]


def read_clip() -> ReadClip:
    poses = np.array([discrete_pose(goal) for goal in (GOALS[0], *GOALS)])
    return ReadClip({}, poses, np.array([*GOALS, GOALS[-1]]), (False,) * 7, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda clip: clip.poses[3].__setitem__(0, 0.9), "and not blocked"),
        (lambda clip: clip.poses[3].__setitem__(7, 1.0 - clip.poses[3][7]), "the gripper of frame 3"),
        (lambda clip: clip.actions[2].__setitem__(0, 50.5), "row 2: x of a discrete7 action is 50.5"),
        (lambda clip: clip.poses[2].__setitem__(3, 4.0), "the pose of frame 2 has a quaternion"),
    ],
)
def test_sub_goals_that_cannot_be_are_found(change: Callable[[ReadClip], None], said: str) -> None:
    clip = read_clip()
    assert broken_commands(clip) == ""
    change(clip)
    assert said in broken_commands(clip)


def test_a_simulator_that_says_no_sub_goals_is_refused() -> None:
    with pytest.raises(SpecMismatch, match="did not say which poses"):
        record_demonstration(ToyArm(), PLAN, PLAN.units[0])
    with pytest.raises(SpecMismatch, match="said which poses"):
        record_demonstration(ToyTable(), ARM_PLAN, ARM_PLAN.units[0])


def test_the_tabletop_is_a_source_of_its_own_and_unknown_ones_are_none() -> None:
    source = find_source("tabletop")
    assert (source.environment, source.loaded) == ("tabletop", None)
    with pytest.raises(Refusal):
        find_source("habitat")
