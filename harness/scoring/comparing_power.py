"""What a comparison could have found: the smallest difference that so many episodes and homes detect."""

from __future__ import annotations

from typing import Optional

import numpy as np

from harness.scoring.comparing_effect import Effect
from harness.scoring.intervals import t_quantile

ALPHA = 0.05
POWER = 0.8


def detectable_difference(effect: Effect, alpha: float = ALPHA, power: float = POWER) -> Optional[float]:
    """Return the smallest true difference in success that is found with ``power``; None where none would be.

    With discordance psi, n pairs and m effective ones, the difference d solves
    ``(d - 1/n) sqrt(m) = t(1 - alpha/2) sqrt(psi) + t(power) sqrt(psi - d^2)``: the sample size formula of Connor
    (Sample size for testing differences in proportions for the paired-sample design, Biometrics 43, 1987), with the
    effective pairs that clustering by home leaves for m, t quantiles of homes - 1 degrees of freedom for normal ones,
    and 1/n as continuity correction: the sign-flip test moves in steps of two pairs, and without it the promise was
    missed by up to 7 points of power. A difference cannot exceed the discordance, so psi grows with d where few pairs
    were discordant. It depends on the observed discordance and clustering alone, never on the observed difference, so
    it may be read beside it.
    """
    first = t_quantile(1.0 - alpha / 2.0, effect.degrees)
    second = t_quantile(power, effect.degrees)
    step = 1.0 / (effect.effective * effect.design_effect)

    def surplus(difference: float) -> float:
        discordance = max(effect.discordance, difference)
        spread = np.sqrt(max(0.0, discordance - difference * difference))
        return float((difference - step) * np.sqrt(effect.effective) - first * np.sqrt(discordance) - second * spread)

    if surplus(1.0) <= 0.0:
        return None
    from scipy import optimize  # takes half a second to import, and most commands print no such difference

    return float(optimize.brentq(surplus, 0.0, 1.0))
