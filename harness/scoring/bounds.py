"""The smallest and the largest value that each number can have: no interval reaches beyond them.

A t interval knows nothing of them: of few episodes it would promise fewer than 0 contacts, or 210 points of
difference.
"""

from __future__ import annotations

import math
from typing import Mapping, Tuple

Bounds = Tuple[float, float]

UNBOUNDED: Bounds = (-math.inf, math.inf)
NOT_NEGATIVE: Bounds = (0.0, math.inf)
SHARE: Bounds = (0.0, 1.0)
CORRELATION: Bounds = (-1.0, 1.0)
DECIBELS: Bounds = (0.0, 100.0)

OF: Mapping[str, Bounds] = {
    **dict.fromkeys(("spl", "spl_m", "reached"), SHARE),
    **dict.fromkeys(("path_m", "actions", "decisions", "rollouts", "collisions", "final_distance_m"), NOT_NEGATIVE),
    **dict.fromkeys(("ssim", "gap_ssim", "rank_correlation"), CORRELATION),
    **dict.fromkeys(("psnr", "gap_psnr"), DECIBELS),
    **dict.fromkeys(("lpips", "gap_lpips"), NOT_NEGATIVE),
    **dict.fromkeys(("regret_m", "self_regret_m", "chance_m"), NOT_NEGATIVE),
    "top_1": SHARE,
}
"""By the name of a metric, a measure of the gap, or one of a decision bank."""


def bounds_of(name: str) -> Bounds:
    """Return the bounds of a number and of its mean; none for one that is not known."""
    return OF.get(name, UNBOUNDED)


def bounds_of_difference(name: str) -> Bounds:
    """Return the bounds of one value of a number minus another."""
    low, high = bounds_of(name)
    return (low - high, high - low)


def inside(interval: Tuple[float, float], bounds: Bounds) -> Tuple[float, float]:
    """Return the part of an interval that lies between bounds; NaN, which says that there is none, stays."""
    low, high = interval
    return (bounds[0] if low < bounds[0] else low, bounds[1] if high > bounds[1] else high)
