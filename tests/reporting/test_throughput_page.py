"""The page of a measurement: whole without anything else, with its plots, and honest about what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.reporting.throughput_page import latency_plot, order_plot, page_html, parts_of
from tests.reporting.chromium import dump_dom, needs_chromium


def facts(latencies_s: list[float | None], valid: bool = True) -> dict[str, Any]:
    return {
        "model": {"name": "<toy>", "manifest_hash": "ab" * 32},
        "settings": {"scenario": "single-stream"},
        "rates": {"decisions_per_s": 4.25, "rollouts_per_s": 34.0},
        "latencies_s": latencies_s,
        "split_s": {"prepare": 0.01, "denoise": 0.2, "transport": 0.04},
        "resources": {"gpus": []},
        "output": None,
        "machine": {"hardware": {"cpu": "c", "cores": 2}, "versions": {}, "commit": "", "command": ["benchmark.py"]},
        "valid": valid,
    }


def test_what_failed_never_comes() -> None:
    plot = latency_plot([100.0, 200.0, None, 300.0])
    assert plot is not None and len(plot.points) == 3
    assert plot.points[-1][1] > plot.y_ticks[-1][0]  # the line ends below 100 %
    assert [text for _, _, text in plot.marks] == ["p50 300 ms"]


def test_many_queries_are_thinned_and_the_slowest_stays() -> None:
    plot = order_plot([1.0] * 2500 + [90.0] + [1.0] * 2500)
    assert plot is not None and len(plot.points) < 1300
    assert min(y for _, y in plot.points) < max(y for _, y in plot.points) - 100


def test_without_two_answers_there_is_no_plot() -> None:
    assert latency_plot([None, 5.0]) is None and order_plot([]) is None
    assert "<svg" not in page_html("t", [], ["INVALID: late: slept"], {**facts([], valid=False), "split_s": {}})


def test_parts_fill_the_bar() -> None:
    parts = parts_of({"prepare": 1.0, "denoise": 2.0, "transport": 1.0})
    assert [(part.start, part.share) for part in parts] == [(0.0, 25.0), (25.0, 50.0), (75.0, 25.0)]


@needs_chromium
def test_the_page_shows_itself_and_loads_nothing(tmp_path: Path) -> None:
    page = tmp_path / "throughput.html"
    html = page_html("toy: single-stream", [("decisions/s", "4.25", "")], [], facts([0.2, 0.3, None, 0.25]))
    page.write_text(html, "utf-8")
    dom = dump_dom(page, tmp_path / "profile")
    assert "4.25 decisions a second" in dom and dom.count("<svg") == 2 and "&lt;toy&gt;" in dom
    assert "http" not in html.replace('http-equiv="', "")
