"""How the tables' page writes tables, code and numbers."""

from __future__ import annotations

import math
from typing import Optional, Sequence

from harness.contracts.results import Metric

NOTHING = "–"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, or a sentence where there is no row."""
    lines = [cells(head), cells(["---"] * len(head)), *map(cells, rows)]
    return "\n".join(lines) if rows else "Nothing to show."


def cells(row: Sequence[str]) -> str:
    """Return one row of a table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def code_block(lines: Sequence[str]) -> str:
    """Return lines of code."""
    return "\n".join(["```", *lines, "```"])


def percent(metric: Optional[Metric]) -> str:
    """Return a share per cent with its interval."""
    return NOTHING if metric is None else with_interval(metric, 100.0, 1)


def ratio(metric: Optional[Metric]) -> str:
    """Return a number without a unit with its interval."""
    return NOTHING if metric is None else with_interval(metric, 1.0, 2)


def seconds(metric: Metric) -> str:
    """Return seconds with their interval."""
    return with_interval(metric, 1.0, 2)


def metres(metric: Optional[Metric]) -> str:
    """Return metres to the millimetre with their interval."""
    return NOTHING if metric is None else with_interval(metric, 1.0, 3)


def with_interval(metric: Metric, scale: float, digits: int) -> str:
    """Return ``value [low, high]``."""
    value, low, high = (number(x * scale, digits) for x in (metric.value, metric.low, metric.high))
    return f"{value} [{low}, {high}]"


def number(value: float, digits: int) -> str:
    """Return a number with a minus sign that is one, and a dash for one that does not exist."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else NOTHING


def in_points(share: Optional[float]) -> str:
    """Return a share as points of a hundred."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def p_value(p: float) -> str:
    """Return a p-value, a small one by its power of ten."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"
