"""Percentiles are held to as many queries as LoadGen asks for, and what failed is slower than everything."""

from __future__ import annotations

import math

import pytest

from harness.throughput.sampling import discarded, fewest_fast, kept_bound, needed, percentile_of


@pytest.mark.parametrize(("percentile", "queries"), [(0.9, 64), (0.99, 662)])
def test_a_percentile_needs_the_published_number_of_queries(percentile: float, queries: int) -> None:
    assert needed(percentile) == queries


def test_without_a_slow_query_459_show_the_last_hundredth() -> None:
    assert fewest_fast(0, 0.99) == 459
    assert kept_bound([0.1] * 459, 0.2, 0.99)
    assert not kept_bound([0.1] * 458, 0.2, 0.99)
    assert not kept_bound([0.1] * 459 + [0.3], 0.2, 0.99)


@pytest.mark.parametrize("slow", [0, 1, 2, 7])
def test_the_number_is_the_least_by_the_binomial_distribution(slow: int) -> None:
    def chance(fast: int) -> float:
        total = fast + slow
        return sum(math.comb(total, k) * 0.1**k * 0.9 ** (total - k) for k in range(slow + 1))

    fast = fewest_fast(slow, 0.9)
    assert chance(fast) < 0.01 <= chance(fast - 1)


def test_a_bound_lies_among_the_slowest_and_only_with_enough_queries() -> None:
    assert discarded(63, 0.9) == 0 and discarded(64, 0.9) == 1
    few, enough = (percentile_of([float(n) for n in range(count)], 0.9) for count in (63, 64))
    assert few.bound_s is None and few.value_s == 56.0
    assert enough.bound_s == 63.0 and enough.needed == 64


def test_queries_that_failed_are_the_slowest() -> None:
    found = percentile_of([1.0] * 90 + [math.inf] * 10, 0.9)
    assert found.value_s is None and found.bound_s is None
    assert percentile_of([1.0] * 90 + [math.inf] * 10, 0.5).value_s == 1.0
