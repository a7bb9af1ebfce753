"""A check whose answers all fail alike says so once, stops, and keeps the log that explains it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.conformance.results import FAILED, Report
from harness.conformance.run_checks import check_plugin
from harness.conformance.target import find_target
from tests.conformance.toy_places import toy_places

ASKED = ("handshake", "shapes", "values", "live frames", "start view", "view used")
PLUGIN = """
from harness.wire.sdk import WorldModel

class Broken(WorldModel):
    def imagine(self, request):
        raise ValueError(f"layer {request.seed % 97} of the net is missing")
"""


def quiet(done: int, total: int, doing: str) -> None:
    """Take progress and say nothing."""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken.py").write_text(PLUGIN)
    (folder / "plugin.toml").write_text(
        '[family]\nname = "broken"\nentry_point = "broken:Broken"\n[[model]]\nname = "broken"\n'
    )
    return folder


@pytest.fixture(scope="module")
def stopped(plugin: Path) -> Report:
    return check_plugin(find_target(str(plugin)), quiet, toy_places(), only=ASKED, max_failures=3)


def test_equal_failures_in_a_row_stop_the_check_which_names_what_it_left_out(stopped: Report) -> None:
    assert [result.name for result in stopped.results] == ["handshake", "shapes", "values", "live frames"]
    assert stopped.stopped.startswith("3 checks in a row ended with the same error; not run: start view, view used")
    assert not stopped.conforms


def test_an_equal_failure_is_told_once_and_then_named(stopped: Report) -> None:
    first, *others = [result.outcome for result in stopped.results if result.outcome.state == FAILED]
    assert "of the net is missing" in first.note and first.next_step
    assert [(outcome.note, outcome.next_step) for outcome in others] == [("the same error as in: shapes", "")] * 2


def test_the_log_stays_and_has_the_traceback(stopped: Report) -> None:
    assert "ValueError: layer" in stopped.log.read_text()


def test_without_a_limit_every_check_is_run(plugin: Path, tmp_path: Path) -> None:
    target, log = find_target(str(plugin)), tmp_path / "log"
    report = check_plugin(target, quiet, toy_places(), only=ASKED, max_failures=0, log=log)
    assert len(report.results) == len(ASKED) and (report.stopped, report.log) == ("", log)
