"""How large a difference in success is: its interval over homes, and whether it is too small to matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from scipy import special

from harness.scoring.intervals import CONFIDENCE, Sample, assumed_design_effect, mean_variance, t_quantile

MARGIN = 0.08
"""Two world models whose success differs by less than 8 points are called equivalent: about what 400 episodes in 100
homes can resolve, and less than the smallest planted error that a suite has to show."""

ADDED = 0.5
"""Pairs that the interval adds to each of the four outcomes (Agresti and Min)."""


@dataclass(frozen=True)
class Effect:
    """A difference of success rates, other minus baseline, with what intervals and tests of it need.

    ``value`` is what was observed. ``centre`` and ``error`` belong to the t distribution with ``degrees`` degrees of
    freedom behind the interval. ``discordance`` is the share of pairs that only one run solved (adjusted as ``centre``
    is), ``effective`` the number of independent pairs that tell as much as these, ``design_effect`` the ratio.
    """

    value: float
    centre: float
    error: float
    degrees: int
    discordance: float
    effective: float
    design_effect: float

    def interval(self, confidence: float = CONFIDENCE) -> Tuple[float, float]:
        """Return the interval of the difference, inside [-1, 1]."""
        half = t_quantile(0.5 + confidence / 2.0, self.degrees) * self.error
        return (max(-1.0, self.centre - half), min(1.0, self.centre + half))


def success_effect(differences: Sample) -> Effect:
    """Return the effect from paired differences in {-1, 0, 1} with their homes.

    The interval is that of Agresti and Min (Simple improved confidence intervals for comparing matched proportions,
    Statistics in Medicine 24, 2005), which adds half a pair to each outcome, taken with the effective number of pairs
    that clustering by home leaves and the t quantile of the number of homes. With many discordant pairs it is the
    cluster-robust t interval; with few that one is too short (it covers .93 where 5 % and 2 % are solved), and with
    none it has no length at all. Where nothing differs, clustering cannot be seen and `ASSUMED_ICC` stands for it.
    """
    n = len(differences)
    design = design_effect(differences)
    effective = n / design
    more = _adjusted(float(np.mean(differences.values > 0)), effective)
    fewer = _adjusted(float(np.mean(differences.values < 0)), effective)
    centre, discordance = more - fewer, more + fewer
    error = float(np.sqrt((discordance - centre * centre) / (effective + 4.0 * ADDED)))
    degrees = max(1, (differences.homes if differences.homes > 1 else n) - 1)
    return Effect(float(differences.values.mean()), centre, error, degrees, discordance, effective, design)


def design_effect(sample: Sample) -> float:
    """Return how many times larger the variance of the mean is than with independent pairs; at least 1."""
    n = len(sample)
    independent = float(sample.values.var(ddof=1)) / n if n > 1 else 0.0
    return mean_variance(sample) / independent if independent > 0.0 else assumed_design_effect(sample)


def equivalence_test(effect: Effect, margin: float = MARGIN) -> float:
    """Return the p-value of "the success rates differ by at least ``margin``": small means equivalent.

    Two one-sided t tests (Schuirmann 1987), homes as clusters; below .05 exactly when the 90 % interval lies inside
    the margins. A large p-value says nothing: absence of evidence is not equivalence.
    """
    above = special.stdtr(effect.degrees, -(effect.centre + margin) / effect.error)
    below = special.stdtr(effect.degrees, (effect.centre - margin) / effect.error)
    return float(max(above, below))


def _adjusted(share: float, effective: float) -> float:
    return (share * effective + ADDED) / (effective + 4.0 * ADDED)
