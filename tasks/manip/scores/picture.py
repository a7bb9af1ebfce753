"""How much the end of a plan looks like the picture of the goal, pixel by pixel.

The camera stands still, so that what has to be compared lies at the same place of both pictures. Differences are
capped: what is at another place counts by its size, however bright it is. Whole numbers alone, equal on every CPU.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.planning.score_protocol import Comparer

Integers = npt.NDArray[np.int32]


class Picture:
    """Makes comparers; ``cap`` is the most that one pixel's channel can differ (of 255)."""

    def __init__(self, cap: int) -> None:
        if not 1 <= cap <= 255:
            raise Refusal(f"the cap of the score picture is {cap}.", "Give a whole number in 1..255.")
        self._cap = cap

    def against(self, prompt: View) -> Comparer:
        """Return the comparer for a picture of the goal."""
        return _AgainstPicture(smoothed(prompt.rgb.astype(np.int32)), self._cap)


class _AgainstPicture:
    def __init__(self, goal: Integers, cap: int) -> None:
        self._goal, self._cap = goal, cap

    def __call__(self, views: Sequence[View]) -> float:
        """Return minus the mean capped difference of the last view, in 0..-1."""
        end = views[-1].rgb
        if end.shape != self._goal.shape:
            raise Refusal(
                f"a view of {list(end.shape)} cannot be compared with a picture of {list(self._goal.shape)}.",
                "Give agent and goal cameras of one size.",
            )
        apart = np.abs(smoothed(end.astype(np.int32)) - self._goal)
        most = 16 * self._cap
        return -int(np.minimum(apart, most).sum(dtype=np.int64)) / float(apart.size * most)


def smoothed(image: Integers) -> Integers:
    """Return 16 times the image smoothed by (1, 2, 1) in both directions, its border repeated: [H, W, 3]."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    result: Integers = rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]
    return result
