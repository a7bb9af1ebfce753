"""Equal failures are told once, with their number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.failures import distinct, kind_of
from harness.contracts.results import ERROR, FAILED, OK, TIMEOUT, EpisodeResult


def result(state: str, error: str = "", episode: str = "e0") -> EpisodeResult:
    return EpisodeResult(episode, "home", 0, state, {}, "", error)


@given(st.integers(), st.text("abcdefgh01_", min_size=1))
def test_numbers_and_paths_tell_no_failures_apart(number: int, folder: str) -> None:
    error = f"service at /tmp/{folder}/s.sock failed on rollout {abs(number)}: ValueError: 3"
    assert kind_of(error) == kind_of("service at /tmp/x/s.sock failed on rollout 7: ValueError: 12")
    assert kind_of(error) != kind_of("service at /tmp/x/s.sock failed on rollout 7: KeyError: 12")


def test_equal_failures_are_counted_in_the_order_of_their_first() -> None:
    found = distinct(
        [
            result(ERROR, "boom 1", "e0"),
            result(OK),
            result(TIMEOUT, "late", "e1"),
            result(FAILED),
            result(ERROR, "boom 2", "e2"),
        ]
    )
    assert [(kind.error, kind.episode, kind.count) for kind in found] == [("boom 1", "e0", 2), ("late", "e1", 1)]
