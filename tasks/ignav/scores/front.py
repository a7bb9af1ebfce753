"""Score `front`: imagined front views against the goal front view, averaged over the strip, as published.

The published reviser without a language model rewards 1 - LPIPS of every imagined front frame. The image metric is a
part of its own: a classical one needs no weights and is equal on every machine; LPIPS is the published one.
"""

from __future__ import annotations

from typing import Any, Mapping, Protocol, Sequence

import numpy as np

from harness.contracts.cameras import EQUIRECT, PINHOLE
from harness.contracts.errors import Refusal
from harness.contracts.observations import View
from harness.worldmodels.panorama import front_crop
from tasks.ignav.scores import descriptors
from tasks.ignav.scores.classical import Weights, describe
from tasks.ignav.scores.crops import Image, reduce_to


class Metric(Protocol):
    """Similarity of two square images."""

    size: int

    def __call__(self, one: Image, other: Image) -> float:
        """Return how alike two float32 images [size, size, 3] in 0..255 are; more is more alike."""


class ClassicalMetric:
    """Colour histograms and HOG of one view, weighted as in the score `classical`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._weights = Weights()

    def __call__(self, one: Image, other: Image) -> float:
        """Return the weighted similarity, in 0..2.5."""
        a, b, w = describe(one), describe(other), self._weights
        cells, whole, hog = (descriptors.dot(x, y) for x, y in ((a.cells, b.cells), (a.whole, b.whole), (a.hog, b.hog)))
        return float(w.cells * cells + w.whole * whole + w.hog * hog)


LPIPS = "lpips"


def check(params: Mapping[str, Any]) -> None:
    """Raise Refusal where the image metric of a score with these constants needs what is not installed."""
    if params.get("metric") == LPIPS:
        from harness.planning.lpips_metric import require_lpips

        require_lpips()


def load_metric(name: str, size: int) -> Metric:
    """Return the metric called ``name`` (``classical`` or ``lpips``) for images of ``size`` pixels."""
    if name == "classical":
        return ClassicalMetric(size)
    if name == LPIPS:
        from harness.planning.lpips_metric import Lpips

        return Lpips(size)
    raise Refusal(f"the front score knows no image metric {name!r}.", "Known: classical, lpips.")


class FrontSimilarity:
    """Mean of ``metric`` over the views of an end, each cropped to the goal camera's field at ``size`` pixels."""

    def __init__(self, metric: str = "classical", size: int = 384) -> None:
        self._metric = load_metric(metric, size)

    def against(self, goal: View) -> StripComparer:
        """Return the comparer for ``goal``, a square pinhole view."""
        if goal.camera.kind != PINHOLE or goal.camera.height != goal.camera.width:
            raise Refusal(
                f"front score needs a square pinhole goal view, got {goal.camera.kind} {goal.camera.height} x "
                f"{goal.camera.width}.",
                "Name another goal camera in the suite's loop.",
            )
        return StripComparer(self._metric, goal)


class StripComparer:
    """Compares strips of views with one goal."""

    def __init__(self, metric: Metric, goal: View) -> None:
        self._metric = metric
        self._hfov_deg = goal.camera.hfov_deg
        self._goal = self._front(goal)

    def __call__(self, views: Sequence[View]) -> float:
        """Return the mean similarity of all ``views`` to the goal, summed in order."""
        total = 0.0
        for view in views:
            total += self._metric(self._front(view), self._goal)
        return total / len(views)

    def _front(self, view: View) -> Image:
        size = self._metric.size
        if view.camera.kind == EQUIRECT:
            return front_crop(view, (size, size), self._hfov_deg).rgb.astype(np.float32)
        factor = view.rgb.shape[0] // size
        if factor >= 1 and view.rgb.shape[0] == size * factor and view.rgb.shape[1] == size * factor:
            return reduce_to(view.rgb, size, size)
        return _resize(view, size)


def _resize(view: View, size: int) -> Image:
    """Return the view at ``size`` pixels, bilinear with aligned pixel centres; elementwise, so equal on any machine."""
    rgb = view.rgb.astype(np.float32)
    for axis in (0, 1):
        length = rgb.shape[axis]
        at = np.clip((np.arange(size, dtype=np.float64) + 0.5) * (length / size) - 0.5, 0.0, length - 1.0)
        lower = np.minimum(np.floor(at).astype(np.int64), max(length - 2, 0))
        share = (at - lower).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        upper = np.minimum(lower + 1, length - 1)
        rgb = np.take(rgb, lower, axis) * (np.float32(1.0) - share) + np.take(rgb, upper, axis) * share
    return np.ascontiguousarray(rgb)
