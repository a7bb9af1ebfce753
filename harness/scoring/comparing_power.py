"""What a comparison could have found: the smallest difference that so many episodes and homes detect."""

from __future__ import annotations

from typing import Optional

import numpy as np
from scipy import optimize, stats

from harness.scoring.comparing_effect import Effect

ALPHA = 0.05
POWER = 0.8


def detectable_difference(effect: Effect, alpha: float = ALPHA, power: float = POWER) -> Optional[float]:
    """Return the smallest true difference in success that is found with ``power``; None where none would be.

    With discordance psi and m effective pairs, the difference d solves
    ``d sqrt(m) = t(1 - alpha/2) sqrt(psi) + t(power) sqrt(psi - d^2)``: the sample size formula of Connor (Sample size
    for testing differences in proportions for the paired-sample design, Biometrics 43, 1987), with the effective pairs
    that clustering by home leaves for m, and t quantiles of homes - 1 degrees of freedom for normal ones. A difference
    cannot exceed the discordance, so psi grows with d where few pairs were discordant. It depends on the observed
    discordance and clustering alone, never on the observed difference, so it may be read beside it.
    """
    first = float(stats.t.ppf(1.0 - alpha / 2.0, effect.degrees))
    second = float(stats.t.ppf(power, effect.degrees))

    def surplus(difference: float) -> float:
        discordance = max(effect.discordance, difference)
        spread = np.sqrt(max(0.0, discordance - difference * difference))
        return float(difference * np.sqrt(effect.effective) - first * np.sqrt(discordance) - second * spread)

    if surplus(1.0) <= 0.0:
        return None
    return float(optimize.brentq(surplus, 0.0, 1.0))
