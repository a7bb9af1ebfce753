"""The smallest and the largest value that a number can have: no interval reaches beyond them.

A t interval knows nothing of them: of few episodes it would promise fewer than 0 contacts, or 210 points of
difference.
"""

from __future__ import annotations

import math
from typing import Tuple

Bounds = Tuple[float, float]

UNBOUNDED: Bounds = (-math.inf, math.inf)
NOT_NEGATIVE: Bounds = (0.0, math.inf)


def inside(interval: Tuple[float, float], bounds: Bounds) -> Tuple[float, float]:
    """Return the part of an interval that lies between bounds; NaN, which says that there is none, stays."""
    low, high = interval
    return (bounds[0] if low < bounds[0] else low, bounds[1] if high > bounds[1] else high)
