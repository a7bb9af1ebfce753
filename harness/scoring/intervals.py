"""95 % intervals for rates and means of episodes that share homes.

Episodes of one home succeed and fail together, so an interval that counts episodes as independent is too
short: with 10 homes and an intracluster correlation of .12 a plain Wilson interval covers .72 instead of .95.
Every interval here takes the home as the unit of sampling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy import special

from harness.scoring.bounds import UNBOUNDED, Bounds, inside

CONFIDENCE = 0.95
ASSUMED_ICC = 0.12
"""Intracluster correlation used only where the sample shows no variation between homes (none or all solved, or a
single home), because then it cannot be estimated. It is the design value of the embedded suite."""

NORMAL_QUANTILE = float(special.ndtri(0.5 + CONFIDENCE / 2.0))

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Numbers with the home that each comes from: float64 [n] and int64 [n] home indices 0..homes-1."""

    values: Floats
    home_index: npt.NDArray[np.int64]
    homes: int

    @staticmethod
    def of(values: Sequence[float], homes: Sequence[str]) -> Sample:
        """Return a sample from parallel sequences; raise ValueError when their lengths differ."""
        if len(values) != len(homes):
            raise ValueError(f"{len(values)} values but {len(homes)} homes; give one home for each value.")
        names, index = np.unique(np.asarray(homes, dtype=str), return_inverse=True)
        return Sample(np.asarray(values, dtype=np.float64), index.astype(np.int64), len(names))

    def __len__(self) -> int:
        return len(self.values)

    def home_sums(self, values: Floats) -> Floats:
        """Return the sum of ``values`` [n] over each home [homes]."""
        sums: Floats = np.bincount(self.home_index, weights=values, minlength=self.homes).astype(np.float64)
        return sums


def linearised_variance(influence: Floats) -> float:
    """Return the variance of an estimator from its influence per home [homes] (they sum to zero).

    The between-cluster estimator of survey statistics, G/(G-1) * sum(u^2); Cochran, Sampling Techniques, 3rd ed.,
    chapter 11. Needs at least two homes.
    """
    homes = len(influence)
    return float(homes / (homes - 1) * np.sum(influence * influence))


def mean_variance(sample: Sample) -> float:
    """Return the variance of the sample mean with homes as clusters, at least that of independent episodes.

    The floor keeps a lucky draw of equal homes from promising more than independent episodes could. Homes may
    differ in size: the mean is a ratio of home totals. A single home shows nothing between homes; then the
    variance of independent episodes is inflated by the design effect of `ASSUMED_ICC`.
    """
    n = len(sample)
    deviations = sample.values - sample.values.mean()
    independent = float(sample.values.var(ddof=1)) / n if n > 1 else float("nan")
    if sample.homes < 2:
        return independent * assumed_design_effect(sample)
    return max(linearised_variance(sample.home_sums(deviations) / n), independent)


def rate_interval(sample: Sample) -> Tuple[float, float]:
    """Return the interval of a mean of values in [0, 1]: a success rate or an SPL.

    It is Wilson's interval with the effective sample size p(1-p)/variance and the t quantile of G-1 degrees of
    freedom in place of the normal one. Chosen over mean +- t * error because that one covers .82-.93 where few
    episodes succeed, and this one .94-.97 for rates of .02-.95 with 25 or 100 homes of 4 episodes (ICC .12).
    Where nothing varies (0 of n, n of n) the effective size assumes `ASSUMED_ICC`, and the quantile is the normal one
    because no variance was estimated. Empty samples give NaN.
    """
    n = len(sample)
    if n == 0:
        return (float("nan"), float("nan"))
    rate = float(sample.values.mean())
    variance = mean_variance(sample) if n > 1 else 0.0
    if 0.0 < rate < 1.0 and variance > 0.0:
        effective = rate * (1.0 - rate) / variance
        return _wilson(rate * effective, effective, _quantile(sample))
    effective = n / assumed_design_effect(sample)
    return _wilson(rate * effective, effective, NORMAL_QUANTILE)


def mean_interval(sample: Sample, bounds: Bounds = UNBOUNDED) -> Tuple[float, float]:
    """Return the t interval of a mean (metres, counts), homes as clusters, cut at the ``bounds`` of such values.

    A single value has no interval: NaN, which exports write as null.
    """
    if len(sample) < 2:
        return (float("nan"), float("nan"))
    mean = float(sample.values.mean())
    half = _quantile(sample) * mean_variance(sample) ** 0.5
    return inside((mean - half, mean + half), bounds)


def wilson_interval(solved: float, n: int) -> Tuple[float, float]:
    """Return Wilson's interval of ``solved`` out of ``n``, as if episodes were independent; shown beside ours."""
    if n == 0:
        return (float("nan"), float("nan"))
    return _wilson(solved, float(n), NORMAL_QUANTILE)


def _wilson(solved: float, n: float, quantile: float) -> Tuple[float, float]:
    rate, square = solved / n, quantile * quantile
    scale = 1.0 + square / n
    centre = (rate + square / (2.0 * n)) / scale
    half = quantile * math.sqrt(rate * (1.0 - rate) / n + square / (4.0 * n * n)) / scale
    return (max(0.0, centre - half), min(1.0, centre + half))


def _quantile(sample: Sample) -> float:
    degrees = (sample.homes if sample.homes > 1 else len(sample)) - 1
    if degrees < 1:
        return NORMAL_QUANTILE
    return t_quantile(0.5 + CONFIDENCE / 2.0, degrees)


def t_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t distribution, without `scipy.stats`, which takes seconds to import."""
    return float(special.stdtrit(degrees, probability))


def assumed_design_effect(sample: Sample) -> float:
    """Return the design effect of `ASSUMED_ICC` for homes of this sample's mean size."""
    mean_size = len(sample) / sample.homes
    return 1.0 + (mean_size - 1.0) * ASSUMED_ICC
