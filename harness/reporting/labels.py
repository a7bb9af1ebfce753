"""How numbers are called and written for readers: label, unit, digits, and one sentence each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Dict, Iterable, Optional, Tuple, Union

from harness.contracts.metrics import OVER_STEPS, PERCENT, Column, MetricSpec, telling_first
from harness.contracts.results import EpisodeResult, Metric

MISSING = "–"


@dataclass(frozen=True)
class Label:
    """How one number is shown; in per cent and ``POINTS`` it is written times 100."""

    name: str
    unit: str
    digits: int
    meaning: str = ""


POINTS = "points"
"""The unit of a difference of shares."""

DIFFERENCE = Label("", POINTS, 1)
"""How differences of success are written."""

RATIO = Label("", "", 2)
"""How gains and correlations are written."""

PHASES: Dict[str, str] = {
    "reset": "The environment opens the scene and renders the start and what is asked for.",
    "imagine": "Waiting for the world model's rollouts.",
    "score": "Comparing what was imagined with what is asked for, and choosing.",
    "step": "The environment executes the chosen actions and renders.",
    "gap": "Comparing imagined with real views; decides nothing.",
    "play": "The whole of the above, with what lies between.",
    "record": "Writing trajectory, pictures and video.",
    "episode": "Play and record together.",
}
"""What the seconds of each phase of an episode were spent on; the last three hold others."""


def phase_order(name: str) -> int:
    """Return where a phase stands in a table: in the order of an episode, unknown ones last."""
    return list(PHASES).index(name) if name in PHASES else len(PHASES)


def label_of(spec: MetricSpec) -> Label:
    """Return how a metric is shown."""
    return Label(spec.label, spec.unit, spec.digits, spec.meaning)


ShownColumn = Tuple[MetricSpec, Column]
"""A metric with its column, where it has one."""


def columns_of(specs: Iterable[MetricSpec]) -> Tuple[ShownColumn, ...]:
    """Return the columns that the table of episodes may have, in order."""
    return tuple((spec, spec.column) for spec in telling_first(specs) if spec.column is not None)


def column_data(shown: ShownColumn) -> Dict[str, Union[str, int]]:
    """Return what a page has to know of a column."""
    spec, column = shown
    told = {"name": spec.key, "label": column.label, "unit": spec.unit}
    return {**told, "digits": column.digits, "title": column.meaning}


def gap_digits(specs: Iterable[MetricSpec]) -> Dict[str, int]:
    """Return the digits behind the point of each measure of the gap, where a page shows it step by step."""
    return {spec.name: column.digits for spec, column in columns_of(specs) if spec.pooling == OVER_STEPS}


def cell(result: EpisodeResult, shown: ShownColumn) -> Optional[float]:
    """Return an episode's number in the column's unit, rounded to its digits; None where it has none."""
    spec, column = shown
    if spec.key not in result.metrics:
        return None
    return round(result.metrics[spec.key] * (100.0 if spec.unit == PERCENT else 1.0), column.digits)


def number(value: Optional[float], label: Label) -> str:
    """Return ``value`` as text without its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return MISSING
    scaled = value * 100.0 if label.unit in (PERCENT, POINTS) else value
    text = f"{scaled:.{label.digits}f}"
    return text.replace("-", "\u2212")


def interval(metric: Metric, label: Label) -> str:
    """Return a metric's interval as ``low – high``; a dash where it has none."""
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return MISSING
    return f"{number(metric.low, label)} \u2013 {number(metric.high, label)}"
