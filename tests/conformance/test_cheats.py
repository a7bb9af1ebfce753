"""The kit finds every planted fault by the check that is meant for it, and nothing wrong with honest plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conformance.results import FAILED, REPORTED
from harness.conformance.run_checks import NAMES, check_plugin
from harness.conformance.target import find_target
from harness.contracts.errors import Refusal
from harness.worldmodels.catalog import read_family
from harness.worldmodels.preparing import Choice
from harness.worldmodels.probe import Place

CHEATS = Path(__file__).parent / "cheats"

FOUND_BY = {
    "swapped": "batch",
    "own-noise": "determinism",
    "own-noise-declared": "determinism",
    "fixed-noise": "seed",
    "noise-of-id": "order",
    "noise-of-batch": "batch",
    "cached": "view used",
    "stale": "view used",
    "mirrored": "following: turns",
    "backwards": "following: forwards",
    "standing": "following: forwards",
    "action-blind": "conditioning",
    "shifted": "following: turns",
    "first-frames": "chosen frames",
    "elsewhere": "start view",
    "leaking": "memory",
    "late": "deadline",
    "batch-liar": "largest batch",
    "length-liar": "longest candidate",
    "not-a-number": "shapes",
    "long-phase": "values",
    "wrong-size": "shapes",
    "black": "live frames",
    "historic": "history",
    "secret": "conditioning",
    "agreeable": "bad requests",
    "fragile": "bad requests",
    "blaming": "bad requests",
    "boundless": "batch",
    "arm-blind": "conditioning",
    "untrained-cheat": "start view",
    "forgetful": "shapes",
}

NEEDED = {"deadline": ("values",), "history": ("shapes", "determinism", "order", "memory")}
"""Checks that must run before a check that looks back."""

DEADLINE_S = 4.0


def quiet(done: int, total: int, doing: str) -> None:
    """Take progress and say nothing."""


@pytest.mark.slow
@pytest.mark.parametrize("cheat", FOUND_BY)
def test_a_cheat_is_found_by_its_check(cheat: str, places: tuple[Place, ...]) -> None:
    check = FOUND_BY[cheat]
    only = ("handshake", *NEEDED.get(check, ()), check)
    deadline_s = DEADLINE_S if cheat == "late" else 60.0
    report = check_plugin(find_target(str(CHEATS), cheat), quiet, places, deadline_s, only=only)
    assert check in report.failed
    assert "handshake" not in report.failed


def test_every_cheat_is_expected_somewhere() -> None:
    declared = {entry.manifest.name for entry in read_family(CHEATS / "plugin.toml")}
    assert declared == {"honest", *FOUND_BY}
    assert set(FOUND_BY.values()) <= set(NAMES)


@pytest.mark.slow
def test_what_the_cheats_stand_on_conforms(places: tuple[Place, ...]) -> None:
    report = check_plugin(find_target(str(CHEATS), "honest"), quiet, places)
    assert report.conforms, report.failed
    assert [result.name for result in report.results] == list(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["warp", "copy"])
def test_the_references_conform(name: str, places: tuple[Place, ...]) -> None:
    report = check_plugin(find_target(name), quiet, places)
    assert report.conforms, report.failed


@pytest.mark.slow
def test_a_model_without_conditioning_is_not_held_to_following(places: tuple[Place, ...]) -> None:
    only = ("handshake", "following: forwards", "following: turns")
    report = check_plugin(find_target("copy"), quiet, places, only=only)
    assert [r.outcome.state for r in report.results[1:]] == [REPORTED, REPORTED]
    assert "rank correlation 0.00" in report.results[1].outcome.measured


@pytest.mark.slow
def test_earlier_views_go_with_all_questions(places: tuple[Place, ...]) -> None:
    only = ("handshake", "shapes", "batch", "largest batch", "bad requests", "bad messages")
    report = check_plugin(find_target("warp", choice=Choice(("context_max=2",))), quiet, places, only=only)
    assert not report.failed and len(report.results) == len(only)


def test_a_plugin_that_does_not_start_fails_the_handshake_alone(tmp_path: Path) -> None:
    (tmp_path / "plugin.toml").write_text('[family]\nname = "x"\n[[model]]\nname = "x"\nentry_point = "no:Thing"\n')
    from tests.conformance.toy_places import toy_places

    report = check_plugin(find_target(str(tmp_path)), quiet, toy_places())
    assert [(r.name, r.outcome.state) for r in report.results] == [("handshake", FAILED)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["warp-perspective", "warp-large"])
def test_perspective_models_and_models_of_another_size_conform(name: str, places: tuple[Place, ...]) -> None:
    report = check_plugin(find_target(str(Path(__file__).parent / "perspective"), name), quiet, places)
    assert report.conforms, report.failed


def test_weights_that_are_not_here_are_named_before_anything_starts() -> None:
    with pytest.raises(Refusal, match="cannot be asked here"):
        find_target("svd")
