"""Planted errors of handling: what a simulator of a robot's hand gets wrong on purpose when it imagines.

As with errors of motion (`harness.contracts.motion_errors`) only imagining is wrong; what is executed never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import Finite
from harness.contracts.portable import TWO_PI, sincos

MAX_OFFSET_M = 0.5


@dataclass(frozen=True)
class HandlingError:
    """What is wrong with imagined handling; the defaults are no error.

    ``offset_m`` is how far beside the place of every pose the hand goes, level, in a direction drawn for each
    candidate. ``things_stay``: the hand moves, and all that it could move is seen where it was. ``gripper_late``: the
    fingers do at each pose what they should have done at the one before. ``through_things``: loose things pass through
    each other and through what is fixed, but for the table and the hand.
    """

    offset_m: Finite = 0.0
    things_stay: bool = False
    gripper_late: bool = False
    through_things: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.offset_m <= MAX_OFFSET_M:
            raise Refusal(f"offset_m {self.offset_m:g} is not in 0..{MAX_OFFSET_M:g}.", "Choose a value in this range.")

    def displacement(self, seed: int) -> Tuple[float, float]:
        """Return the offset (x, y) in metres of a candidate whose request has ``seed``."""
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed])))
        sine, cosine = sincos(TWO_PI * float(generator.random()))
        return self.offset_m * cosine, self.offset_m * sine


NO_HANDLING_ERROR = HandlingError()
