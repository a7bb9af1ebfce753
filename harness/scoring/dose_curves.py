"""Error-equivalents: which dose of a planted error costs the simulator as much as a world model's own errors.

A success rate is a number of one tier. "As good as the simulator whose places are off by 0.2 m" is something that a
builder of world models can picture, and it compares errors of different kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from harness.contracts.results import Metric
from harness.records.identity import RunIdentity
from harness.scoring.intervals import Floats

WITHIN, BETTER, WORSE = "within", "better", "worse"


@dataclass(frozen=True)
class Wording:
    """How doses of one setting are told: ``dose`` has a place for the number, ``noun`` names the error.

    The number is shown times ``scale`` with at most ``digits`` digits behind the point.
    """

    dose: str
    noun: str
    digits: int = 2
    scale: float = 1.0

    def number(self, dose: float) -> str:
        """Return a dose as text."""
        return f"{round(dose * self.scale, self.digits):g}"


WORDINGS = {
    "jitter_m": Wording("gtsim with {} m of jitter", "jitter"),
    "heading_error_deg": Wording("gtsim with headings off by {} degrees", "heading error", 1),
    "motion_scale": Wording("gtsim that imagines {} of every forward", "shortened motion"),
    "through_obstacles": Wording(
        "gtsim that walks through obstacles in {} % of episodes", "walking through obstacles", 0, 100.0
    ),
    "blur_px": Wording("gtsim with {} px of blur", "blur"),
    "hue_deg": Wording("gtsim with hues turned by {} degrees", "turned hues", 1),
    "pitch_deg": Wording("gtsim whose views are pitched by {} degrees", "pitch", 1),
}
"""The planted errors that a curve can be made of. ``through_obstacles`` is there or not; in between, the dose is the
share of episodes in which it is there, for which the straight line between both rates is exact."""


@dataclass(frozen=True)
class DosePoint:
    """The success of the simulator with one dose of an error."""

    dose: float
    success: Metric


@dataclass(frozen=True)
class DoseCurve:
    """Success by dose of one setting on one tier; the first point is without error, the others grow worse.

    It belongs to one suite hash, split and stop rule: on other episodes the same dose costs something else.
    """

    setting: str
    tier: str
    suite_hash: str
    split: str
    stop: str
    points: Tuple[DosePoint, ...]

    def fits(self, identity: RunIdentity) -> bool:
        """Say whether a run was played on what the curve was measured on."""
        mine = (self.tier, self.suite_hash, self.split, self.stop)
        theirs = (identity.tier, identity.suite_hash, identity.split, identity.stop)
        return mine == theirs and not identity.loop_words


@dataclass(frozen=True)
class Equivalent:
    """The dose of ``setting`` that is worth as much as a world model.

    ``place`` is ``within`` the curve, ``better`` than its best or ``worse`` than its worst dose; ``dose`` is None
    outside. ``least`` and ``most`` are the doses of the two ends of the world model's own interval, None where an end
    lies beyond the largest dose; the uncertainty of the curve itself is not in them. ``text`` says it in words.
    """

    setting: str
    place: str
    dose: Optional[float]
    least: Optional[float]
    most: Optional[float]
    text: str


def equivalents(success: Metric, curves: Sequence[DoseCurve]) -> Tuple[Equivalent, ...]:
    """Return the error-equivalent of a success rate on each curve."""
    return tuple(equivalent(success, curve) for curve in curves)


def equivalent(success: Metric, curve: DoseCurve) -> Equivalent:
    """Return the error-equivalent of a success rate on one curve.

    Success is taken to fall with the dose, as it would with endless episodes: isotonic regression (pool adjacent
    violators, weighted by episodes) makes the measured rates so, and straight lines join them. On a level stretch,
    where many doses cost the same, the middle is told.
    """
    severities, rates = _falling(curve)
    least = _first_at_most(success.high, severities, rates)
    most = None if success.low < rates[-1] else _last_at_least(success.low, severities, rates)
    if success.value > rates[0]:
        return _told(curve, BETTER, None, least, most)
    if success.value < rates[-1]:
        return _told(curve, WORSE, None, least, most)
    first = _first_at_most(success.value, severities, rates)
    last = _last_at_least(success.value, severities, rates)
    if first is None:
        raise AssertionError(f"{success.value} lies within {rates[-1]}..{rates[0]} but on no dose")
    return _told(curve, WITHIN, 0.5 * (first + last), least, most)


def _falling(curve: DoseCurve) -> Tuple[Floats, Floats]:
    """Return how far each dose lies from no error, rising, and the success rates there, never rising."""
    doses = np.array([point.dose for point in curve.points])
    severities = np.abs(doses - doses[0])
    if len(doses) < 2 or np.any(np.diff(severities) <= 0.0):
        raise ValueError(f"the doses {doses.tolist()} of {curve.setting} do not grow from no error on")
    from scipy.optimize import isotonic_regression  # a second that only a tier with curves needs

    measured = np.array([point.success.value for point in curve.points])
    weights = np.array([float(point.success.n) for point in curve.points])
    return severities, np.asarray(isotonic_regression(measured, weights=weights, increasing=False).x)


def _first_at_most(rate: float, severities: Floats, rates: Floats) -> Optional[float]:
    """Return the least severity at which success is ``rate`` or less; None where it never falls so far."""
    reached = np.flatnonzero(rates <= rate)
    if not len(reached):
        return None
    after = int(reached[0])
    return float(severities[0]) if after == 0 else _between(rate, after - 1, severities, rates)


def _last_at_least(rate: float, severities: Floats, rates: Floats) -> float:
    """Return the greatest severity at which success is ``rate`` or more; no error where it never is."""
    reached = np.flatnonzero(rates >= rate)
    if not len(reached):
        return float(severities[0])
    before = int(reached[-1])
    return float(severities[-1]) if before == len(rates) - 1 else _between(rate, before, severities, rates)


def _between(rate: float, before: int, severities: Floats, rates: Floats) -> float:
    """Return where the line from point ``before`` to the next, which falls, has ``rate``."""
    part = (rates[before] - rate) / (rates[before] - rates[before + 1])
    return float(severities[before] + part * (severities[before + 1] - severities[before]))


def _told(
    curve: DoseCurve, place: str, severity: Optional[float], least: Optional[float], most: Optional[float]
) -> Equivalent:
    """Return the equivalent with severities turned back into doses, and its sentence."""
    none, largest = curve.points[0].dose, curve.points[-1].dose
    direction = 1.0 if largest > none else -1.0
    dose, low, high = (None if s is None else none + direction * s for s in (severity, least, most))
    text = _sentence(WORDINGS[curve.setting], place, dose, (low, high), largest)
    return Equivalent(curve.setting, place, dose, low, high, text)


def _sentence(
    wording: Wording,
    place: str,
    dose: Optional[float],
    ends: Tuple[Optional[float], Optional[float]],
    largest: float,
) -> str:
    if place == BETTER:
        return f"better than gtsim with any dose of {wording.noun}"
    if place == WORSE or dose is None:
        largest_dose = wording.dose.format(wording.number(largest))
        return f"worse than any dose of {wording.noun} (the largest: {largest_dose})"
    beyond = f"beyond {wording.number(largest)}"
    shown: List[str] = [beyond if end is None else wording.number(end) for end in ends]
    return f"worth {wording.dose.format(wording.number(dose))} ({shown[0]} to {shown[1]})"
