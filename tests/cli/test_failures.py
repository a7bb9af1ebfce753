"""What the terminal says of failures: each kind once, with its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.failures import failure_lines, telling_how_on
from harness.contracts.failures import Failures


def test_each_kind_of_failure_is_told_once_with_its_number_and_the_path_of_its_log() -> None:
    failures = [Failures("boom (log: logs/services-0/world_model.log)", "e0", 4), Failures("late", "e3", 1)]
    lines = failure_lines(failures, "24 episodes", Path("runs/a"))
    assert lines[0] == "errors  5 of 24 episodes"
    assert lines[1].strip() == "4 × boom (log: runs/a/logs/services-0/world_model.log)"
    assert lines[-1] == "logs    runs/a/logs"
    assert failure_lines([], "24 episodes", Path("runs/a")) == []


def test_whoever_interrupts_is_told_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), telling_how_on(lambda ended: "python benchmark.py report a"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "To go on: python benchmark.py report a\n"
