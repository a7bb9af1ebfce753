"""Runs with real worker processes and a fake player: outcomes depend on the plan alone."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal, WiwError
from harness.records.errors import DiskFull
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.plan import PhaseDeadlines
from harness.running.progress import PLAYING, PREPARING, STARTING, Progress
from tests.running import fake

COUNT = 6


@functools.cache
def expected_root(count: int = COUNT, seeds: tuple[int, ...] = (0,)) -> str:
    """Return the root of an undisturbed run with one worker."""
    with tempfile.TemporaryDirectory() as folder:
        return runs.start(fake.plan(count, seeds=seeds), Path(folder)).trajectory_root


@pytest.mark.parametrize(("workers", "shuffle"), [(1, 5), (2, None), (3, 6)])
def test_the_root_depends_on_neither_workers_nor_order(tmp_path: Path, workers: int, shuffle: int | None) -> None:
    outcome = runs.start(fake.plan(workers=workers), tmp_path, shuffle=shuffle)
    assert outcome.trajectory_root == expected_root()
    assert outcome.exit_code == 0
    assert outcome.counts["ok"] + outcome.counts["failed"] == COUNT
    assert RunFolder.open(outcome.path).trajectory_root() == outcome.trajectory_root


def test_seeds_give_other_trajectories_of_the_same_episodes(tmp_path: Path) -> None:
    outcome = runs.start(fake.plan(2, seeds=(0, 1)), tmp_path)
    rows = RunFolder.open(outcome.path).rows()
    assert [(row.key.episode, row.key.seed) for row in rows] == [("e000", 0), ("e001", 0), ("e000", 1), ("e001", 1)]
    assert len({row.result.trajectory_digest for row in rows}) == 4


def test_progress_counts_every_episode(tmp_path: Path) -> None:
    seen: list[Progress] = []
    runs.start(fake.plan(4), tmp_path, seen.append)
    assert seen[0].done == 0
    assert [progress.done for progress in seen if progress.last is not None] == [1, 2, 3, 4]
    assert list(dict.fromkeys(progress.phase for progress in seen)) == [STARTING, "starting fake", PREPARING, PLAYING]
    assert seen[0].eta_s is None
    assert seen[-1].eta_s == 0.0
    assert seen[-1].episodes_per_minute is not None and seen[-1].episodes_per_minute > 0.0


def test_bad_episodes_keep_their_place_and_the_others_are_played(tmp_path: Path) -> None:
    misbehave = {
        "e000": "error", "e001": "bug", "e002": "crash", "e003": "hang", "e004": "service", "e005": "service_once",
    }  # fmt: skip
    plan = fake.plan(8, workers=2, misbehave=misbehave, deadlines=PhaseDeadlines(episode_s=1.5))
    outcome = runs.start(plan, tmp_path)
    rows = {row.key.episode: row for row in RunFolder.open(outcome.path).rows()}
    states = [row.result.state for row in rows.values()]
    assert states[:5] == ["error", "error", "error", "timeout", "error"]
    assert set(states[5:]) <= {"ok", "failed"}
    assert [row.attempts for row in rows.values()] == [1, 1, 3, 1, 3, 2, 1, 1]
    assert "not navigable" in rows["e000"].result.error
    assert "ZeroDivisionError" in rows["e001"].result.error
    assert "3 attempts: worker" in rows["e002"].result.error
    assert "signal 9" in rows["e002"].result.error
    assert "1.5 s" in rows["e003"].result.error
    assert outcome.exit_code == 3
    assert sum(outcome.counts.values()) == 8


def test_errors_are_played_again_only_when_asked(tmp_path: Path) -> None:
    plan = fake.plan(COUNT, misbehave={"e001": "service_once"})
    once = runs.start(replace(plan, max_attempts=1), tmp_path)
    assert once.counts["error"] == 1
    assert runs.resume(once.path, plan).counts["error"] == 1
    again = runs.resume(once.path, plan, retry_errors=True)
    assert again.exit_code == 0
    assert again.trajectory_root == expected_root()


def test_a_refusal_ends_the_run_with_its_message(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"the fake refuses\. Ask a real one\."):
        runs.start(fake.plan(start="refuse"), tmp_path)


def test_a_refusal_after_the_first_episode_concerns_that_episode_alone(tmp_path: Path) -> None:
    outcome = runs.start(fake.plan(4, misbehave={"e003": "refuse"}), tmp_path)
    assert (outcome.counts["error"], outcome.counts["planned"]) == (1, 0)
    with pytest.raises(Refusal, match="wrong size"):
        runs.start(fake.plan(4, misbehave={"e000": "refuse"}), tmp_path)


def test_services_that_never_start_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(WiwError, match=r"3 workers in a row did not start.*the fake service did not start"):
        runs.start(fake.plan(workers=2, start="fail"), tmp_path)


def test_a_full_disk_ends_the_run_and_keeps_what_is_committed(tmp_path: Path) -> None:
    plan = fake.plan(3, misbehave={"e002": "disk_full"})
    folder = runs.create(plan, tmp_path)
    with pytest.raises(DiskFull, match="no space left"):
        runs.play(folder, plan)
    states = [row.result.state for row in folder.rows()]
    assert states[2] == "planned"
    assert "planned" not in states[:2]


def test_two_runs_cannot_play_one_folder(tmp_path: Path) -> None:
    plan = fake.plan(1)
    folder = runs.create(plan, tmp_path)
    with folder.lock(), pytest.raises(Refusal, match="another run"):
        runs.resume(folder.path, plan)


def test_a_complete_run_is_not_played_again(tmp_path: Path) -> None:
    plan = fake.plan(2)
    first = runs.start(plan, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in (first.path / "episodes").rglob("*")}
    again = runs.resume(first.path, plan)
    assert again.trajectory_root == first.trajectory_root
    assert {path: path.stat().st_mtime_ns for path in (first.path / "episodes").rglob("*")} == files
