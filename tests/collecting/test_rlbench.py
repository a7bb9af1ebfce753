"""The command, its processes and RLBench's service, with the double where RLBench and PyRep would be installed.

The double's planner is seeded, so bytes are equal here; the real one's is not (docs/collecting.md).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli.collect import collect_command
from harness.collecting import tables
from harness.collecting.demonstrations import DemonstrationService, scene_seed
from harness.collecting.layouts import UNITS, WORK
from harness.collecting.plan import read_plan
from harness.collecting.services import Machine
from harness.collecting.validate import check_dataset
from harness.contracts.errors import Refusal, SpecMismatch, WiwError
from harness.runtimes.environments import find_environment
from images.rlbench.demos import StoredStart
from images.rlbench.environment import drawn_seed
from tests.collecting.arm import ARM_PLAN
from tests.collecting.test_check import DATA, EPISODES
from tests.collecting.test_data import files_of
from tests.images.rlbench.interpreter import double_python
from tests.images.rlbench.stored_demos import state_of

ROOT = Path(__file__).resolve().parents[2]
SCENES, CLIPS = "push_buttons,push_button/variation1", 5


def asked(python: Path) -> dict[str, Any]:
    return {"suite": "rlbench", "scenes": SCENES, "clips": CLIPS, "env_python": str(python)}


def words(folder: Path, python: Path) -> tuple[str, ...]:
    """Return the same as it is typed, for one process."""
    options = (*("--suite", "rlbench"), *("--scenes", SCENES), *("--clips", str(CLIPS)), *("--env-python", str(python)))
    return ("collect", "manip", str(folder), "1", *options)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return double_python(tmp_path_factory.mktemp("double"))


@pytest.fixture(scope="module")
def data(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert collect_command("manip", folder, 2, **asked(python)) == 0
    return folder / "manip"


def test_the_command_collects_demonstrations_that_pass_the_check(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_dataset(data).faults == ()
    rows = tables.read_rows(data / EPISODES)
    assert [row["scene"] for row in rows] == ["push_buttons", "push_button/variation1"] * 2 + ["push_buttons"]
    assert len({row["length"] for row in rows}) > 1
    plan = json.loads((data / "meta/collect.json").read_text())["plan"]
    assert plan["simulator"].startswith("CoppeliaSim 4.1.0, PyRep") and plan["camera"]["width"] == 500
    for row in rows:
        table = tables.read_rows(data / DATA.format(row["data/file_index"]))
        assert table[0]["observation.state"][2] == pytest.approx(1.4) and table[-1]["action"][7] == 0.0


def test_every_scene_follows_from_its_seed(data: Path) -> None:
    """Whoever knows the settings can make a scene again, and say which one it is."""
    plan = read_plan(data)
    for unit, row in zip(plan.units, tables.read_rows(data / EPISODES), strict=True):
        seed = drawn_seed(scene_seed(plan, unit, row["attempt"]), "collect")
        start = StoredStart(row["variation"], state_of(seed), None)  # type: ignore[arg-type]
        assert start.digest(unit.scene.partition("/")[0]) == row["scene_digest"]


@pytest.mark.slow
def test_one_process_writes_the_same_bytes_after_a_kill(data: Path, python: Path, tmp_path: Path) -> None:
    """The main process dies after two demonstrations; those are kept as they are."""
    folder = tmp_path / "manip"
    code = f"from harness.cli.app import main; main({words(tmp_path, python)!r})"
    running = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list((folder / WORK / UNITS).glob("[0-9]*.json"))) < 2 and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("videos/*/*/*.mp4")}
    assert 2 <= len(kept) < CLIPS
    assert collect_command("manip", tmp_path, 1, **asked(python)) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert files_of(folder) == files_of(data)


@pytest.mark.slow
def test_a_simulator_that_takes_its_process_with_it_is_started_again(
    data: Path, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = tmp_path / "crash"
    crash.touch()
    monkeypatch.setenv("WIW_DOUBLE_CRASH", str(crash))
    assert collect_command("manip", tmp_path / "data", 1, **asked(python)) == 0
    assert not crash.exists()
    assert files_of(tmp_path / "data/manip") == files_of(data)


def test_without_rlbench_a_sentence_says_what_to_do(tmp_path: Path, python: Path) -> None:
    with pytest.raises(Refusal, match=r"has no rlbench\. Give the Python of an environment with RLBench"):
        collect_command("manip", tmp_path, 1, suite="rlbench", scenes="push_buttons")
    with pytest.raises(Refusal, match="display of DISPLAY"):
        collect_command("manip", tmp_path, 1, env_gpu="0", **asked(python))
    with pytest.raises(Refusal, match="no task was named"):
        collect_command("manip", tmp_path, 1, suite="rlbench")
    assert not list(tmp_path.iterdir())


def test_a_task_that_rlbench_does_not_have(tmp_path: Path, python: Path) -> None:
    with pytest.raises(WiwError, match="trajectory 0 in stack_books: RLBench has no task 'stack_books'"):
        collect_command("manip", tmp_path, 1, **{**asked(python), "scenes": "stack_books", "clips": 1})


def test_a_camera_of_another_rlbench_is_refused(tmp_path: Path, python: Path) -> None:
    with pytest.raises(SpecMismatch, match="RLBench has the camera"):
        DemonstrationService(find_environment("rlbench"), ARM_PLAN.camera, Machine("", str(python)), tmp_path / "log")
