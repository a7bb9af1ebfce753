"""Do two ways to measure world models rank them alike? Rank correlations with a percentile bootstrap over homes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from harness.contracts.results import Metric
from harness.scoring.intervals import Floats

RESAMPLES = 1_000
SEED = 20_251_124
FEWEST = 3
"""Fewer world models than this are not ranked."""

DIGITS = 12
"""Means are rounded before they are ranked: equal counts must tie, in whatever order they were summed."""

Correlation = Callable[[Floats, Floats], float]


@dataclass(frozen=True)
class Totals:
    """Sums of some number by world model and home [models, homes], and how many numbers each home gave [homes]."""

    sums: Floats
    counts: Floats

    def means(self, weights: Floats) -> Floats:
        """Return the mean of each world model with homes counted ``weights`` times, rounded so that ties are ties."""
        count = float(np.sum(self.counts * weights))
        sums = np.sum(self.sums * weights, axis=1)
        means: Floats = np.round(sums / count, DIGITS) if count else np.zeros_like(sums)
        return means


def drawn_homes(homes: int, resamples: int, seed: int = SEED) -> Floats:
    """Return how often each home is drawn in each bootstrap sample, float64 [resamples, homes]."""
    counts = np.random.default_rng(seed).multinomial(homes, np.full(homes, 1.0 / homes), size=resamples)
    return counts.astype(np.float64)


def agreement(
    correlation: Correlation, first: Totals, second: Totals, first_drawn: Floats, second_drawn: Floats
) -> Metric:
    """Return a rank correlation over world models with its interval; ``n`` is their number.

    ``*_drawn`` are bootstrap samples of each side's homes: the same ones where both are measured in the same homes.
    """
    value = correlation(first.means(np.ones(len(first.counts))), second.means(np.ones(len(second.counts))))
    drawn = [correlation(first.means(a), second.means(b)) for a, b in zip(first_drawn, second_drawn, strict=True)]
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.any(np.isfinite(drawn)) else (np.nan, np.nan)
    return Metric(value, float(low), float(high), len(first.sums))
