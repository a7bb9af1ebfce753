"""The gap is joined with success and never invented where nothing was imagined."""

from __future__ import annotations

import pytest
from scipy import stats

from harness.scoring.gap import GapRow, gap_rows, gaps
from tests.scoring.synthetic import METRICS, synthetic_run


def rows_of(values: dict[str, tuple[bool, list[float]]], name: str = "ssim") -> list[GapRow]:
    return [
        GapRow(episode, 0, f"home-{episode}", solved, step, name, value)
        for episode, (solved, steps) in values.items()
        for step, value in enumerate(steps, start=1)
    ]


def test_means_by_outcome_and_step() -> None:
    gap = gaps(rows_of({"a": (True, [0.9, 0.8]), "b": (False, [0.5]), "c": (False, [0.6, 0.4])}), METRICS)["ssim"]
    assert gap.all.value == pytest.approx(3.2 / 5)
    assert gap.all.n == 3
    assert gap.solved is not None and gap.solved.value == pytest.approx(0.85)
    assert [point.step for point in gap.by_step] == [1, 2]
    assert gap.by_step[1].failed is not None and gap.by_step[1].failed.value == pytest.approx(0.4)


def test_correlation_has_the_sign_of_the_relation_and_an_interval() -> None:
    values = {str(i): (i % 2 == 0, [0.8 + 0.01 * i if i % 2 == 0 else 0.5 + 0.01 * i]) for i in range(12)}
    correlation = gaps(rows_of(values), METRICS)["ssim"].correlation
    assert correlation is not None
    assert 0.0 < correlation.low < correlation.value < correlation.high <= 1.0
    theirs = stats.pearsonr([steps[0] for _, steps in values.values()], [float(won) for won, _ in values.values()])
    interval = theirs.confidence_interval(0.95)
    ours = (correlation.value, correlation.low, correlation.high)
    assert ours == pytest.approx((theirs.statistic, interval.low, interval.high), abs=1e-12)


def test_values_that_are_the_outcomes_correlate_wholly() -> None:
    values = {str(i): (i % 2 == 0, [float(i % 2)]) for i in range(6)}
    correlation = gaps(rows_of(values), METRICS)["ssim"].correlation
    assert correlation is not None
    assert (correlation.value, correlation.low, correlation.high) == pytest.approx((-1.0, -1.0, -1.0))


def test_no_correlation_when_every_episode_was_solved() -> None:
    gap = gaps(rows_of({str(i): (True, [0.1 * i]) for i in range(6)}), METRICS)["ssim"]
    assert gap.correlation is None
    assert gap.failed is None


def test_a_run_without_imagination_has_no_gap() -> None:
    assert gaps(gap_rows(synthetic_run("none")), METRICS) == {}
