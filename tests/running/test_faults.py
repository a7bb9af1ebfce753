"""Whose fault it was decides: the model's counts at once, the machine's not at all, the harness's is tried again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import MachineError, WiwError
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.plan import Patience
from tests.running import fake


def test_a_fault_of_the_model_is_never_tried_again(tmp_path: Path) -> None:
    plan = fake.plan(4, misbehave={"e000": "model", "e001": "model_late"})
    rows = RunFolder.open(runs.start(plan, tmp_path).path).rows()
    assert [(row.result.state, row.attempts) for row in rows[:2]] == [("error", 1), ("timeout", 1)]
    assert all(row.result.state in ("ok", "failed") for row in rows[2:])


def test_a_disk_that_fails_stops_the_run_and_counts_nothing(tmp_path: Path) -> None:
    plan = fake.plan(4, misbehave={"e001": "no_space"})
    folder = runs.create(plan, tmp_path)
    with pytest.raises(MachineError, match=r"/some/cache.*No space left on device"):
        runs.play(folder, plan)
    assert {row.result.state for row in folder.rows()} <= {"ok", "failed", "planned"}
    assert folder.rows()[1].result.state == "planned"


def test_a_cache_that_cannot_be_written_in_the_middle_of_a_run_stops_it_with_a_hint(tmp_path: Path) -> None:
    plan = fake.plan(4, misbehave={"e001": "no_cache"})
    folder = runs.create(plan, tmp_path)
    with pytest.raises(MachineError, match=r"homes cache.*WIW_CACHE"):
        runs.play(folder, plan)
    assert [row.result.state for row in folder.rows()][1] == "planned"
    assert runs.resume(folder.path, fake.plan(4)).exit_code == 0


def test_a_model_that_does_not_start_is_started_once(tmp_path: Path) -> None:
    plan = fake.plan(4, start="model")
    folder = runs.create(plan, tmp_path)
    with pytest.raises(WiwError, match="the fake model did not start"):
        runs.play(folder, plan)
    assert sum(log.read_text().count("the model starts") for log in folder.logs.glob("worker-*.log")) == 1


def test_equal_failures_stop_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    broken = dict.fromkeys((f"e{number:03d}" for number in range(8)), "model")
    outcome = runs.start(fake.plan(8, misbehave=broken), tmp_path)
    assert outcome.counts["error"] == 3 and outcome.counts["planned"] == 5
    assert outcome.interrupted and outcome.exit_code == 3
    assert "3 equal failures in a row, the last: the model died of e" in outcome.stopped
    patient = fake.plan(8, misbehave=broken).with_patience(Patience(max_failures=0))
    further = runs.resume(outcome.path, patient)
    assert (further.counts["error"], further.stopped) == (8, "")


def test_a_run_whose_last_episodes_fail_is_not_stopped(tmp_path: Path) -> None:
    outcome = runs.start(fake.plan(3, misbehave=dict.fromkeys(("e000", "e001", "e002"), "model")), tmp_path)
    assert (outcome.stopped, outcome.counts["error"]) == ("", 3)


def test_attempts_are_counted_over_all_starts_of_a_run(tmp_path: Path) -> None:
    plan = fake.plan(3, misbehave={"e001": "service_once"})
    once = runs.start(replace(plan, max_attempts=1), tmp_path)
    again = runs.resume(once.path, plan, retry_errors=True)
    assert again.exit_code == 0
    assert [row.attempts for row in RunFolder.open(once.path).rows()] == [1, 2, 1]


def test_a_resumed_run_has_the_timeout_that_is_asked_for(tmp_path: Path) -> None:
    plan = fake.plan(2)
    assert plan.with_patience(Patience(timeout_s=7.0)).deadlines.imagine_s == 7.0
    longer = plan.with_patience(Patience(timeout_s=5000.0)).deadlines
    assert longer.episode_s > longer.imagine_s
    assert plan.with_patience(Patience()) == plan
