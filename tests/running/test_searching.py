"""A limited search is part of what a run asks: planned, kept by a resume, stamped, and never taken for another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.auditing.identity_checks import check_identity
from harness.cli.app import main
from harness.contracts.errors import Refusal, SpecMismatch
from harness.contracts.search import WHOLE, Search
from harness.records.errors import RecordError
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.continuing import Continuation, plan_again
from harness.running.dry_run import rollouts_at_most
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.running.sameness import check_same
from harness.studies.shipped_references import shipped_references
from tasks.suite import load_suite

PLAIN = RunOptions("gtsim", "ignav", tier="easy", episodes="2")
LIMITED = replace(PLAIN, candidates=4, wm_share=0.5)


def test_a_run_without_limits_says_nothing_of_them() -> None:
    identity = make_plan(PLAIN).identity
    assert set(identity.specs) == {"rig", "action_space", "loop"}
    assert identity.search == WHOLE and identity.stamps == ()


def test_limits_are_part_of_the_identity_and_stamp_it_under_the_same_suite_hash() -> None:
    plain, limited = make_plan(PLAIN).identity, make_plan(LIMITED).identity
    assert limited.search == Search(4, 0.5) and limited.stamps == ("candidates-4", "wm-share-0.5")
    assert limited != plain and limited.suite_hash == plain.suite_hash
    assert rollouts_at_most(limited) * 2 == rollouts_at_most(plain)
    assert not check_identity(limited).damage
    assert "candidates-4" in str(check_identity(replace(limited, stamps=("wm-share-0.5",))).damage)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"candidates": 0}, "--candidates 0 is not in 1..8"),
        ({"candidates": 9}, "--candidates 9 is not in 1..8"),
        ({"wm_share": -0.1}, "--wm-share -0.1 is not in 0..1"),
        ({"wm_share": float("nan")}, "--wm-share nan is not in 0..1"),
        ({"wm_share": 0.5, "wm": "homing"}, "homing asks no world model"),
    ],
)
def test_what_a_tier_does_not_have_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(Refusal) as refused:
        make_plan(replace(PLAIN, **changes))  # type: ignore[arg-type]
    assert told in refused.value.what


def test_a_resume_keeps_the_limits_and_takes_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder.open(runs.create(make_plan(LIMITED), tmp_path).path)
    again = plan_again(folder, Continuation())
    assert again.identity == folder.identity
    for other in (PLAIN, replace(LIMITED, candidates=3)):
        with pytest.raises(SpecMismatch, match="search was"):
            check_same(folder.identity, make_plan(other).identity)
    assert main(("--resume", str(folder.path), "--candidates", "3")) == 2
    assert "does not take --candidates 3" in " ".join(capsys.readouterr().err.split())


def test_a_folder_whose_search_is_not_understood_is_damaged(tmp_path: Path) -> None:
    path = runs.create(make_plan(LIMITED), tmp_path).path
    record = json.loads((path / "run.json").read_text())
    record["identity"]["specs"]["search"] = {"candidates": -1}
    (path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RecordError, match="damaged"):
        RunFolder.open(path)


def test_what_the_suite_ships_is_no_reference_of_a_limited_run() -> None:
    suite = load_suite("embedded-v1")
    assert shipped_references(suite, make_plan(PLAIN).identity)
    assert not shipped_references(suite, make_plan(replace(PLAIN, candidates=8)).identity)


def test_references_of_a_limited_run_are_limited_as_far_as_they_ask(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("--wm", "gtsim", "--task", "ignav", "--tier", "easy", "--episodes", "2", "--candidates", "4")
    assert main((*words, "--wm-share", "0.5", "--references", "--dry-run", "--json", "--out", str(tmp_path))) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"homing", "warp"} < set(facts["references"]) and set(facts["references"].values()) == {"to be played"}
