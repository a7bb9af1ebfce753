"""`plugin check` of a policy: an honest one conforms, and each planted fault is found by its check."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conformance.results import FAILED
from harness.conformance.run_checks import check_plugin
from harness.conformance.target import find_target
from harness.contracts.errors import Refusal
from harness.worldmodels.preparing import Choice
from tests.conformance.toy_places import toy_places
from tests.policies.test_policies import PLUGINS

FOLDER = str(PLUGINS / "both_ways")


def failed(does: str, tmp_path: Path) -> tuple[str, ...]:
    target = find_target(FOLDER, choice=Choice((f"does={does}",)))
    report = check_plugin(target, lambda done, total, doing: None, toy_places(), log=tmp_path / "log", max_failures=0)
    assert report.model == "both-ways-service" and report.manifest_hash == target.entry.manifest.digest()
    return tuple(result.name for result in report.results if result.outcome.state == FAILED)


def test_an_honest_policy_conforms(tmp_path: Path) -> None:
    assert failed("right", tmp_path) == ()


@pytest.mark.parametrize(
    ("does", "found"),
    [
        ("jumps", ("plans",)),
        ("remembers", ("determinism",)),
        ("gives too many", ("plans", "one plan")),
    ],
)
def test_a_planted_fault_is_found_by_its_check(tmp_path: Path, does: str, found: tuple[str, ...]) -> None:
    assert set(found) <= set(failed(does, tmp_path))


def test_the_checks_of_a_policy_are_its_own(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="there is no check 'following: turns'"):
        check_plugin(find_target(FOLDER), lambda *_: None, toy_places(), only=("following: turns",))
    assert find_target("both-ways-service", plugins=(PLUGINS,)).plan.kind == "policy"
