"""How two simulators of the same homes agree: areas, distances, depths and colours. Plain functions of what they gave.

Everywhere the first is the embedded simulator and the second the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.observations import TopDownMap, View

CLOSE = 0.05
"""Two values agree when they differ by at most this share of the first."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Areas:
    """Walkable areas in square metres: of both, and of what they share."""

    first_m2: float
    second_m2: float
    shared_m2: float

    @property
    def overlap(self) -> float:
        """Intersection over union."""
        return self.shared_m2 / (self.first_m2 + self.second_m2 - self.shared_m2)


def compare_maps(first: TopDownMap, second: TopDownMap) -> Areas:
    """Return the areas of two maps; what they share is judged at the centres of the first map's cells."""
    rows, columns = np.nonzero(first.walkable)
    x = first.origin[0] + (columns + 0.5) * first.cell_m
    z = first.origin[1] + (rows + 0.5) * first.cell_m
    other_rows = np.floor((z - second.origin[1]) / second.cell_m).astype(int)
    other_columns = np.floor((x - second.origin[0]) / second.cell_m).astype(int)
    height, width = second.walkable.shape
    inside = (other_rows >= 0) & (other_rows < height) & (other_columns >= 0) & (other_columns < width)
    shared = second.walkable[other_rows[inside], other_columns[inside]].sum()
    cell = first.cell_m * first.cell_m
    return Areas(len(rows) * cell, float(second.walkable.sum()) * second.cell_m * second.cell_m, float(shared) * cell)


@dataclass(frozen=True)
class Depths:
    """How two depth images of one camera agree, over the pixels where both hit something."""

    median_difference: float
    """Median of |second - first| / first."""

    close: float
    """Share of pixels within `CLOSE`."""

    one_hit: float
    """Share of all pixels where only one of the two hit something."""


def compare_depths(first: View, second: View) -> Depths:
    """Return the agreement of two depth images."""
    assert first.depth is not None and second.depth is not None
    hits = (first.depth > 0.0) & (second.depth > 0.0)
    difference = np.abs(second.depth[hits] - first.depth[hits]) / first.depth[hits]
    one_hit = float(((first.depth > 0.0) != (second.depth > 0.0)).mean())
    return Depths(float(np.median(difference)), float((difference <= CLOSE).mean()), one_hit)


@dataclass(frozen=True)
class Colours:
    """How two RGB images of one camera agree."""

    difference: float
    """Mean absolute difference in levels of 255."""

    correlation: float
    """Pearson's r of the grey values."""

    ssim: float
    """Structural similarity of the grey values."""


def compare_colours(first: View, second: View) -> Colours:
    """Return the agreement of two RGB images."""
    from skimage.metrics import structural_similarity

    one, other = (view.rgb.astype(np.float64) for view in (first, second))
    grey_one, grey_other = one.mean(axis=2), other.mean(axis=2)
    correlation = float(np.corrcoef(grey_one.ravel(), grey_other.ravel())[0, 1])
    ssim = float(structural_similarity(grey_one, grey_other, data_range=255.0))
    return Colours(float(np.abs(one - other).mean()), correlation, ssim)


def relative_differences(pairs: Sequence[Tuple[float, float]]) -> Floats:
    """Return |second - first| / first of pairs of distances, those left out that are not finite in both."""
    kept = [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b) and a > 0.0]
    return np.array([abs(b - a) / a for a, b in kept])


def summary(values: Sequence[float]) -> str:
    """Return median and range of some numbers."""
    ordered: List[float] = sorted(values)
    if not ordered:
        return "none"
    return f"{float(np.median(ordered)):.3f} [{ordered[0]:.3f}, {ordered[-1]:.3f}]"
