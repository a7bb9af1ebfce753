"""Equal failures are told once, with their number."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("did not answer Imagine within 30 s (--timeout 30).", "did not answer Imagine within 0.5 s (--timeout 0.5)."),
        ("took 1e-05 s.", "took 12.5 s."),
        ("request 3fa9c0de of container wiw-77ab01 failed.", "request abc0defa of container wiw-0123456789ab failed."),
        ("GPU-8d5f1b2c-0a1b-abcd-beef-0123456789ab is lost.", "GPU-00000000-aaaa-bbbb-cccc-0123456789ff is lost."),
    ],
)
def test_limits_and_ids_tell_no_failures_apart(one: str, other: str) -> None:
    assert kind_of(one) == kind_of(other)


def test_words_tell_failures_apart_also_where_they_are_spelt_with_the_letters_of_numbers() -> None:
    assert kind_of("a faded facade.") != kind_of("a decade.")
