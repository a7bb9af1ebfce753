"""What a run is made of before anything starts: its episodes, their name, and the stamps of its result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.cli.app import main
from harness.contracts.errors import Refusal
from harness.records.identity import RunIdentity
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions, choose_episodes
from tasks.subsets import mini
from tasks.suite import DRAFT_TIER, load_suite

SUITE = load_suite("embedded")
NAMES = ("embedded", SUITE.name)


def identity(**options: Any) -> RunIdentity:
    return make_plan(RunOptions("none", "ignav", **options)).identity


@pytest.mark.parametrize(("wanted", "subset", "count"), [("", "24", 24), ("7", "7", 7), ("mini", "mini", 96)])
def test_a_run_says_what_its_episodes_are_called(wanted: str, subset: str, count: int) -> None:
    asked = identity(episodes=wanted, split="test")
    assert (asked.episodes_subset, len(asked.episodes)) == (subset, count)


def test_mini_is_the_subset_of_the_split() -> None:
    asked = identity(episodes="mini", tier="detour", split="test")
    assert asked.episodes == mini(SUITE.episodes("detour", "test"))


def test_all_is_all_however_it_was_asked() -> None:
    assert identity(episodes="all") == identity(episodes="100")
    with pytest.raises(Refusal, match="Give a number, mini, or all"):
        choose_episodes(SUITE.episodes("easy"), "maxi")


def test_validation_is_played_unless_the_test_split_is_asked_for() -> None:
    assert identity().split == "validation" and all(e.split == "validation" for e in identity().episodes)


def with_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the suite's tier ``ood`` be a draft."""
    draft = replace(SUITE, tiers={**SUITE.tiers, "ood": replace(SUITE.tiers["ood"], status="draft")})
    for place in ("tasks.suite", "harness.cli.listing", "harness.running.make_plan"):
        monkeypatch.setattr(
            f"{place}.load_suite", lambda name, task="ignav": draft if name in NAMES else load_suite(name, task)
        )


def test_results_on_a_draft_are_stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    with_draft(monkeypatch)
    assert DRAFT_TIER in identity(tier="ood").stamps
    assert DRAFT_TIER not in identity(tier="precise").stamps


def test_list_and_cite_know_drafts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    with_draft(monkeypatch)
    assert main(["list", "suites", "--json"]) == 0
    rows = {row["tier"]: row for row in json.loads(capsys.readouterr().out)["suites"] if row["suite"] == SUITE.name}
    assert {name for name, row in rows.items() if row["status"] == "draft"} == {"ood"}
    assert main(["cite"]) == 0
    captured = capsys.readouterr()
    assert f"easy: {SUITE.name}@{SUITE.hash('easy')}" in captured.out and SUITE.hash("ood") not in captured.out
    assert "tier ood is a draft" in captured.err
    assert SUITE.hash("detour") in captured.out and "tier detour" not in captured.err


@pytest.mark.parametrize(("seeds", "episodes"), [("0-1000000000000", "1"), ("0-99999", "24")])
def test_more_rows_than_a_run_can_have_are_refused_at_once(seeds: str, episodes: str) -> None:
    with pytest.raises(Refusal, match="at most 200,000 rows"):
        make_plan(RunOptions("none", "ignav", suite="embedded", episodes=episodes, seeds=seeds))
