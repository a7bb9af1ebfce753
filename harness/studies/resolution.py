"""Resolution: does the suite show the errors that were planted, and stay silent where there is none to speak of?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from harness.contracts.errors import Refusal
from harness.contracts.results import Metric
from harness.scoring.comparing_power import ALPHA
from harness.scoring.comparing_tests import holm
from harness.scoring.data import RunData
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import CEILING
from harness.studies.paired_differences import Cost, cost
from harness.studies.preregistration import ANYTHING, LARGE, NULL, SMALL, TOLERATED, PlantedError
from harness.studies.run_selection import SELF, Found, Missing, command_of, play_command

LARGE_POINTS = 0.20
TOLERATED_POINTS = 0.05


@dataclass(frozen=True)
class Finding:
    """What one planted error costs on its tier. ``adjusted_p`` is Holm's over the whole family of declared errors."""

    wm: str
    tier: str
    expected: str
    clean: Metric
    success: Metric
    cost: Cost
    adjusted_p: float
    as_expected: bool
    verdict: str
    run_id: str
    command: str


@dataclass(frozen=True)
class Family:
    """All declared errors; ``declared`` of them, of which those in ``findings`` were played."""

    declared: int
    findings: Tuple[Finding, ...]


def resolve(errors: Sequence[PlantedError], found: Found, missing: List[Missing]) -> Family:
    """Return the findings of a family of declared errors; what was not played is told.

    Holm's correction is over all of them, whatever was played: one that is missing counts as p = 1, so that leaving
    out runs never makes the rest look better.
    """
    contrasts = [_contrast(error, found, missing) for error in errors]
    adjusted = holm([1.0 if contrast is None else contrast.cost.p for contrast in contrasts])
    findings = tuple(
        _finding(error, found, contrast, p)
        for error, contrast, p in zip(errors, contrasts, adjusted, strict=True)
        if contrast is not None
    )
    return Family(len(errors), findings)


def verdict(expected: str, points: float, adjusted_p: float) -> Tuple[bool, str]:
    """Return whether a cost (share of episodes) is what was expected, and in words what it shows."""
    fires = adjusted_p <= ALPHA
    significant = "significant" if fires else "not significant"
    if expected == LARGE:
        enough = "20 points or more" if points >= LARGE_POINTS else "less than 20 points"
        return fires and points >= LARGE_POINTS, f"{enough}, {significant}"
    if expected == SMALL:
        return fires and points > 0.0, significant
    if expected == TOLERATED:
        small = points <= TOLERATED_POINTS
        return small, f"{'at most' if small else 'more than'} 5 points, {significant}"
    if expected == ANYTHING:
        return True, significant
    if expected == NULL:
        return not fires, "fires" if fires else "does not fire"
    raise ValueError(f"nothing is known of an error that is expected to be {expected!r}")


@dataclass(frozen=True)
class _Contrast:
    clean: RunData
    wrong: RunData
    cost: Cost


def _contrast(error: PlantedError, found: Found, missing: List[Missing]) -> Optional[_Contrast]:
    """Return both runs of an error with its cost, None (and what is missing) where they are not there."""
    if error.tier not in found.suite.tiers:
        missing.append(Missing(f"{error.wm} on {error.tier}: the suite has no such tier", ""))
        return None
    clean, wrong = found.run(CEILING, error.tier), found.run(error.wm, error.tier)
    for name, run in ((CEILING, clean), (error.wm, wrong)):
        if run is None:
            missing.append(Missing(f"{name} on {error.tier}, {SELF}-stop", play_command(found.suite, error.tier, name)))
    if clean is None or wrong is None:
        return None
    try:
        return _Contrast(clean, wrong, cost(clean, wrong))
    except Refusal as refusal:
        missing.append(Missing(f"{error.wm} on {error.tier}: {refusal.what}", ""))
        return None


def _finding(error: PlantedError, found: Found, contrast: _Contrast, adjusted_p: float) -> Finding:
    as_expected, words = verdict(error.expected, contrast.cost.points.value, adjusted_p)
    return Finding(
        wm=error.wm,
        tier=error.tier,
        expected=error.expected,
        clean=rate(success_sample(contrast.clean.results)),
        success=rate(success_sample(contrast.wrong.results)),
        cost=contrast.cost,
        adjusted_p=adjusted_p,
        as_expected=as_expected,
        verdict=words,
        run_id=contrast.wrong.record.run_id,
        command=command_of(contrast.wrong.identity, found.suite),
    )
