"""Equal failures in a row stop a run; others, and any success between them, do not."""

from __future__ import annotations

import pytest

from harness.contracts.results import ERROR, FAILED, OK, TIMEOUT, EpisodeResult
from harness.running.run_book import FailureStreak


def stops(most: int, *results: tuple[str, str]) -> list[bool]:
    streak = FailureStreak(most)
    return [bool(streak.note(EpisodeResult("e", "h", 0, state, {}, "", error))) for state, error in results]


def test_three_equal_ones_in_a_row() -> None:
    assert stops(3, (ERROR, "boom 1"), (ERROR, "boom 2"), (ERROR, "boom 3")) == [False, False, True]


@pytest.mark.parametrize("between", [(OK, ""), (FAILED, ""), (ERROR, "another"), (TIMEOUT, "boom")])
def test_anything_else_between_them_begins_anew(between: tuple[str, str]) -> None:
    assert not any(stops(3, (ERROR, "boom"), (ERROR, "boom"), between, (ERROR, "boom"), (ERROR, "boom")))


def test_timeouts_are_equal_whatever_was_late() -> None:
    assert stops(2, (TIMEOUT, "Imagine"), (TIMEOUT, "the episode")) == [False, True]


def test_no_limit() -> None:
    assert not any(stops(0, *[(ERROR, "boom")] * 50))


def test_the_reason_says_what_failed_and_how_often() -> None:
    streak = FailureStreak(2)
    streak.note(EpisodeResult("e", "h", 0, ERROR, {}, "", "boom"))
    assert streak.note(EpisodeResult("e", "h", 0, ERROR, {}, "", "boom")) == "2 equal failures in a row, the last: boom"
