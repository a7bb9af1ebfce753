"""Pairs of runs whose truth is known: homes differ in difficulty, and the two world models differ from home to home."""

from __future__ import annotations

import functools
from typing import Tuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from harness.scoring.intervals import Sample

Outcomes = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

ICC = 0.12
"""Intracluster correlation of success within a home, of each run: the design value of the embedded suite."""

SHARED = 0.5
"""Share of what a home does to success (and of what an episode does) that is common to both world models; the rest is
each model's own, so models interact with homes."""


@functools.lru_cache(maxsize=64)
def latent_correlation(rate: float, icc: float = ICC) -> float:
    """Return the correlation of normal variables whose signs have success ``rate`` and correlation ``icc``."""
    cut = float(stats.norm.ppf(rate))

    def surplus(correlation: float) -> float:
        joint = stats.multivariate_normal.cdf([cut, cut], cov=[[1.0, correlation], [correlation, 1.0]])
        return float(joint - rate * rate - icc * rate * (1.0 - rate))

    return float(optimize.brentq(surplus, 0.0, 0.95)) if icc > 0.0 else 0.0


def simulated_pairs(
    rng: np.random.Generator,
    comparisons: int,
    homes: int,
    per_home: int,
    rates: Tuple[float, float],
    icc: float = ICC,
) -> Tuple[Outcomes, Outcomes]:
    """Return what two runs solved, each bool [comparisons, homes, per_home]; true success rates are ``rates``.

    A probit model: an episode is solved where a normal variable, the sum of a part of the home and a part of the
    episode, lies below the quantile of the rate. Each part has a share that both models have in common.
    """
    common_home = rng.standard_normal((comparisons, homes, 1))
    common_episode = rng.standard_normal((comparisons, homes, per_home))
    solved = []
    for rate in rates:
        own_home = rng.standard_normal((comparisons, homes, 1))
        own_episode = rng.standard_normal((comparisons, homes, per_home))
        of_home = np.sqrt(SHARED) * common_home + np.sqrt(1.0 - SHARED) * own_home
        of_episode = np.sqrt(SHARED) * common_episode + np.sqrt(1.0 - SHARED) * own_episode
        clustered = latent_correlation(rate, icc)
        latent = np.sqrt(clustered) * of_home + np.sqrt(1.0 - clustered) * of_episode
        solved.append(latent < stats.norm.ppf(rate))
    return solved[0], solved[1]


def simulated_distances(
    rng: np.random.Generator, comparisons: int, homes: int, per_home: int, difference: float = 0.0
) -> Floats:
    """Return paired differences of skewed lengths in metres, float64 [comparisons, homes, per_home], homes as clusters.

    Each run's length is gamma distributed with a mean that its home shifts, partly for this model alone.
    """
    common = rng.gamma(8.0, 0.15, size=(comparisons, homes, 1))
    lengths = [
        (common + rng.gamma(4.0, 0.1, size=(comparisons, homes, 1)))
        * rng.gamma(2.0, 0.5, (comparisons, homes, per_home))
        for _ in range(2)
    ]
    return np.asarray(lengths[1] - lengths[0] + difference)


def home_names(homes: int, per_home: int) -> Tuple[str, ...]:
    """Return the home of each pair, in the order of a ravelled simulation."""
    return tuple(f"home-{home:03d}" for home in range(homes) for _ in range(per_home))


def sample_of(differences: Floats, names: Tuple[str, ...]) -> Sample:
    """Return one simulated comparison [homes, per_home] as a sample."""
    return Sample.of(differences.ravel().tolist(), names)
