"""`--references` plays the references that no run gives already, and reuses those that do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import play
from harness.contracts.errors import Refusal
from harness.contracts.results import ERROR, FAILED, PLANNED
from harness.records.folder import RunFolder
from harness.records.identity import Provenance
from harness.running import runs
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.progress import RunOutcome
from harness.running.run_options import RunOptions
from tests.studies.small_suite import commit

SEVEN = {"none", "look", "homing", "oracle", "copy", "warp", "gtsim"}


def options(wm: str, **changes: Any) -> RunOptions:
    return replace(RunOptions(wm, "ignav", suite="embedded-v1", split="test", episodes="3"), **changes)


def write(root: Path, plan: RunPlan, run_id: str, state: str = FAILED) -> RunFolder:
    """Write the run of a plan; its first episode ended in ``state``, the others were played and not solved."""
    provenance = Provenance(1.79e9, (), {}, {}, "")
    folder = RunFolder.create(root, plan.identity, plan.execution(), provenance, run_id)
    with folder.lock():
        journal = folder.journal_to_write()
        for number, row in enumerate(folder.rows()):
            ended = state if number == 0 else FAILED
            if ended == FAILED:
                commit(folder, journal, row, solved=False)
            elif ended != PLANNED:
                journal.commit(row.key, replace(row.result, state=ended, error="broke"), 1)
        journal.close()
    return folder


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace playing by writing the run's rows; return the world models that were played, in order."""
    names: list[str] = []

    def create(plan: RunPlan, root: Path) -> RunFolder:
        names.append(plan.identity.wm)
        return write(root, plan, f"played-{len(names)}-{plan.identity.wm}")

    def finished(folder: RunFolder, *rest: object) -> RunOutcome:
        return RunOutcome(folder.path, {}, "", False, 0.0)

    monkeypatch.setattr(runs, "create", create)
    monkeypatch.setattr(runs, "play", finished)
    return names


def test_all_seven_are_played_once_and_then_reused(tmp_path: Path, played: list[str]) -> None:
    asked = options("gtsim-walls")
    play.play_references(asked, make_plan(asked), tmp_path)
    assert set(played) == SEVEN and len(played) == 7
    play.play_references(asked, make_plan(asked), tmp_path)
    assert len(played) == 7
    other = options("gtsim")
    play.play_references(other, make_plan(other), tmp_path)  # another world model on the same episodes
    assert len(played) == 7


@pytest.mark.parametrize(
    "changes", [{"episodes": "4"}, {"seeds": "1"}, {"stop": "oracle"}, {"split": "validation"}, {"tier": "detour"}]
)
def test_another_question_is_another_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = write(tmp_path, make_plan(options("warp")), "first")
    found = play.reusable(make_plan(options("warp")), tmp_path)
    assert found is not None and found.path == folder.path
    assert play.reusable(make_plan(options("warp", **changes)), tmp_path) is None


@pytest.mark.parametrize("state", [PLANNED, ERROR])
def test_a_run_that_was_not_played_to_its_end_is_not_reused(tmp_path: Path, state: str) -> None:
    write(tmp_path, make_plan(options("warp")), "first", state)
    assert play.reusable(make_plan(options("warp")), tmp_path) is None


def test_a_run_of_another_hash_is_not_reused(tmp_path: Path) -> None:
    plan = make_plan(options("warp"))
    write(tmp_path, replace(plan, identity=replace(plan.identity, suite_hash="0" * 64)), "old")
    assert play.reusable(plan, tmp_path) is None


DEFAULT = {"split": "validation", "episodes": ""}


def test_shipped_references_are_not_played(tmp_path: Path, played: list[str]) -> None:
    asked = options("gtsim-walls", **DEFAULT)
    play.play_references(asked, make_plan(asked), tmp_path)
    assert played == []
    few = options("gtsim-walls", split="validation", episodes="2")
    play.play_references(few, make_plan(few), tmp_path)
    assert played == [], "the shipped ones hold each episode of its own"
    other_seed = options("gtsim-walls", **{**DEFAULT, "seeds": "1"})
    play.play_references(other_seed, make_plan(other_seed), tmp_path)
    assert set(played) == SEVEN
    more = options("gtsim-walls", split="validation", episodes="25")
    play.play_references(more, make_plan(more), tmp_path)
    assert len(played) == 14, "one episode is not among the shipped ones"


def test_a_finished_run_is_never_played_again_for_its_references(
    tmp_path: Path, played: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = options("copy")
    first = write(tmp_path, make_plan(asked), "first")
    assert play.play(asked, tmp_path, as_json=False, references=True) == 0
    assert set(played) == SEVEN - {"copy"}
    said = capsys.readouterr()
    assert f"not played again: {first.path}" in said.err and "verdict " in said.out
    assert (first.path / "report.html").exists()


@pytest.mark.parametrize(("state", "says"), [(PLANNED, "--resume"), (ERROR, "--retry-errors")])
def test_an_unfinished_run_is_continued_not_played_again(
    tmp_path: Path, played: list[str], state: str, says: str
) -> None:
    asked = options("copy")
    first = write(tmp_path, make_plan(asked), "first", state)
    with pytest.raises(Refusal) as refusal:
        play.play(asked, tmp_path, as_json=False, references=True)
    assert played == [] and str(first.path) in refusal.value.next_step and says in refusal.value.next_step


@pytest.mark.parametrize(("changes", "episodes"), [({}, 18), (DEFAULT, 0), ({**DEFAULT, "seeds": "1"}, 6 * 24)])
def test_a_dry_run_counts_what_references_would_be_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], episodes: int
) -> None:
    asked = options("copy", **changes)
    play.dry_run(asked, tmp_path, as_json=True, references=True)
    facts = json.loads(capsys.readouterr().out)
    assert set(facts["references"]) == SEVEN - {"copy"}
    assert facts["reference_episodes"] == episodes
    play.dry_run(asked, tmp_path, as_json=False, references=True)
    assert "reference_episodes" in capsys.readouterr().out
    play.dry_run(asked, tmp_path, as_json=True)
    assert "references" not in json.loads(capsys.readouterr().out)
