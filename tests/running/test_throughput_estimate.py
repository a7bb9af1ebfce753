"""The pace of a run, on a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.running.progress import PLAYING, PREPARING, RECENT, STARTING, Pace, Preparing


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def play(pace: Pace, clock: Clock, worker: int, seconds: float) -> None:
    """Let one worker play while nothing else happens."""
    pace.began(worker)
    clock.now += seconds
    pace.ended(worker)


def test_the_first_episode_of_each_worker_is_preparation() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    assert pace.phase == STARTING and pace.eta_s(24) is None and pace.episodes_per_minute is None
    for worker in (0, 1):
        pace.cold(worker)
    assert pace.phase == PREPARING
    play(pace, clock, 0, 75.0)
    play(pace, clock, 1, 80.0)
    assert pace.phase == PREPARING and pace.eta_s(22) is None
    play(pace, clock, 0, 1.5)
    assert pace.phase == PLAYING
    assert pace.eta_s(20) == pytest.approx(15.0)
    assert pace.episodes_per_minute == pytest.approx(80.0)


def test_a_service_that_starts_is_named_with_its_time() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    pace.starting("embedded")
    clock.now += 3.0
    assert (pace.phase, pace.phase_s) == ("starting embedded", 3.0)
    pace.starting("ltx")
    clock.now += 41.0
    assert (pace.phase, pace.phase_s) == ("starting ltx", 41.0)
    pace.cold(0)
    assert (pace.phase, pace.phase_s) == (PREPARING, None)


def test_the_time_of_a_preparation_never_goes_back_while_other_workers_start() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    for service in ("embedded", "worker", "embedded", "worker"):  # of two workers, in turns
        clock.now += 3.0
        pace.starting(service)
    assert pace.phase_s == 6.0
    pace.cold(0)
    clock.now += 5.0
    pace.starting("worker")
    pace.cold(1)
    assert pace.preparing is not None and pace.preparing.seconds == 5.0


def test_what_a_service_says_of_its_start_is_told_and_its_time_goes_on() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    pace.starting("embedded")
    for said in ("compiling kernels, 1 of 60", "compiling kernels, 2 of 60"):
        clock.now += 6.0
        pace.starting("embedded", said)
    assert (pace.phase, pace.phase_s) == ("starting embedded: compiling kernels, 2 of 60", 12.0)


def test_homes_are_counted_and_timed_while_they_are_prepared() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    pace.homes(3)
    pace.starting("embedded")
    clock.now += 5.0
    pace.cold(0)
    clock.now += 7.0
    assert (pace.phase, pace.preparing) == (PREPARING, Preparing(7.0, 0, 3))
    pace.cold(1)
    for _ in range(2):
        pace.prepared("validation-0001")
    clock.now += 1.0
    assert (pace.phase, pace.preparing) == (PREPARING, Preparing(8.0, 1, 3))
    pace.began(0)
    pace.ended(0)
    play(pace, clock, 0, 1.0)
    assert (pace.phase, pace.preparing) == (PLAYING, None)


def test_a_worker_that_starts_again_is_cold_again() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    pace.cold(0)
    for seconds in (60.0, 2.0):
        play(pace, clock, 0, seconds)
    pace.cold(0)
    play(pace, clock, 0, 40.0)
    assert pace.eta_s(10) == pytest.approx(20.0)
    play(pace, clock, 0, 4.0)
    assert pace.eta_s(10) == pytest.approx(30.0)


def test_the_present_pace_counts() -> None:
    """Homes are built in the first half of a run and found in the cache after that."""
    clock = Clock()
    pace = Pace(1, clock)
    pace.cold(0)
    for seconds in [9.0] * 20 + [1.0] * RECENT:
        play(pace, clock, 0, seconds)
    assert pace.eta_s(5) == pytest.approx(5.0)


def test_the_last_episode_takes_as_long_as_one_and_none_takes_nothing() -> None:
    clock = Clock()
    pace = Pace(4, clock)
    pace.cold(0)
    for _ in range(2):
        play(pace, clock, 0, 3.0)
    assert pace.eta_s(1) == pytest.approx(3.0)
    assert pace.eta_s(0) == 0.0


@given(
    workers=st.integers(1, 8),
    first=st.floats(0.0, 1000.0),
    seconds=st.lists(st.floats(0.5, 5.0), min_size=1, max_size=40),
    planned=st.integers(1, 1000),
)
def test_the_estimate_lies_between_the_quickest_and_the_slowest(
    workers: int, first: float, seconds: list[float], planned: int
) -> None:
    clock = Clock()
    pace = Pace(workers, clock)
    pace.cold(0)
    for each in (first, *seconds):
        play(pace, clock, 0, each)
    eta = pace.eta_s(planned)
    rounds = max(1.0, planned / workers)
    assert eta is not None
    assert 0.999 * min(seconds) * rounds <= eta <= 1.001 * max(seconds) * rounds
