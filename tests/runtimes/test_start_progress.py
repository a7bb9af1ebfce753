"""A service that says what it does while it starts is not taken for one that hangs, if it is the project's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runtimes import exits
from harness.runtimes.exits import ServiceLog, StartProgress
from harness.runtimes.service import ServiceLimits


class Clock:
    """Stands for `time.monotonic`; it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 500.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that a start is measured with."""
    made = Clock()
    monkeypatch.setattr(exits, "time", made)
    return made


def say(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(f"progress: {text}\n")


def test_each_new_word_gives_time_again_up_to_the_longest(tmp_path: Path, clock: Clock) -> None:
    log = tmp_path / "service.log"
    say(log, "what an earlier process said")
    said: list[str] = []
    progress = StartProgress(
        ServiceLog(log, log.stat().st_size), ServiceLimits(60.0, longest_start_s=150.0), said.append
    )
    assert progress.left_s() == 60.0 and said == []
    clock.now += 50.0
    say(log, "compiling kernels, 1 of 60")
    assert progress.left_s() == 60.0
    clock.now += 50.0
    assert progress.left_s() == 10.0, "silence is no progress"
    say(log, "compiling kernels, 2 of 60")
    clock.now += 1.0
    assert progress.left_s() == pytest.approx(49.0), "the longest start ends at 150 s"
    assert said == ["compiling kernels, 1 of 60", "compiling kernels, 2 of 60"]


def test_a_stranger_cannot_talk_itself_more_time(tmp_path: Path, clock: Clock) -> None:
    log = tmp_path / "service.log"
    progress = StartProgress(ServiceLog(log, 0), ServiceLimits(60.0), lambda text: None)
    for number in range(3):
        clock.now += 20.0
        say(log, f"soon, {number}")
        left = progress.left_s()
    assert left == 0.0
