"""Where an imagined frame was seen from: the real view around a place that it resembles most.

Likeness is the normalised correlation of small grey images, so neither brightness, contrast nor fine texture decide.
Nothing here decides a score of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.conformance.real_views import STEP_M, Place
from harness.contracts.observations import RGB
from harness.worldmodels.imaginer import PERSPECTIVE_HFOV_DEG
from harness.worldmodels.panorama import crop

Grey = npt.NDArray[np.float64]

PANORAMA_SIZE = (32, 64)
"""Height and width at which panoramas are compared: 22.5 degrees are four columns."""

CROP_WIDTH = 48
TURN_DEG = 22.5
TURNS = range(-3, 4)


@dataclass(frozen=True)
class Motion:
    """An estimated pose relative to the conditioning view: metres ahead, degrees to the left, and how sure (0..1)."""

    ahead_m: float
    yaw_deg: float
    likeness: float


class Locator:
    """Finds frames among the real views around one place, as the model's kind of camera would see them."""

    def __init__(self, place: Place, panorama: bool) -> None:
        self._panorama = panorama
        self._place = place
        self._known: dict[tuple[int, int], list[tuple[float, float, int, Grey]]] = {}

    def locate(self, frame: RGB) -> Motion:
        """Return the motion of the real view that ``frame`` resembles most, refined between neighbours ahead."""
        grey = self._grey(frame)
        known = self._views(grey.shape[0], grey.shape[1])
        scores = [float((grey * other).mean()) for _, _, _, other in known]
        best = max(range(len(known)), key=scores.__getitem__)
        ahead_m, left_m, turn, _ = known[best]
        line = {
            round(a / STEP_M): score
            for (a, left, t, _), score in zip(known, scores, strict=True)
            if left == left_m == 0.0 and t == turn
        }
        shift = _peak(line, round(ahead_m / STEP_M)) if line else 0.0
        return Motion(ahead_m + shift * STEP_M, turn * TURN_DEG, scores[best])

    def likeness(self, frame: RGB) -> float:
        """Return how much ``frame`` resembles the view at the place itself, heading included (-1..1)."""
        grey = self._grey(frame)
        known = self._views(grey.shape[0], grey.shape[1])
        here = [other for ahead, left, turn, other in known if abs(ahead) < 1e-9 and left == 0.0 and turn == 0]
        return float((grey * here[0]).mean())

    def _grey(self, frame: RGB) -> Grey:
        if self._panorama:
            return _normalised(frame, PANORAMA_SIZE)
        return _normalised(frame, (max(round(CROP_WIDTH * frame.shape[0] / frame.shape[1]), 1), CROP_WIDTH))

    def _views(self, height: int, width: int) -> list[tuple[float, float, int, Grey]]:
        """Return (ahead, left, turn, grey image) of every real view at every turn, made once a size."""
        if (height, width) not in self._known:
            self._known[height, width] = [
                (real.ahead_m, real.left_m, turn, self._seen(real.rgb, turn, height, width))
                for real in self._place.around
                for turn in TURNS
            ]
        return self._known[height, width]

    def _seen(self, pano: RGB, turn: int, height: int, width: int) -> Grey:
        if self._panorama:
            columns = round(pano.shape[1] * turn * TURN_DEG / 360.0)
            return _normalised(np.roll(pano, columns, axis=1), (height, width))
        return _normalised(crop(pano, height * 2, width * 2, PERSPECTIVE_HFOV_DEG, turn * TURN_DEG), (height, width))


def _normalised(rgb: RGB, size: tuple[int, int]) -> Grey:
    """Return a grey image of ``size`` with mean 0 and variance 1 (all 0 for one value)."""
    image = Image.fromarray(np.ascontiguousarray(rgb)).convert("L").resize((size[1], size[0]), Image.Resampling.BOX)
    grey = np.asarray(image, np.float64)
    centred = grey - grey.mean()
    spread = float(np.sqrt((centred * centred).mean()))
    result: Grey = centred / spread if spread > 0.0 else centred
    return result


def _peak(line: dict[int, float], best: int) -> float:
    """Return how far, in steps, the top of the parabola through a maximum and its neighbours lies from it."""
    before, at, after = line.get(best - 1), line.get(best), line.get(best + 1)
    if before is None or at is None or after is None:
        return 0.0
    curve = before - 2.0 * at + after
    return 0.5 * (before - after) / curve if curve < 0.0 else 0.0


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Spearman's correlation in -1..1; 0 where either side never changes."""
    a, b = _ranks(one), _ranks(other)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread > 0.0 else 0.0


def slope(commanded: Sequence[float], estimated: Sequence[float]) -> float:
    """Return estimated against commanded motion as one factor (least squares through 0)."""
    a, b = np.asarray(commanded, np.float64), np.asarray(estimated, np.float64)
    return float((a * b).sum() / (a * a).sum())


def _ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return ranks; equal values share the mean of theirs."""
    array = np.asarray(values, np.float64)
    return np.array([(array < value).sum() + ((array == value).sum() - 1) / 2.0 for value in array], np.float64)
