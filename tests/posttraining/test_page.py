"""The curves of a training's page."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="post-training needs the extra models (torch)")

from harness.posttraining.page import MOST_POINTS, charts_of, line_chart, thinned, ticks_of


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (0.013, 0.0187), (3e-7, 4e-4), (-2.0, 5.0), (7.0, 7.0), (0.0, 0.0)])
def test_ticks_enclose_the_values_and_are_few(low: float, high: float) -> None:
    ticks = ticks_of(low, high)
    assert ticks[0] <= low and high <= ticks[-1] and 2 <= len(ticks) <= 8 and ticks == sorted(set(ticks))


def test_a_long_curve_is_thinned_to_means_and_keeps_its_end() -> None:
    points = thinned(list(range(10, 100010, 10)), [1.0, 3.0] * 5000)
    assert len(points) <= MOST_POINTS and points[-1][0] == 100000 and {value for _, value in points} == {2.0}


def test_a_curve_of_one_point_and_of_none() -> None:
    chart = line_chart("loss", [10], [0.5], [(0.4, 0.6)])
    assert chart is not None and len(chart.whiskers) == 1
    low, high = chart.whiskers[0][1:]
    assert high < float(chart.line.split(",")[1]) < low
    assert line_chart("loss", [], []) is None


def test_a_part_that_not_every_entry_has_gets_a_shorter_curve() -> None:
    entries = [
        {"step": 10, "learning_rate": 0.1, "losses": {"loss": 1.0, "gradient_norm": 2.0}},
        {"step": 20, "learning_rate": 0.1, "losses": {"loss": 0.5, "gradient_norm": 2.0, "blocked": 0.2}},
    ]
    charts = charts_of({"curve": entries})
    assert [chart.name for chart in charts] == ["loss", "blocked", "gradient_norm", "learning rate"]
    assert [len(chart.line.split()) for chart in charts] == [2, 1, 2, 2]
