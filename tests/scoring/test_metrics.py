"""Rates keep every planned episode in the denominator; lengths are means over what was played."""

from __future__ import annotations

import dataclasses

import pytest

from harness.contracts.results import ERROR, FAILED, OK, PLANNED, TIMEOUT, EpisodeResult
from harness.scoring.metrics import metrics_table, state_counts, timings_table
from tests.scoring.synthetic import METRICS


def result(state: str, home: str = "a", **metrics: float) -> EpisodeResult:
    return EpisodeResult(f"e-{home}-{state}", home, 0, state, metrics, "", timings={"imagine": 2.0})


RESULTS = (
    result(OK, "a", spl=0.8, path_m=3.0, reached=1.0),
    result(FAILED, "b", spl=0.0, path_m=5.0, reached=1.0),
    result(ERROR, "c"),
    result(TIMEOUT, "d"),
    result(PLANNED, "e"),
)


def test_errors_timeouts_and_pending_count_as_not_solved() -> None:
    table = metrics_table(RESULTS, METRICS)
    assert table["success_rate"].value == pytest.approx(1 / 5)
    assert table["success_rate"].n == 5
    assert table["spl"].value == pytest.approx(0.8 / 5)
    assert table["reached_rate"].value == pytest.approx(2 / 5)


def test_lengths_are_means_over_played_episodes() -> None:
    path = metrics_table(RESULTS, METRICS)["path_m"]
    assert (path.value, path.n) == (4.0, 2)


def test_metrics_of_a_broken_episode_are_ignored() -> None:
    lying = dataclasses.replace(RESULTS[2], metrics={"spl": 1.0, "path_m": 0.0, "reached": 1.0, "success": 1.0})
    assert metrics_table((*RESULTS[:2], lying, *RESULTS[3:]), METRICS) == metrics_table(RESULTS, METRICS)


def test_an_unreported_metric_is_absent_not_zero() -> None:
    assert "spl_m" not in metrics_table(RESULTS, METRICS)


def test_states_add_up_to_planned() -> None:
    counts = state_counts(RESULTS)
    assert counts == {"planned": 5, "ok": 1, "failed": 1, "error": 1, "timeout": 1, "pending": 1}


def test_timings_by_phase() -> None:
    assert timings_table(RESULTS)["imagine"] == {"total_s": 10.0, "mean_s": 2.0}
