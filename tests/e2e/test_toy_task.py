"""A task is a folder: one under `tests/`, with an environment of its own, is played without a line in the harness."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

EPISODES = 8
MAKE = """
import sys
from pathlib import Path
from harness.contracts.cameras import Pose
from harness.contracts.digest import digest
from harness.contracts.episodes import Episode
from harness.planning.bank_states import decision_states
from lamps.task import LampsEnvironment
from tasks.bank_files import SEED, bank_bytes, bank_path, encoded, file_of, state_data
from tasks.registry import load_task
from tasks.suite import load_suite
from tasks.suite_files import write_episodes, write_json

suite, task = load_suite("lamps", "lamps"), load_task("lamps")
tier = suite.tier()
episodes = []
for number in range(8):
    start, lamp = 2 + number, 2 + number + (number % 4 + 1) * (1 if number < 4 else -1)
    payload = {"lamp": lamp, "lamps_away": abs(lamp - start)}
    pose = Pose((0.0, 0.0, float(start)), (1.0, 0.0, 0.0, 0.0))
    scene, steps = "corridor", abs(lamp - start) + (lamp < start)
    episodes.append(Episode(f"e{number}", "lamps", "near", "validation", scene, f"h{number % 4}", pose, steps, payload))
write_episodes(suite.episode_path("near", "validation"), episodes)
write_json(suite.folder / "homes.json", {"corridor": digest("corridor")})
kept, images = [], {}
for episode in episodes:
    for state in decision_states(task.begin, LampsEnvironment(), episode, task.parts_of(tier, ""), SEED, 2):
        data = state_data(state)
        kept.append(data)
        images.update({data.view: encoded(state.view.rgb), data.goal: encoded(state.prompt.rgb)})
file_of(bank_path(suite), tier.view).write_bytes(bank_bytes(suite, {"near": kept}, images))
"""
"""Makes the data of the toy's suite, as a task's own `make_episodes` and `make_bank` do."""

PLAY = ("--task", "lamps", "--suite", "lamps", "--workers", "1")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy's folder and its data, as a user would keep it."""
    folder = tmp_path_factory.mktemp("tasks")
    shutil.copytree(ROOT / "tests" / "toy_task" / "lamps", folder / "lamps")
    variables = {**variables_for(folder), "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    subprocess.run([sys.executable, "-c", MAKE], env=variables, cwd=ROOT, check=True)
    return folder


def variables_for(toy: Path) -> dict[str, str]:
    return {**os.environ, "WIW_TASKS": str(toy), "COLUMNS": "200"}


def benchmark(toy: Path, *arguments: str) -> str:
    """Run a command and return what it prints; it must end well."""
    command = [sys.executable, str(ROOT / "benchmark.py"), *arguments]
    done = subprocess.run(command, env=variables_for(toy), cwd=toy, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def runs(toy: Path) -> Path:
    """The runs of the simulator and of `none`."""
    for wm in ("gtsim", "none"):
        benchmark(toy, "--wm", wm, *PLAY, "--json", "--out", str(toy / "runs"))
    return toy / "runs"


def folder_of(runs: Path, wm: str) -> Path:
    (found,) = runs.glob(f"*-lamps-near-{wm}-*")
    return found


def test_the_task_and_its_suite_are_listed(toy: Path) -> None:
    assert "lamps" in benchmark(toy, "list", "tasks") and "lamps-v1" in benchmark(toy, "list", "suites")


def test_a_run_is_played_scored_by_its_own_metric_and_undamaged(toy: Path, runs: Path) -> None:
    results = json.loads((folder_of(runs, "gtsim") / "results.json").read_text())
    assert results["task"] == "lamps" and results["episodes"]["ok"] == EPISODES and not results["damaged"]
    assert results["metrics"]["thrift"]["value"] == pytest.approx(1.0, abs=0.5) and "spl" not in results["metrics"]
    with (folder_of(runs, "gtsim") / "results.csv").open() as file:
        assert "thrift" in next(csv.reader(file))
    page = (folder_of(runs, "gtsim") / "report.html").read_text()
    assert "Thrift" in page and "SPL" not in page


def test_an_interrupted_run_resumes_to_the_same_root(toy: Path, runs: Path) -> None:
    whole = json.loads((folder_of(runs, "gtsim") / "results.json").read_text())["trajectory_root"]
    command = [sys.executable, str(ROOT / "benchmark.py"), "--wm", "gtsim", *PLAY, "--out", str(toy / "again")]
    variables = {**variables_for(toy), "LAMPS_WAIT_S": "1.0"}
    playing = subprocess.Popen(command, env=variables, cwd=toy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120.0
    while not list((toy / "again").glob("*/episodes/*/trajectory.json")):
        assert playing.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    playing.send_signal(signal.SIGINT)
    assert playing.wait(60.0) == 3
    results = json.loads(benchmark(toy, "--resume", str(folder_of(toy / "again", "gtsim")), "--json"))
    assert results["trajectory_root"] == whole


def test_runs_are_reported_and_compared_by_the_task_s_metrics(toy: Path, runs: Path) -> None:
    one, other = folder_of(runs, "gtsim"), folder_of(runs, "none")
    assert json.loads(benchmark(toy, "report", str(one), "--json"))["damaged"] is False
    compared = benchmark(toy, "compare", str(one), str(other))
    assert "thrift" in compared.lower() and "success" in compared


def test_a_bank_of_its_states_is_asked(toy: Path) -> None:
    said = benchmark(toy, "bank", "--wm", "gtsim", "--task", "lamps", "--suite", "lamps", "--out", str(toy / "banks"))
    assert "regret" in said
