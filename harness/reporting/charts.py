"""Geometry of the report's charts: numbers in, positions out; the template only draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Iterable, List, Optional, Sequence, Tuple

from harness.contracts.metrics import MetricSpec
from harness.contracts.results import Metric
from harness.reporting.labels import Label, label_of, number
from harness.scoring.gap import Gap, GapStep

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 34
TICKS = tuple(float(f"{digit}e{power}") for power in range(-3, 7) for digit in (1, 2, 5))


@dataclass(frozen=True)
class Point:
    """One step of one series: position, whisker ends, and the text of its tooltip."""

    x: float
    y: float
    low_y: float
    high_y: float
    title: str


@dataclass(frozen=True)
class Series:
    """The points of one outcome (``solved`` | ``failed``) and the line through them."""

    outcome: str
    points: Tuple[Point, ...]

    @property
    def line(self) -> str:
        """Return the SVG points of the line."""
        return " ".join(f"{p.x:.1f},{p.y:.1f}" for p in self.points)


@dataclass(frozen=True)
class GapChart:
    """One gap measure by step of a decision: axis ticks as (position, text), and a series for each outcome."""

    label: Label
    x_ticks: Tuple[Tuple[float, str], ...]
    y_ticks: Tuple[Tuple[float, str], ...]
    series: Tuple[Series, ...]


def gap_chart(gap: Gap, spec: Optional[MetricSpec]) -> Optional[GapChart]:
    """Return the chart of a gap by step, None where no step was imagined.

    ``spec`` is None for a measure that nobody declared: it shows its own name. The axis is never shorter than declared:
    noise in the last digit must not look like a difference.
    """
    if not gap.by_step:
        return None
    label = Label(gap.name, "", 3) if spec is None else label_of(spec)
    metrics = [m for point in gap.by_step for m in (point.solved, point.failed) if m is not None]
    bounds = [bound for m in metrics for bound in (m.value, _or(m.low, m.value), _or(m.high, m.value))]
    ticks = ticks_of(bounds, 0.0 if spec is None else spec.least_span)
    steps = [point.step for point in gap.by_step]
    to_x = scale(steps[0] - 0.5, steps[-1] + 0.5, LEFT, WIDTH - RIGHT)
    to_y = scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    series = (
        Series("solved", tuple(_points(gap.by_step, lambda p: p.solved, -3.0, to_x, to_y, label))),
        Series("failed", tuple(_points(gap.by_step, lambda p: p.failed, 3.0, to_x, to_y, label))),
    )
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]))) if len(ticks) > 1 else label.digits
    return GapChart(
        label,
        tuple((to_x(step), str(step)) for step in steps),
        tuple((to_y(tick), f"{tick:.{digits}f}") for tick in ticks),
        tuple(s for s in series if s.points),
    )


def _points(
    steps: Sequence[GapStep],
    pick: Callable[[GapStep], Optional[Metric]],
    shift: float,
    to_x: Callable[[float], float],
    to_y: Callable[[float], float],
    label: Label,
) -> Iterable[Point]:
    """Yield a point for each step that has the outcome; ``shift`` keeps the two outcomes from hiding each other."""
    for step in steps:
        metric = pick(step)
        if metric is None:
            continue
        low, high = _or(metric.low, metric.value), _or(metric.high, metric.value)
        title = f"step {step.step}: {number(metric.value, label)} ({metric.n} episodes)"
        yield Point(to_x(step.step) + shift, to_y(metric.value), to_y(low), to_y(high), title)


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return where a number between ``low`` and ``high`` lies between ``start`` and ``end``."""
    span = high - low if high > low else 1.0
    return lambda value: start + (value - low) / span * (end - start)


def ticks_of(values: Sequence[float], least_span: float) -> List[float]:
    """Return two to seven round numbers that enclose ``values`` and span at least ``least_span``."""
    low, high = min(values), max(values)
    low = min(low, high - least_span)
    step = next((s for s in TICKS if (high - low) / s <= 5.0), TICKS[-1])
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def _or(value: float, other: float) -> float:
    return value if math.isfinite(value) else other


@dataclass(frozen=True)
class DifferenceAxis:
    """An axis of differences around zero: its half width, and positions in percent of the width."""

    reach: float

    def at(self, difference: float) -> float:
        """Return where a difference lies, at the edge for one outside."""
        return 50.0 + 50.0 * max(-1.0, min(1.0, difference / self.reach))

    @property
    def ticks(self) -> Tuple[float, ...]:
        """Return five differences, evenly spread."""
        return (-self.reach, -self.reach / 2.0, 0.0, self.reach / 2.0, self.reach)


def difference_axis(differences: Sequence[Metric]) -> DifferenceAxis:
    """Return an axis that holds every interval: 10, 20, 50 or 100 points to each side."""
    farthest = max((max(abs(_or(m.low, m.value)), abs(_or(m.high, m.value))) for m in differences), default=1.0)
    return DifferenceAxis(next((reach for reach in (0.1, 0.2, 0.5) if farthest <= reach), 1.0))
