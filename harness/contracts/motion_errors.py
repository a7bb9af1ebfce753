"""Planted errors of motion: what a simulator gets wrong on purpose when it imagines.

A benchmark has to show that it tells a good world model from a worse one. So the simulator as world model can be made
worse by a known amount: the loss of success is then what that error is worth. Only imagining is wrong; what is
executed never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from harness.contracts.errors import Refusal
from harness.contracts.field_limits import Finite

MAX_SCALE = 4.0
MAX_JITTER_M = 4.0
_DRAWS = 12
_MEAN = _DRAWS / 2.0


@dataclass(frozen=True)
class MotionError:
    """What is wrong with imagined motion; the defaults are no error.

    ``motion_scale`` is the part of every forward that is walked. ``heading_error_deg`` is added to the direction of
    every forward, left positive, while the view keeps its heading. ``through_obstacles``: nothing blocks a forward.
    ``jitter_m`` is the standard deviation along each floor axis of a displacement of every view after the first
    forward, drawn for each wanted frame alone and walked to, so that it ends where a body can stand.
    """

    motion_scale: Finite = 1.0
    heading_error_deg: Finite = 0.0
    through_obstacles: bool = False
    jitter_m: Finite = 0.0

    def __post_init__(self) -> None:
        ranges = (
            ("motion_scale", self.motion_scale, 0.0, MAX_SCALE),
            ("heading_error_deg", self.heading_error_deg, -180.0, 180.0),
            ("jitter_m", self.jitter_m, 0.0, MAX_JITTER_M),
        )
        for name, value, low, high in ranges:
            if not low <= value <= high:
                raise Refusal(f"{name} {value:g} is not in {low:g}..{high:g}.", "Choose a value in this range.")

    def displacement(self, seed: int, frame: int) -> Tuple[float, float]:
        """Return the jitter (x, z) in metres of one frame of a candidate whose request has ``seed``.

        Keyed by seed and frame, so that neither the other frames asked for nor their order changes it.
        """
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, frame])))
        return self.jitter_m * _nearly_normal(generator), self.jitter_m * _nearly_normal(generator)


NO_ERROR = MotionError()


def _nearly_normal(generator: np.random.Generator) -> float:
    """Return a draw of mean 0 and variance 1: the sum of 12 uniform draws less 6 (Irwin-Hall distribution).

    Within 0.0024 of the normal distribution function everywhere, and made of additions alone: the logarithm of a
    normal draw differs between CPUs.
    """
    total = 0.0
    for _ in range(_DRAWS):
        total += float(generator.random())
    return total - _MEAN
