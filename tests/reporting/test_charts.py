"""Charts place every number inside their frame, and small differences do not fill it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reporting.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, gap_chart
from harness.scoring.gap import GapRow, gaps
from tests.scoring.synthetic import METRICS

SPECS = {spec.name: spec for spec in METRICS}


def rows(values: list[tuple[bool, float]], name: str) -> list[GapRow]:
    return [GapRow(f"e{i}", 0, f"h{i // 2}", ok, 1 + i % 4, name, value) for i, (ok, value) in enumerate(values)]


@given(st.lists(st.tuples(st.booleans(), st.floats(-0.2, 1.0)), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_points_lie_inside_the_frame(values: list[tuple[bool, float]]) -> None:
    chart = gap_chart(gaps(rows(values, "ssim"), METRICS)["ssim"], SPECS["ssim"])
    assert chart is not None
    for point in (point for series in chart.series for point in series.points):
        assert LEFT <= point.x <= WIDTH - RIGHT
        assert TOP - 1e-6 <= point.high_y <= point.low_y <= HEIGHT - BOTTOM + 1e-6


def test_equal_values_have_an_axis_with_distinct_labels() -> None:
    for name, value in (("ssim", 1.0), ("psnr", 100.0)):
        chart = gap_chart(gaps(rows([(True, value)] * 8, name), METRICS)[name], SPECS[name])
        assert chart is not None
        texts = [text for _, text in chart.y_ticks]
        assert 2 <= len(texts) == len(set(texts)) <= 8
        assert all(float(a) < float(b) for a, b in pairwise(texts))
