"""How many queries a percentile of latency needs, and what can be said of it with those that there are.

The rules are those that LoadGen publishes: a bound on a percentile holds at a confidence of 99 % where the binomial
distribution leaves at most 1 % for so few slow queries. A query that failed is slower than any other one.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Optional, Sequence

CONFIDENCE = 0.99
PERCENTILES = (0.5, 0.9, 0.97, 0.99)


@dataclass(frozen=True)
class Percentile:
    """One percentile of the seconds that queries took, None where the query that stands for it failed.

    ``value_s`` is that of the sample, ``bound_s`` what the true one stays below at the confidence, None with fewer
    than ``needed`` queries.
    """

    percentile: float
    value_s: Optional[float]
    bound_s: Optional[float]
    needed: int


@functools.cache
def fewest_fast(slow: int, percentile: float, confidence: float = CONFIDENCE) -> int:
    """Return how many queries must be faster than a bound, beside ``slow`` slower ones, for it to be the percentile's.

    The least h for which ``slow`` or fewer of h + slow queries are slower with a probability below 1 - confidence,
    if each one is slower with the probability 1 - percentile.
    """
    from scipy.special import bdtr

    low, high = 0, 1
    while bdtr(slow, high + slow, 1.0 - percentile) >= 1.0 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        passes = bdtr(slow, middle + slow, 1.0 - percentile) < 1.0 - confidence
        low, high = (low, middle) if passes else (middle, high)
    return high


def needed(percentile: float) -> int:
    """Return the fewest queries that say something of a percentile, with one among them that is slower."""
    return fewest_fast(1, percentile) + 1


def discarded(queries: int, percentile: float) -> int:
    """Return how many of the slowest queries may lie above a bound on the percentile, 0 where they are too few."""
    low, high = 0, queries + 1
    while high - low > 1:
        middle = (low + high) // 2
        enough = queries >= fewest_fast(middle, percentile) + middle
        low, high = (middle, high) if enough else (low, middle)
    return low


def percentile_of(seconds: Sequence[float], percentile: float) -> Percentile:
    """Return a percentile of ``seconds``, in which a query that failed stands as infinity."""
    ordered = sorted(seconds)
    slow = discarded(len(ordered), percentile)
    value = ordered[int(len(ordered) * percentile)] if ordered else math.inf
    return Percentile(percentile, _finite(value), _finite(ordered[-slow] if slow else math.inf), needed(percentile))


def kept_bound(seconds: Sequence[float], bound_s: float, percentile: float) -> bool:
    """Say whether the percentile is shown to keep a bound on latency."""
    slow = sum(each > bound_s for each in seconds)
    return len(seconds) >= fewest_fast(slow, percentile) + slow


def _finite(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None
