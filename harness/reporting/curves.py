"""A curve of a share in percent against a number, for several world models, as one SVG picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Iterator, List, Sequence, Tuple
from xml.sax.saxutils import escape

from harness.contracts.results import Metric
from harness.reporting.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, scale, ticks_of

COLOURS = ("#0b6e99", "#b3561b", "#3d7a34", "#7a4ba0", "#9c2f4f", "#555555")
ROW = 16
"""Pixels of one line of the legend."""


@dataclass(frozen=True)
class Curve:
    """What one world model reaches: a share in [0, 1] with its interval at each number, by rising number.

    Several may stand at one number; the line goes through their mean.
    """

    name: str
    points: Tuple[Tuple[float, Metric], ...]


def curve_svg(title: str, x_label: str, curves: Sequence[Curve], logarithmic: bool = False) -> str:
    """Return the picture; ``logarithmic`` spaces the numbers, which are then above 0, by their ratios."""
    numbers = sorted({x for curve in curves for x, _ in curve.points})
    place = math.log if logarithmic else float
    margin = 0.05 * (place(numbers[-1]) - place(numbers[0])) or 0.5
    along = scale(place(numbers[0]) - margin, place(numbers[-1]) + margin, LEFT, WIDTH - RIGHT)
    bounds = [100.0 * bound for curve in curves for _, m in curve.points for bound in (m.value, m.low, m.high)]
    ticks = _percents([bound for bound in bounds if math.isfinite(bound)])
    up = scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    height = HEIGHT + ROW * len(curves) + 4
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_axes([(along(place(x)), _number(x)) for x in numbers], [(up(tick), f"{tick:g}") for tick in ticks], x_label),
    ]
    for number, curve in enumerate(curves):
        shift = 3.0 * (number - (len(curves) - 1) / 2.0)
        places = [(along(place(x)) + shift, metric) for x, metric in curve.points]
        lines += _drawn(places, up, COLOURS[number % len(COLOURS)], curve, HEIGHT + ROW * number + 8)
    return "\n".join([*lines, "</svg>\n"])


def _number(value: float) -> str:
    """Return a whole number as it is, and a measured one to three digits."""
    return f"{value:.0f}" if value == int(value) else f"{float(f'{value:.3g}'):g}"


def _percents(values: Sequence[float]) -> List[float]:
    ticks = ticks_of([max(0.0, min(values)), min(100.0, max(values))], 20.0)
    return [tick for tick in ticks if -1e-9 <= tick <= 100.0 + 1e-9]


def _axes(across: Sequence[Tuple[float, str]], up: Sequence[Tuple[float, str]], x_label: str) -> Iterator[str]:
    for y, text in up:
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#333333">{text}</text>'
    yield f'<text x="4" y="{TOP - 1}" fill="#333333">%</text>'
    last = -math.inf
    for x, text in across:
        if x - last >= 7.0 * len(text) + 4.0:  # labels that would touch are left out
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle" fill="#333333">{text}</text>'
            last = x
    middle = (LEFT + WIDTH - RIGHT) / 2.0
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 4}" text-anchor="middle" fill="#333333">{escape(x_label)}</text>'


def _drawn(
    places: Sequence[Tuple[float, Metric]], up: Callable[[float], float], colour: str, curve: Curve, legend_y: float
) -> Iterator[str]:
    """Yield the line of a curve, its points with whiskers, and its line of the legend."""
    means = {x: [metric.value for at, metric in places if at == x] for x, _ in places}
    line = " ".join(f"{x:.1f},{up(100.0 * sum(values) / len(values)):.1f}" for x, values in means.items())
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    for (x, metric), (number, _) in zip(places, curve.points):
        value, low, high = (up(100.0 * share) for share in (metric.value, metric.low, metric.high))
        if math.isfinite(low) and math.isfinite(high):
            yield f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}"/>'
        told = f"{curve.name}, {_number(number)}: {100.0 * metric.value:.1f} % of {metric.n}"
        yield f'<circle cx="{x:.1f}" cy="{value:.1f}" r="3" fill="{colour}"><title>{escape(told)}</title></circle>'
    yield f'<path d="M{LEFT} {legend_y:.1f}h18" stroke="{colour}" stroke-width="3"/>'
    yield f'<text x="{LEFT + 24}" y="{legend_y + 4:.1f}" fill="#333333">{escape(curve.name)}</text>'
