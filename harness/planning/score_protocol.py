"""What every score answers: how much the views of an end look like what is asked for."""

from __future__ import annotations

from typing import Protocol, Sequence, runtime_checkable

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import View

DIGITS = 6
"""Scores are rounded to this many decimals before any comparison, so that noise in the last bits decides nothing."""


class Comparer(Protocol):
    """Compares views with one prompt."""

    def __call__(self, views: Sequence[View]) -> float:
        """Return the score of an end from its imagined views (or of staying, from the present view); more is better."""


@runtime_checkable
class HeadingComparer(Comparer, Protocol):
    """A comparer that can also judge what a panorama shows at each heading alone."""

    def at_headings(self, view: View) -> npt.NDArray[np.float64]:
        """Return one score a heading, equally spaced, the present one first and then leftwards round."""


class Score(Protocol):
    """Makes a comparer for the prompt of an episode, so that work on it is done once."""

    def against(self, prompt: View) -> Comparer:
        """Return the comparer for ``prompt``."""
