"""The difference of two samples that share no home: between test homes and fresh ones nothing can be paired."""

from __future__ import annotations

from typing import Tuple

from scipy import special

from harness.contracts.results import Metric
from harness.scoring.intervals import CONFIDENCE, Sample, assumed_design_effect, mean_variance, t_quantile


def welch(first: Sample, second: Sample) -> Tuple[Metric, float]:
    """Return the difference of two means of independent homes with its interval, and the p-value of 0.

    Welch, The generalization of 'Student's' problem, Biometrika 34 (1947), with homes as the units. The values are
    shares in [0, 1].
    """
    variances = _variance(first), _variance(second)
    value = float(first.values.mean() - second.values.mean())
    error = sum(variances) ** 0.5
    parts = sum(v * v / max(s.homes - 1, 1) for v, s in zip(variances, (first, second)))
    degrees = sum(variances) ** 2 / parts
    half = t_quantile(0.5 + CONFIDENCE / 2.0, degrees) * error
    p = 2.0 * float(special.stdtr(degrees, -abs(value) / error))
    return Metric(value, max(-1.0, value - half), min(1.0, value + half), len(first) + len(second)), p


def _variance(sample: Sample) -> float:
    """Return the variance of the mean, above 0.

    Where all or none were solved nothing varies, and still more episodes could: as Agresti and Caffo add a success and
    a failure to each sample (The American Statistician 54, 2000), here to the effective number of episodes. Without
    that, who solves every test home and no fresh one could not be told from luck.
    """
    found = mean_variance(sample)
    if found > 0.0:
        return found
    effective = len(sample) / assumed_design_effect(sample)
    share = (float(sample.values.mean()) * effective + 1.0) / (effective + 2.0)
    return share * (1.0 - share) / (effective + 2.0)
