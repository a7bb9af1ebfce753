"""Intervals cover what they promise when episodes share homes."""

from __future__ import annotations

import math
from typing import Callable, Tuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.scoring.intervals import Sample, mean_interval, rate_interval, wilson_interval
from tests.scoring.synthetic import clustered_outcomes

Interval = Callable[[Sample], Tuple[float, float]]


def coverage(interval: Interval, draws: npt.NDArray[np.float64], truth: float) -> float:
    """Return the share of draws [runs, homes, per_home] whose interval holds ``truth``."""
    _, homes, per_home = draws.shape
    names = [str(h) for h in range(homes) for _ in range(per_home)]
    intervals = [interval(Sample.of(draw.ravel().tolist(), names)) for draw in draws]
    return sum(low <= truth <= high for low, high in intervals) / len(intervals)


@pytest.mark.parametrize("homes", [100, 25])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.8])
def test_rate_interval_covers_95_percent_of_clustered_outcomes(homes: int, rate: float) -> None:
    draws = clustered_outcomes(np.random.default_rng(homes), 400, homes, 4, rate, 0.12)
    assert 0.92 <= coverage(rate_interval, draws, rate) <= 0.985


@pytest.mark.parametrize(("solved", "n"), [(0, 1), (0, 24), (7, 24), (24, 24), (131, 720)])
def test_wilson_is_that_of_scipy(solved: int, n: int) -> None:
    theirs = stats.binomtest(solved, n).proportion_ci(method="wilson")
    assert wilson_interval(solved, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_covers_too_little_when_homes_are_few_and_large() -> None:
    draws = clustered_outcomes(np.random.default_rng(1), 400, 10, 20, 0.5, 0.12)
    naive = coverage(lambda s: wilson_interval(float(s.values.sum()), len(s)), draws, 0.5)
    ours = coverage(rate_interval, draws, 0.5)
    assert naive < 0.85
    assert 0.92 <= ours <= 0.985


@pytest.mark.parametrize("homes", [100, 25])
def test_spl_interval_covers_95_percent(homes: int) -> None:
    rng = np.random.default_rng(homes)
    solved = clustered_outcomes(rng, 400, homes, 4, 0.6, 0.12)
    spl = solved * rng.uniform(0.4, 1.0, size=solved.shape)
    assert 0.92 <= coverage(rate_interval, spl, 0.6 * 0.7) <= 0.985


@pytest.mark.parametrize("homes", [100, 25])
def test_mean_interval_covers_95_percent_of_skewed_lengths(homes: int) -> None:
    rng = np.random.default_rng(homes)
    home_means = rng.gamma(8.0, 0.5, size=(400, homes, 1))
    lengths = home_means * rng.gamma(4.0, 0.25, size=(400, homes, 4))
    assert 0.92 <= coverage(mean_interval, lengths, 4.0) <= 0.985


def test_no_success_gives_an_interval_wider_than_independent_episodes_would() -> None:
    sample = Sample.of([0.0] * 400, [str(i // 4) for i in range(400)])
    low, high = rate_interval(sample)
    assert low == 0.0
    assert wilson_interval(0, 400)[1] < high < 0.03


def test_equal_homes_promise_no_more_than_independent_episodes() -> None:
    sample = Sample.of([0.0, 1.0] * 50, [str(i // 2) for i in range(100)])
    low, high = rate_interval(sample)
    wilson_low, wilson_high = wilson_interval(50, 100)
    assert low <= wilson_low + 1e-3
    assert high >= wilson_high - 1e-3


def test_one_home_is_widened_and_nothing_gives_nan() -> None:
    one_home = rate_interval(Sample.of([0.0, 1.0, 1.0, 0.0], ["a"] * 4))
    four_homes = rate_interval(Sample.of([0.0, 1.0, 1.0, 0.0], list("abcd")))
    assert one_home[0] < four_homes[0] and four_homes[1] < one_home[1]
    assert all(math.isnan(bound) for bound in rate_interval(Sample.of([], [])))
    assert all(math.isnan(bound) for bound in mean_interval(Sample.of([3.0], ["a"])))


def test_pooling_seeds_does_not_shrink_what_homes_decide() -> None:
    solved = [float(i % 3 == 0) for i in range(60)]
    homes = [str(i) for i in range(60)]
    once = rate_interval(Sample.of(solved, homes))
    five_times = rate_interval(Sample.of(solved * 5, homes * 5))
    assert five_times[1] - five_times[0] == pytest.approx(once[1] - once[0], rel=0.02)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 5)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_rate_interval_holds_its_value_inside_zero_and_one(rows: list[tuple[float, int]]) -> None:
    sample = Sample.of([value for value, _ in rows], [str(home) for _, home in rows])
    low, high = rate_interval(sample)
    assert 0.0 <= low <= float(sample.values.mean()) + 1e-9
    assert float(sample.values.mean()) - 1e-9 <= high <= 1.0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 values but 1 homes"):
        Sample.of([1.0, 0.0], ["a"])
