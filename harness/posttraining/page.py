"""One page about a training: its curves as inline SVG, what was found of it, and what it was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.contracts.training import LOSS
from harness.posttraining.card import written
from harness.posttraining.training import NORM
from harness.records.atomic import write_atomic

TEMPLATES = Path(__file__).parent / "templates"
WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34
MOST_POINTS = 240
"""Points of a line: a pixel shows no more, and a page of every step would be megabytes."""


@dataclass(frozen=True)
class Chart:
    """A line over the steps: ticks as (position, text), the points of the line, and whiskers (x, low, high) if any."""

    name: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    line: str
    whiskers: tuple[tuple[float, float, float], ...]


def write_page(folder: Path, facts: Mapping[str, Any], name: str) -> None:
    """Write the page of a training whose ``training.json`` holds ``facts``."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["written"] = written
    page = environment.get_template("training.html.j2").render(facts=facts, charts=charts_of(facts))
    write_atomic(folder / name, page.encode())


def charts_of(facts: Mapping[str, Any]) -> list[Chart]:
    """Return the charts of a training: its losses, the norm of its gradient, the learning rate, and the regrets."""
    curve = facts["curve"]
    names = sorted(
        {name for entry in curve for name in entry["losses"]}, key=lambda name: (name != LOSS, name == NORM, name)
    )
    found = []
    for name in names:
        having = [entry for entry in curve if name in entry["losses"]]
        found.append(line_chart(name, [e["step"] for e in having], [e["losses"][name] for e in having]))
    steps, rates = [entry["step"] for entry in curve], [entry["learning_rate"] for entry in curve]
    found.append(line_chart("learning rate", steps, rates))
    regrets = list(facts.get("validation", {}).get("curve", ()))
    if regrets:
        metrics = [entry["regret_m"] for entry in regrets]
        whiskers = [(metric["low"], metric["high"]) for metric in metrics]
        chosen = [entry["step"] for entry in regrets]
        found.insert(1, line_chart("regret on the bank (m)", chosen, [m["value"] for m in metrics], whiskers))
        played = [entry for entry in regrets if entry["success"]["n"]]
        rates = [entry["success"] for entry in played]
        name = f"success in {rates[0]['n']} validation episodes" if rates else ""
        whiskers = [(metric["low"], metric["high"]) for metric in rates]
        found.insert(2, line_chart(name, [e["step"] for e in played], [m["value"] for m in rates], whiskers))
    return [chart for chart in found if chart is not None]


def line_chart(
    name: str,
    steps: Sequence[float],
    values: Sequence[float],
    whiskers: Sequence[tuple[Optional[float], Optional[float]]] = (),
) -> Optional[Chart]:
    """Return the chart of one value by step; None without a step."""
    if not steps:
        return None
    ends = [end for pair in whiskers for end in pair if end is not None]
    ticks = ticks_of(min([*values, *ends]), max([*values, *ends]))
    to_x = _scale(min(0.0, *steps, steps[0]), max(steps), LEFT, WIDTH - RIGHT)
    to_y = _scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    points = [(to_x(step), to_y(value)) for step, value in thinned(steps, values)]
    bars = [
        (to_x(step), to_y(low), to_y(high))
        for step, (low, high) in zip(steps, whiskers, strict=False)
        if low is not None and high is not None
    ]
    return Chart(
        name,
        tuple((to_x(tick), f"{tick:g}") for tick in ticks_of(0.0, max(steps)) if tick <= max(steps)),
        tuple((to_y(tick), f"{tick:g}") for tick in ticks),
        " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        tuple(bars),
    )


def thinned(steps: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Return at most `MOST_POINTS` points: means of equally many neighbours, at the last step of each."""
    size = -(-len(steps) // MOST_POINTS)
    starts = range(0, len(steps), size)
    return [(steps[min(s + size, len(steps)) - 1], _mean(values[s : s + size])) for s in starts]


def ticks_of(low: float, high: float) -> list[float]:
    """Return three to seven round numbers that enclose a range."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4.0))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if span / (factor * power) <= 5.0)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * i, 12) for i in range(first, max(last, first + 1) + 1)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _scale(low: float, high: float, start: float, end: float) -> Any:
    span = high - low if high > low else 1.0
    return lambda value: start + (value - low) / span * (end - start)
