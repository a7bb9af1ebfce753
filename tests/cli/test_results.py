"""What is said behind a finished run: the headline, its subset and stamps, and how often test homes were used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.results import context_of, finish, headline, split_lines
from harness.scoring.data import RunData
from harness.scoring.summary import Context, summarise
from tests.reporting.synthetic_folder import write_run
from tests.scoring.synthetic import synthetic_run


def changed(run: RunData, **facts: object) -> RunData:
    return replace(run, record=replace(run.record, identity=replace(run.identity, **facts)))  # type: ignore[arg-type]


def test_test_runs_are_counted_by_world_model_whatever_the_tier(tmp_path: Path) -> None:
    first = write_run(tmp_path, synthetic_run("mini", homes=4, per_home=2), with_pictures=0)
    runs = [
        synthetic_run("mini", homes=4, per_home=2, suite_hash="00" * 32),
        synthetic_run("mini", homes=4, per_home=2, split="validation"),
        synthetic_run("warp", homes=4, per_home=2),
    ]
    for number, run in enumerate(runs):
        write_run(tmp_path, replace(run, record=replace(run.record, run_id=f"other-{number}")), with_pictures=0)
    assert context_of(first, tmp_path).test_runs == 2
    finished = finish(first, tmp_path)
    assert finished.results["test_runs"] == 2
    assert "tests   2 of mini on a test split here, this one among them" in finished.lines


def test_a_validation_run_says_nothing_of_test_runs() -> None:
    context = Context({}, {}, "", 3)
    assert split_lines(summarise(synthetic_run("mini", split="validation"), context)) == []
    assert len(split_lines(summarise(synthetic_run("mini"), context))) == 1


@pytest.mark.parametrize(
    ("subset", "says"), [("mini", "episodes (mini) in"), ("all", "episodes in"), ("", "episodes in")]
)
def test_the_headline_names_subset_and_stamps(subset: str, says: str) -> None:
    line = headline(summarise(changed(synthetic_run("mini"), episodes_subset=subset, stamps=("draft-tier",))))
    assert says in line and line.endswith("[draft-tier]")
