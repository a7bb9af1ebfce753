"""Rank correlations between two lists of numbers, NaN where one of them ranks nothing."""

from __future__ import annotations

import numpy as np
from scipy import stats

from harness.scoring.intervals import Floats


def kendall(first: Floats, second: Floats) -> float:
    """Return Kendall's tau-b of float64 [n] and float64 [n]."""
    return float(stats.kendalltau(first, second).statistic)


def spearman(first: Floats, second: Floats) -> float:
    """Return Spearman's rho of float64 [n] and float64 [n], ties by mean rank."""
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)
