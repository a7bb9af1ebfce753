"""A renderer that shows nothing is found by rendering, through a real service."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding
from harness.diagnosing.graphics import check_frame
from harness.running.services import Placement, plan_environment
from tasks.suite import load_suite

pytest.importorskip("numba")

SUITE = load_suite("embedded")
FIX = "Fix the renderer."


def look(folder: Path, seconds: float = 120.0, **faults: object) -> Finding:
    """Return what is found of an environment with planted faults; a tiny home is quickly made."""
    plan, _ = plan_environment(SUITE, folder, {}, Placement())
    planted = replace(plan, entry_point="tests.diagnosing.small_environment:SmallEnvironment", options=faults)
    return check_frame("frame", planted, SUITE, FIX, time.monotonic() + seconds, PROBLEM)


def test_a_living_renderer(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert found.state == OK and found.found.startswith("128 x 256, alive")


@pytest.mark.parametrize(
    ("fault", "at"), [("black", 0), ("constant", 0), ("frozen", 1)], ids=["black", "constant", "frozen"]
)
def test_a_dead_renderer(tmp_path: Path, fault: str, at: int) -> None:
    found = look(tmp_path, fault=fault, at=at)
    assert found.state == PROBLEM and f"{fault} frame" in found.found
    assert found.next_step == FIX and "end as errors" in found.meaning


def test_a_service_that_does_not_start(tmp_path: Path) -> None:
    plan, _ = plan_environment(SUITE, tmp_path, {}, Placement())
    broken = replace(plan, entry_point="tests.diagnosing.no_such_module:Nothing")
    found = check_frame("frame", broken, SUITE, FIX, time.monotonic() + 60.0)
    assert found.state == WARNING and "no_such_module" in found.found and found.next_step


def test_no_time_left_is_said_and_no_fault(tmp_path: Path) -> None:
    found = look(tmp_path, seconds=1.0)
    assert found.state == SKIPPED and "--task ignav --suite embedded --episodes 1" in found.next_step
