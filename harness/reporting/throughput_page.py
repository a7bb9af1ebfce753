"""One page about a measurement of throughput: its numbers, and plots of latency and of where a decision's time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.reporting.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, scale, ticks_of

TEMPLATES = Path(__file__).parent / "templates"
MOST_POINTS = 1000
"""Points of a plot; of more queries every n-th is drawn, and the slowest."""

MARKED = (0.5, 0.9, 0.97, 0.99)

Row = tuple[str, str, str]


@dataclass(frozen=True)
class Plot:
    """A plot of milliseconds: ticks as (position, text), points of a line or single ones, and marks (x, y, text)."""

    name: str
    x_label: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    points: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, float, str], ...] = ()

    @property
    def line(self) -> str:
        """Return the SVG points of the line."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class Part:
    """A part of a decision's time: seconds, and where its bar begins and how long it is, in percent of the whole."""

    name: str
    seconds: float
    start: float
    share: float


def page_html(title: str, rows: Sequence[Row], findings: Sequence[str], facts: Mapping[str, Any]) -> str:
    """Return the page of a result: ``facts`` as in its file, ``rows`` and ``findings`` as on the terminal."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    milliseconds = [None if seconds is None else 1e3 * seconds for seconds in facts["latencies_s"]]
    return environment.get_template("throughput.html.j2").render(
        title=title,
        rows=rows,
        findings=findings,
        facts=facts,
        plots=[plot for plot in (latency_plot(milliseconds), order_plot(milliseconds)) if plot is not None],
        parts=parts_of(facts["split_s"]),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=HEIGHT - BOTTOM,
    )


def latency_plot(milliseconds: Sequence[float | None]) -> Plot | None:
    """Return the share of queries that were answered by a time; what failed never comes, so the line ends below."""
    known = sorted(each for each in milliseconds if each is not None)
    if len(known) < 2:
        return None
    ticks = ticks_of([0.0, known[-1]], 0.0)
    to_x = scale(ticks[0], ticks[-1], LEFT, WIDTH - RIGHT)
    to_y = scale(0.0, 100.0, HEIGHT - BOTTOM, TOP)
    shares = [100.0 * (number + 1) / len(milliseconds) for number in range(len(known))]
    step = math.ceil(len(known) / MOST_POINTS)
    drawn = sorted({*range(0, len(known), step), len(known) - 1})
    marks = []
    for share in MARKED:
        index = int(len(milliseconds) * share)
        if index < len(known):
            marks.append((to_x(known[index]), to_y(100.0 * share), f"p{100 * share:g} {known[index]:.4g} ms"))
    return Plot(
        "Queries answered (%)",
        "milliseconds from arrival to answer",
        tuple((to_x(tick), f"{tick:g}") for tick in ticks),
        tuple((to_y(tick), f"{tick:g}") for tick in (0.0, 25.0, 50.0, 75.0, 100.0)),
        tuple((to_x(known[index]), to_y(shares[index])) for index in drawn),
        tuple(marks),
    )


def order_plot(milliseconds: Sequence[float | None]) -> Plot | None:
    """Return latency by query, in the order of arrival: what grows there has not settled, or cannot keep up."""
    known = [(number, each) for number, each in enumerate(milliseconds) if each is not None]
    if len(known) < 2:
        return None
    ticks = ticks_of([0.0, max(each for _, each in known)], 0.0)
    numbers = ticks_of([0.0, float(len(milliseconds))], 0.0)
    to_x = scale(0.0, float(len(milliseconds)), LEFT, WIDTH - RIGHT)
    to_y = scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    step = math.ceil(len(known) / MOST_POINTS)
    slowest = max(known, key=lambda point: point[1])
    drawn = sorted({*known[::step], slowest})
    return Plot(
        "Latency of each query (ms)",
        "query, in the order of arrival",
        tuple((to_x(tick), f"{tick:g}") for tick in numbers if tick <= len(milliseconds)),
        tuple((to_y(tick), f"{tick:g}") for tick in ticks),
        tuple((to_x(float(number)), to_y(each)) for number, each in drawn),
    )


def parts_of(split_s: Mapping[str, float]) -> list[Part]:
    """Return the parts of a decision's time, in the order in which they come."""
    whole = sum(split_s.values()) or 1.0
    parts, start = [], 0.0
    for name, seconds in split_s.items():
        share = 100.0 * max(0.0, seconds) / whole
        parts.append(Part(name, seconds, start, share))
        start += share
    return parts
