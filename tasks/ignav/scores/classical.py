"""Score `classical`: the goal view against an imagined panorama at every heading, without learning.

The agent is not told the goal's heading. Turns of a panorama are exact rolls, so all headings of one imagined place
can be compared for nothing, and the best one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np
import numpy.typing as npt

from harness.contracts.cameras import EQUIRECT, PINHOLE, Camera
from harness.contracts.errors import Refusal
from harness.contracts.kernels import compiled
from harness.contracts.observations import View
from tasks.ignav.scores import descriptors
from tasks.ignav.scores.crops import CropMap, Image, crop_into, crop_map, reduce_to

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Description:
    """The descriptors of one view: ``cells`` [2, 4, 64], ``whole`` [64], ``hog`` [8, 8, 9], each of unit length."""

    cells: Array
    whole: Array
    hog: Array


def describe(image: Image) -> Description:
    """Return the description of a square ``image`` whose side is a multiple of 8."""
    d = descriptors
    result = Description(
        np.empty((d.CELL_ROWS, d.CELL_COLUMNS, d.BINS)),
        np.empty(d.BINS),
        np.empty((d.GRID, d.GRID, d.ORIENTATIONS)),
    )
    d.describe(image, d.ORIENTATION_TABLE, result.cells, result.whole, result.hog)
    return result


@dataclass(frozen=True)
class Weights:
    """How much each similarity counts: histograms in cells, histogram of the whole view, HOG. All lie in 0..1."""

    cells: float = 1.0
    whole: float = 1.0
    hog: float = 0.5

    def vector(self) -> Array:
        """Return the weights in the order of the descriptors."""
        return np.array([self.cells, self.whole, self.hog], np.float64)


class Classical:
    """Best similarity over ``headings`` headings, with crops of ``size`` pixels; params are the suite's.

    The score lies in 0..(cells + whole + hog). Images larger than the crop needs are averaged down first, so that
    crops do not alias.
    """

    def __init__(
        self, size: int = 64, headings: int = 16, cells: float = 1.0, whole: float = 1.0, hog: float = 0.5
    ) -> None:
        if size < descriptors.GRID or size % descriptors.GRID:
            raise Refusal(
                f"classical score cannot use crops of {size} pixels.",
                f"Choose a multiple of {descriptors.GRID}.",
            )
        self.size = size
        self.headings = headings
        self.weights = Weights(cells, whole, hog)

    def against(self, goal: View) -> HeadingComparer:
        """Return the comparer for ``goal``, a square pinhole view."""
        camera = goal.camera
        if camera.kind != PINHOLE or camera.height != camera.width:
            raise Refusal(
                f"classical score needs a square pinhole goal, not {camera.kind} {camera.height} x {camera.width}.",
                "Name another goal camera in the suite's loop.",
            )
        return HeadingComparer(self, describe(reduce_to(goal.rgb, self.size, self.size)), camera.hfov_deg)


class HeadingComparer:
    """Compares panoramas with one goal. Called with the views of an end, it scores the last one."""

    def __init__(self, score: Classical, goal: Description, hfov_deg: float) -> None:
        self._score = score
        self._goal = goal
        self._weights = score.weights.vector()
        self._hfov_deg = hfov_deg
        self._maps: dict[Tuple[int, int], CropMap] = {}

    def __call__(self, views: Sequence[View]) -> float:
        """Return the best similarity over headings of the last view."""
        return float(np.max(self.at_headings(views[-1])))

    def at_headings(self, view: View) -> Array:
        """Return the similarity at each heading, the present one first and then leftwards round."""
        panorama = self._reduced(view)
        crop = self._map(panorama.shape[0], panorama.shape[1])
        result = np.empty(self._score.headings)
        goal = self._goal
        _compare_headings(
            panorama, crop.column, crop.row, crop.right, crop.down, self._weights,
            goal.cells, goal.whole, goal.hog, descriptors.ORIENTATION_TABLE, result,
        )  # fmt: skip
        return result

    def _reduced(self, view: View) -> npt.NDArray[np.uint8] | Image:
        camera = view.camera
        if camera.kind != EQUIRECT or camera.width % self._score.headings:
            raise Refusal(
                f"classical score cannot roll a {camera.kind} view of {camera.width} columns to "
                f"{self._score.headings} headings.",
                "It compares panoramas: name an equirect agent camera in the suite's loop.",
            )
        factor = _reduction(camera, self._score.size, self._score.headings, self._hfov_deg)
        if factor == 1:
            return np.ascontiguousarray(view.rgb)
        return reduce_to(view.rgb, camera.height // factor, camera.width // factor)

    def _map(self, height: int, width: int) -> CropMap:
        if (height, width) not in self._maps:
            self._maps[height, width] = crop_map(height, width, self._score.size, self._hfov_deg)
        return self._maps[height, width]


def _reduction(camera: Camera, size: int, headings: int, hfov_deg: float) -> int:
    """Return the largest whole factor after which a crop still has at least its own resolution, and sizes divide."""
    factor = max(1, int(camera.width * hfov_deg / 360.0) // size)
    while camera.height % factor or camera.width % factor or (camera.width // factor) % headings:
        factor -= 1
    return factor


@compiled
def _compare_headings(  # type: ignore[no-untyped-def]
    panorama, column, row, right, down, weights, goal_cells, goal_whole, goal_hog, table, result
):
    """Fill ``result`` with the weighted similarity of the goal to the crop at each heading."""
    size = column.shape[0]
    headings = result.shape[0]
    image = np.empty((size, size, 3), np.float32)
    cells, whole, hog = np.empty_like(goal_cells), np.empty_like(goal_whole), np.empty_like(goal_hog)
    for heading in range(headings):
        crop_into(panorama, column, row, right, down, -(heading * panorama.shape[1] // headings), image)
        descriptors.describe(image, table, cells, whole, hog)
        result[heading] = (
            weights[0] * descriptors.dot(cells, goal_cells)
            + weights[1] * descriptors.dot(whole, goal_whole)
            + weights[2] * descriptors.dot(hog, goal_hog)
        )
