"""What a person reads while a run is played."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cli.progress import ProgressLine, ReadingLine, describe, describe_states
from harness.contracts.results import STATES
from harness.running.progress import PLAYING, PREPARING, STARTING, Preparing, Progress


def moment(done: int, phase: str, speed: float | None = None, eta_s: float | None = None) -> Progress:
    counts = dict.fromkeys(STATES, 0) | {"ok": done, "planned": 24 - done}
    return Progress(counts, 24, 60.0, phase, speed, eta_s, None)


def test_no_time_is_told_while_code_is_compiled_and_homes_are_built() -> None:
    assert describe(moment(1, PREPARING)) == "1/24 episodes · 1 solved · 0 failed · compiling and preparing homes"


def test_a_long_preparation_is_counted_and_timed() -> None:
    preparing = replace(moment(1, PREPARING), preparing=Preparing(75.0, 1, 8))
    assert describe(preparing).endswith(" · compiling and preparing homes, 1 of 8 1:15")
    compiling = replace(moment(0, "starting embedded: compiling kernels, 3 of 60"), phase_s=12.0)
    assert describe(compiling).endswith(" · starting embedded: compiling kernels, 3 of 60 0:12")


def test_a_count_alone_is_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no terminal shows one live line: sixty kernels are not sixty lines."""
    line = ProgressLine()
    for number in range(60):
        line(moment(0, f"starting embedded: compiling kernels, {number} of 60"))
    assert capsys.readouterr().err.count("\n") == 1


def test_states_of_a_bank_are_neither_solved_nor_failed() -> None:
    assert describe_states(moment(17, PLAYING, 88.04, 5.0)) == "17/24 states · 88.0/min · 0:05 left"


def test_a_service_that_starts_is_told_with_its_time() -> None:
    progress = replace(moment(0, "starting ltx"), phase_s=75.0)
    assert describe(progress) == "0/24 episodes · 0 solved · 0 failed · starting ltx 1:15"


def test_reading_weights_is_silent_while_it_takes_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    line = ReadingLine(lambda: now[0])
    line(1, 2)
    line(2, 2)
    assert capsys.readouterr().err == ""
    line = ReadingLine(lambda: now[0])
    for second, done in ((0.5, 1), (2.0, 10), (3.0, 15), (8.0, 20), (9.0, 30)):
        now[0] = second
        line(done * 10**9, 30 * 10**9)
    assert capsys.readouterr().err.splitlines() == [
        "reading the weights: 10.0 of 30.0 GB · 0:04 left",
        "reading the weights: 20.0 of 30.0 GB · 0:04 left",
        "reading the weights: 30.0 of 30.0 GB · 0:00 left",
    ]


def test_speed_and_time_left_are_told_when_they_are_known() -> None:
    assert describe(moment(4, PLAYING, 40.0, 80.0)) == "4/24 episodes · 4 solved · 0 failed · 40.0/min · 1:20 left"
    assert describe(moment(24, PREPARING, None, 0.0)) == "24/24 episodes · 24 solved · 0 failed · 0:00 left"


def test_a_log_file_gets_a_line_at_once_when_the_phase_changes(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        for progress in (moment(0, STARTING), moment(0, PREPARING), moment(1, PREPARING), moment(2, PLAYING)):
            line(progress)
    assert [printed.split(" ")[0] for printed in capsys.readouterr().err.splitlines()] == ["0/24", "0/24", "2/24"]
