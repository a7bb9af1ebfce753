"""`doctor` shows what matters first and ends with a verdict."""

from __future__ import annotations

import pytest

from harness.diagnosing.findings import OK, PROBLEM, SKIPPED, WARNING, Finding, by_weight, verdict

WELL = Finding("python", OK, "3.11.2")
BROKEN = Finding("compiler", PROBLEM, "no numba", "nothing can be rendered", "pip install numba")
SLOW = Finding("machine", WARNING, "1 GB", "two workers may not fit", "Play with --workers 1.")
WEIGHTS = [Finding(f"weights: {name}", WARNING, "absent", f"--wm {name} cannot run") for name in ("svd", "ltx", "wan")]
IMAGE = Finding("image: rlbench", SKIPPED, "no image")
ENGINE = Finding("docker engine", WARNING, "it does not answer", "containers cannot run")
SUITE = Finding("suite: wiw-v1", WARNING, "scenes missing")


def test_problems_stand_first_then_warnings_of_this_machine_then_what_is_well() -> None:
    names = [finding.name for finding in by_weight([ENGINE, IMAGE, *WEIGHTS, WELL, SUITE, SLOW, BROKEN])]
    assert names == ["compiler", "machine", "python", "docker engine", "weights", "suite: wiw-v1", "image: rlbench"]


def test_absent_weights_are_one_line_that_names_them() -> None:
    (one,) = by_weight(WEIGHTS)
    assert all(name in one.found for name in ("svd", "ltx", "wan")) and "list wms" in one.next_step
    assert by_weight(WEIGHTS[:1]) == WEIGHTS[:1]


def test_a_machine_that_plays_is_told_what_to_play_and_what_it_lacks() -> None:
    *before, last = verdict([WELL, *WEIGHTS, SUITE, SLOW])
    assert last == "verdict: the embedded suite runs here: python benchmark.py --wm gtsim --task ignav"
    said = "\n".join(before)
    assert "machine" in said and "weights" in said and "suite wiw-v1" in said


@pytest.mark.parametrize("others", [[], [WELL, SLOW, *WEIGHTS]])
def test_a_problem_is_the_verdict_with_what_to_do(others: list[Finding]) -> None:
    said = verdict([*others, BROKEN])
    assert said[-1] == "verdict: the embedded suite cannot run here (compiler)" and "pip install numba" in said[-2]
