"""What is refused, at once and before anything is written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.collect import collect_command, describe
from harness.collecting import split_guard
from harness.collecting.choosing import parse_scenes
from harness.collecting.config import Question, make_plan
from harness.collecting.layouts import WORK
from harness.collecting.pipeline import CollectProgress, check_folder
from harness.contracts.errors import Refusal
from harness.running.messages import Abort
from tasks.suite import load_suite
from tests.collecting.toy import PLAN, ToyBackend, answer_of, make_data


def question(**changes: Any) -> Question:
    suite = load_suite("embedded")
    asked = Question(
        name="demo",
        suite=suite.name,
        environment=suite.environment,
        scenes_of=suite.environment,
        rig=suite.rig,
        camera="front",
        split="train",
        scenes="",
        policy="waypoints",
        clips=50,
        clip_frames=14,
        fps=10,
        seed=0,
        layout="lerobot",
    )
    return replace(asked, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    (
        ({"clips": 0}, "at least one clip"),
        ({"clips": -3}, "at least one clip"),
        ({"clip_frames": 1}, "--clip-frames 1"),
        ({"seed": -1}, "--seed -1"),
        ({"fps": 0}, "--fps 0"),
        ({"name": "../x"}, "no name of a folder"),
        ({"camera": "fron"}, "no camera 'fron'"),
        ({"policy": "waypoint"}, "Did you mean 'waypoints'"),
        ({"layout": "folder"}, "Did you mean 'folders'"),
        ({"split": "test"}, "collected for nobody"),
        ({"split": "trian"}, "Did you mean 'train'"),
        ({"scenes": "train-99999"}, "no home"),
        ({"scenes": "kitchen"}, "no home"),
        ({"scenes": "test-0001"}, "split 'test'"),
        ({"scenes": "train-0001,validation-0002"}, "split 'validation'"),
        ({"scenes": "train-0003,train-0003"}, "twice"),
        ({"scenes": "train-0009:train-0003"}, "ends before"),
        ({"scenes": "60", "clips": 50}, "fewer than the 60 scenes"),
    ),
)
def test_wrong_questions(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        make_plan(question(**changes), "simulator")


def test_a_home_for_every_25_clips_and_every_named_home() -> None:
    assert make_plan(question(), "simulator").scenes == ("train-0000", "train-0001")
    named = make_plan(question(scenes="train-0004:train-0008", clips=12), "simulator")
    assert {unit.scene for unit in named.units} == set(named.scenes) and len(named.scenes) == 5
    assert parse_scenes("train-0001,train-0004:train-0006", "train") == [
        "train-0001", "train-0004", "train-0005", "train-0006",
    ]  # fmt: skip


def test_every_named_home_is_in_the_data() -> None:
    for clips in range(5, 40):
        plan = make_plan(question(scenes="5", clips=clips), "simulator")
        assert {unit.scene for unit in plan.units} == {f"train-000{i}" for i in range(5)}, clips
        assert sum(unit.clips for unit in plan.units) == clips


def test_a_validation_home_may_be_collected_as_such() -> None:
    assert make_plan(question(split="validation"), "simulator").scenes == ("validation-0000", "validation-0001")


def test_the_bytes_of_a_home_count_and_not_its_name(tmp_path: Path) -> None:
    digest, name = next(iter(split_guard.evaluation_homes().items()))
    backend = ToyBackend()
    backend.digests["train-9000"] = digest
    answer = answer_of(tmp_path, PLAN, backend, 0)
    assert isinstance(answer, Abort) and name in answer.what
    assert not list(tmp_path.iterdir())


def test_suites_guard_validation_and_test_homes() -> None:
    splits = {split_guard.split_of(name) for name in split_guard.evaluation_homes().values()}
    assert {"validation", "test"} <= splits and "train" not in splits


def test_other_settings_and_other_folders(tmp_path: Path) -> None:
    folder = make_data(tmp_path)
    assert check_folder(folder, PLAN)
    with pytest.raises(Refusal, match="seed: 0 there, 3 asked"):
        check_folder(folder, replace(PLAN, seed=3))
    with pytest.raises(Refusal, match="clips: 10 there, 12 asked"):
        check_folder(folder, replace(PLAN, clips=12))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    with pytest.raises(Refusal, match="is no collection"):
        check_folder(tmp_path / "other", PLAN)
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refusal, match="is not a folder"):
        check_folder(tmp_path / "file" / "demo", PLAN)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Refusal, match="can be written"):
        check_folder(tmp_path / "demo", PLAN)


def test_the_command_needs_its_arguments(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="EXP_ID, OUTPUT_DIR and NUM_PROCESSES"):
        collect_command("demo")
    with pytest.raises(Refusal, match="NUM_PROCESSES 0"):
        collect_command("demo", tmp_path, 0)
    with pytest.raises(Refusal, match="for Habitat"):
        collect_command("demo", tmp_path, 1, env_python="python3.9")
    with pytest.raises(Refusal, match="no suite"):
        collect_command("demo", tmp_path, 1, suite="embeded")
    assert not list(tmp_path.iterdir())


def test_progress_says_speed_and_time_left() -> None:
    waiting = describe(CollectProgress(0, 50, 2, None, None, (), 7, 72.4))
    assert waiting == "0/50 clips · 2 processes · compiling and opening scenes, 0 of 7 1:12"
    line = describe(CollectProgress(17, 50, 2, 143.2, 83.0))
    assert line == "17/50 clips · 2 processes · 143 frames/s · 1:23 left"
    assert WORK.startswith(".")
