"""What success costs: a point for each world model, seconds a decision against success, and the front of the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

from harness.contracts.results import Metric
from harness.reporting.charts import TICKS, scale, ticks_of

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 18, 44
LABEL_WIDTH, LABEL_HEIGHT = 6.6, 15.0
"""Pixels that a character and a line of a label take, so that labels which would touch are left out."""
LABEL_CHARACTERS = 24


@dataclass(frozen=True)
class Priced:
    """A world model with what it solves and the seconds of a decision, above 0; ``href`` leads to it."""

    name: str
    href: str
    success: Metric
    seconds: float


@dataclass(frozen=True)
class Spot:
    """A point of the plot with the ends of its interval; ``label`` is "" where it would touch another."""

    x: float
    y: float
    low_y: float
    high_y: float
    title: str
    href: str
    on_front: bool
    label: str
    anchor: str


@dataclass(frozen=True)
class Level:
    """The success of a reference, as a line across the plot."""

    y: float
    name: str


@dataclass(frozen=True)
class ParetoPlot:
    """The plot: ticks as (position, text), points, levels, and the SVG points of the front."""

    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    spots: tuple[Spot, ...]
    levels: tuple[Level, ...]
    front: str


def front_of(models: Sequence[Priced]) -> set[int]:
    """Return the indices of those that nobody beats: no other solves as much in less time, or more in as much."""
    best: set[int] = set()
    most = -math.inf
    for index in sorted(range(len(models)), key=lambda i: (models[i].seconds, -models[i].success.value)):
        if models[index].success.value > most:
            best.add(index)
            most = models[index].success.value
    return best


def pareto_plot(models: Sequence[Priced], levels: Sequence[tuple[str, float]]) -> Optional[ParetoPlot]:
    """Return the plot of ``models`` (seconds on a logarithmic axis), None where there are fewer than two."""
    if len(models) < 2:
        return None
    seconds = [model.seconds for model in models]
    ends = 0.85 * min(seconds), 1.18 * max(seconds)
    along = scale(math.log(ends[0]), math.log(ends[1]), LEFT, WIDTH - RIGHT)
    bounds = [100.0 * bound for m in models for bound in (m.success.low, m.success.high, m.success.value)]
    bounds = [bound for bound in (*bounds, *(100.0 * level for _, level in levels)) if math.isfinite(bound)]
    ticks = [tick for tick in ticks_of(bounds, 20.0) if -1e-9 <= tick <= 100.0 + 1e-9]
    up = scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    best = front_of(models)
    spots = _spots(models, best, [(along(math.log(m.seconds)), up(100.0 * m.success.value)) for m in models], up)
    steps = sorted((spot for spot in spots if spot.on_front), key=lambda spot: spot.x)
    corners = [point for a, b in zip(steps, steps[1:]) for point in ((a.x, a.y), (b.x, a.y))]
    corners += [(spot.x, spot.y) for spot in steps[-1:]] + [(float(WIDTH - RIGHT), spot.y) for spot in steps[-1:]]
    return ParetoPlot(
        tuple((along(math.log(tick)), f"{tick:g}") for tick in TICKS if ends[0] <= tick <= ends[1]),
        tuple((up(tick), f"{tick:g}") for tick in ticks),
        spots,
        tuple(Level(up(100.0 * level), name) for name, level in levels),
        " ".join(f"{x:.1f},{y:.1f}" for x, y in corners),
    )


def _spots(
    models: Sequence[Priced], best: set[int], places: Sequence[tuple[float, float]], up: Callable[[float], float]
) -> tuple[Spot, ...]:
    """Return the points; those of the front are labelled, the best first, as far as labels do not touch."""
    taken: list[tuple[float, float, float]] = []  # left, right, y of labels
    labels: dict[int, tuple[str, str]] = {}
    for index in sorted(best, key=lambda i: -models[i].success.value):
        (x, y), name = places[index], _short(models[index].name)
        width = LABEL_WIDTH * len(name)
        left = x + 8.0 if x + 8.0 + width < WIDTH else x - 8.0 - width
        clear = all(left > end or left + width < start or abs(y - line) > LABEL_HEIGHT for start, end, line in taken)
        if clear:
            taken.append((left, left + width, y))
            labels[index] = (name, "start" if left > x else "end")
    found = []
    for index, (model, (x, y)) in enumerate(zip(models, places, strict=True)):
        low, high = (
            up(100.0 * (v if math.isfinite(v) else model.success.value))
            for v in (model.success.low, model.success.high)
        )
        title = f"{model.name}: {100.0 * model.success.value:.1f} %, {model.seconds:.3g} s a decision"
        found.append(Spot(x, y, low, high, title, model.href, index in best, *labels.get(index, ("", "start"))))
    return tuple(found)


def _short(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else f"{name[: LABEL_CHARACTERS - 1]}\u2026"
