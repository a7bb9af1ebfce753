"""Means with their intervals over homes, and their plain form in cards and ``training.json``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.contracts.results import Metric
from harness.scoring.intervals import Sample, mean_interval


def metric_of(values: Sequence[float], homes: Sequence[str]) -> Metric:
    """Return the mean of one value a pair or state, with its interval; homes are clusters. NaN without any value."""
    if not len(values):
        return Metric(math.nan, math.nan, math.nan, 0)
    sample = Sample.of([float(value) for value in values], list(homes))
    low, high = mean_interval(sample)
    return Metric(float(sample.values.mean()), low, high, len(sample))


def plain_metric(metric: Metric) -> dict[str, Any]:
    """Return a value with its interval; what is no number (the interval of one value) is None."""
    return {name: (value if math.isfinite(value) else None) for name, value in asdict(metric).items()}
