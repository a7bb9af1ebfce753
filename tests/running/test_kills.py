"""SIGKILL, Ctrl-C and a vanished main process lose nothing and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.local_processes import WorkerProcess
from harness.running.progress import PREPARING, STOPPING, Progress
from tests.running import fake
from tests.running.kill_study import CHECKOUT, Commands, Study
from tests.running.processes import WORKER, descendants, running, survivors

COMMAND = f"{sys.executable} -m tests.running.fake_command"


def test_random_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    start = f"{COMMAND} --episodes 10 --workers 2 --play-s 0.15 --out {{out}}"
    study = Study(
        Commands(start, f"{COMMAND} --episodes 10 --workers 2 --play-s 0.15 --resume {{run}}"), tmp_path, seed=1
    )
    root = study.undisturbed()
    for number, kinds in enumerate((["worker"], ["main", "tree"]), start=1):
        study.killed(number, 2, root, kinds)
    assert study.findings.clean, study.findings.summary()
    assert study.findings.runs == 2


def started(out: Path, episodes: int = 10, play_s: float = 0.2) -> tuple[subprocess.Popen[bytes], RunFolder]:
    """Start a run of its own session and return it when its first episode is committed."""
    command = [sys.executable, "-m", "tests.running.fake_command", "--out", str(out), "--workers", "2"]
    command += ["--episodes", str(episodes), "--play-s", str(play_s)]
    process = subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True)
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        files = list(out.glob("*/journal.sqlite"))
        if files and any(row.committed_at for row in RunFolder.open(files[0].parent).rows()):
            return process, RunFolder.open(files[0].parent)
        time.sleep(0.02)
    raise AssertionError("no episode was committed in 30 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_partial_and_resumable(tmp_path: Path, number: int) -> None:
    process, folder = started(tmp_path)
    below = descendants(process.pid)
    assert len(running(WORKER, below)) == 2
    process.send_signal(number)
    assert process.wait(timeout=20) == 3
    assert not survivors(below, patience_s=0.5)
    states = {row.result.state for row in folder.rows()}
    assert "planned" in states
    assert states & {"ok", "failed"}
    plan = fake.plan(10)
    resumed = runs.resume(folder.path, plan)
    assert resumed.exit_code == 0
    assert resumed.trajectory_root == runs.start(plan, tmp_path / "whole").trajectory_root


def test_the_first_signal_is_told_and_the_second_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that do not hear of a stop are waited for no longer than until the second signal."""
    monkeypatch.setattr(WorkerProcess, "terminate", lambda worker: None)
    told: list[tuple[str, float]] = []

    def on_progress(progress: Progress) -> None:
        told.append((progress.phase, time.monotonic()))
        if progress.phase in (PREPARING, STOPPING):
            os.kill(os.getpid(), signal.SIGINT)

    plan = fake.plan(2, play_s=60.0)
    outcome = runs.start(plan, tmp_path, on_progress)
    assert outcome.interrupted and outcome.counts["planned"] == 2
    stopping = [at for phase, at in told if phase == STOPPING]
    assert len(stopping) == 1 and time.monotonic() - stopping[0] < 4.0  # and 5 s where nobody presses again


def test_workers_do_not_outlive_a_killed_main_process(tmp_path: Path) -> None:
    process, folder = started(tmp_path, play_s=1.0)
    below = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not survivors(below, patience_s=2.0)
    before = {path.name for path in folder.episodes.iterdir()}
    with folder.lock():
        time.sleep(0.3)
    assert {path.name for path in folder.episodes.iterdir()} == before
