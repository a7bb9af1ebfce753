"""Does the imagined camera move the way the action says: estimated against commanded motion, in real homes.

A frame was seen from where the real view was taken that it resembles most. Likeness is the normalised correlation of
small grey images, so neither brightness, contrast nor fine texture decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.conformance.plugin_under_test import Subject
from harness.conformance.real_views import STEP_M
from harness.conformance.results import REPORTED, SKIPPED, Outcome, verdict
from harness.contracts.actions import Action, signed_turn
from harness.contracts.observations import RGB
from harness.worldmodels.imaginer import PERSPECTIVE_HFOV_DEG
from harness.worldmodels.panorama import crop
from harness.worldmodels.probe import STRAIGHT, TO_LEFT, TO_RIGHT, Place

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


HELD_TO_IT = ("numbers", "camera")
"""Conditionings that say how far to move. A prompt is no measure, so models that read one are reported only."""

NO_ARM = Outcome(SKIPPED, note="the homes have no robot arm whose motion could be compared")

LEAST_CORRELATION = 0.6
LEAST_SLOPE = 0.15
MOST_SLOPE = 3.0
LEAST_SIGNS = 0.8
LEAST_TIMED = 0.6


def forwards(subject: Subject) -> Outcome:
    """Walking ahead looks like walking ahead: rank correlation and slope of 0.2 to 1.0 m."""
    if subject.probe.arm:
        return NO_ARM
    commanded: list[float] = []
    estimated: list[float] = []
    for place in range(len(subject.probe.places)):
        motions = _imagined(subject, STRAIGHT, place)
        commanded += [0.2 * (index + 1) for index in range(len(motions))]
        estimated += [motion.ahead_m for motion in motions]
    correlation = rank_correlation(commanded, estimated)
    factor = slope(commanded, estimated)
    measured = f"rank correlation {correlation:.2f}, slope {factor:.2f}, {len(commanded)} frames"
    fine = correlation >= LEAST_CORRELATION and LEAST_SLOPE <= factor <= MOST_SLOPE
    limit = f"at least {LEAST_CORRELATION:g}; {LEAST_SLOPE:g} to {MOST_SLOPE:g}"
    return _held(subject, fine, measured, limit, "Forwards do not move the imagined camera ahead as commanded.")


def turns(subject: Subject) -> Outcome:
    """Turns go to the side that was commanded, and at the frame of their action."""
    if subject.probe.arm:
        return NO_ARM
    commanded: list[float] = []
    estimated: list[float] = []
    for place in range(len(subject.probe.places)):
        for plan in (TO_LEFT, TO_RIGHT):
            motions = _imagined(subject, plan, place)
            commanded += _yaws(subject.probe.fitted(plan))
            estimated += [motion.yaw_deg for motion in motions]
    turned = [(a, b) for a, b in zip(commanded, estimated, strict=True) if a]
    if not turned:
        return Outcome(SKIPPED, note="the model's rollouts are too short for a turn after a forward")
    signs = sum(a * b > 0.0 for a, b in turned) / len(turned)
    timed = sum(abs(a - b) < 1.0 for a, b in zip(commanded, estimated, strict=True)) / len(commanded)
    measured = f"right side {signs:.0%}, right angle at its frame {timed:.0%}, {len(commanded)} frames"
    fine = signs >= LEAST_SIGNS and timed >= LEAST_TIMED
    limit = f"at least {LEAST_SIGNS:.0%}; {LEAST_TIMED:.0%}"
    return _held(subject, fine, measured, limit, "Turns go to the wrong side, at the wrong frame, or nowhere.")


def _held(subject: Subject, fine: bool, measured: str, limit: str, note: str) -> Outcome:
    """Judge a model that claims to be told how far to move; report any other."""
    manifest = subject.manifest
    if manifest.conditioning not in HELD_TO_IT:
        return Outcome(REPORTED, measured, limit, f'conditioning = "{manifest.conditioning}" is not held to it')
    if not subject.learnt:
        return Outcome(REPORTED, measured, limit, "untrained weights have learnt nothing")
    step = "Left is positive yaw; frame i follows action i; forwards are metres along the heading of that moment."
    return verdict(fine, measured, limit, note, step)


def _imagined(subject: Subject, actions: Sequence[Action], place: int) -> list[Motion]:
    frames = subject.ask_one(subject.probe.request(actions, place))
    locator = Locator(subject.probe.places[place], subject.probe.panorama)
    return [locator.locate(frame) for frame in frames]


def _yaws(actions: Sequence[Action]) -> list[float]:
    return list(accumulate(signed_turn(action) for action in actions))
