"""Resolution: does the suite show the errors that were planted, and stay silent where there is none to speak of?

What it set out to show before anybody looked is in ``resolution.toml`` beside its episodes. Naming error, tier and
outcome beforehand is what makes a p-value mean what it says: whoever searches many tiers and outcomes for some
difference finds one in luck (docs/comparing.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Dict, List, Literal, Optional, Sequence, Tuple

import tomllib
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.contracts.errors import Refusal
from harness.contracts.results import Metric
from harness.contracts.wrong_fields import wrong_fields
from harness.scoring.comparing_power import ALPHA
from harness.scoring.comparing_tests import holm
from harness.scoring.data import RunData
from harness.scoring.dose_curves import WORDINGS
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import CEILING
from harness.studies.paired_differences import Cost, cost
from harness.studies.run_selection import Found, Missing, command_of, play_command
from tasks.suite import Suite

RESOLUTION = "resolution.toml"

LARGE, SMALL, TOLERATED, NULL, ANYTHING = "large", "small", "tolerated", "null", "anything"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlantedError(_Part):
    """A planted error, the tier that it is looked for on, and what is expected of it there.

    ``later``: it was thought of after the others had been played, and is of a family of its own, so that no p-value
    that was told before changes.
    """

    wm: str = Field(min_length=1)
    tier: str = Field(min_length=1)
    expected: Literal["large", "small", "tolerated", "null", "anything"]
    later: bool = False


def _worded(setting: str) -> str:
    if setting not in WORDINGS:
        raise ValueError(f"{setting!r} is not one of {sorted(WORDINGS)}")
    return setting


WordedSetting = Annotated[str, AfterValidator(_worded)]
"""A setting of the simulator that a sentence can be made of (`WORDINGS`)."""


class WantedRange(_Part):
    """How many points (of 100) the simulator should solve more than a reference on one tier."""

    tier: str = Field(min_length=1)
    over: str = Field(min_length=1)
    points: float = Field(gt=0.0, le=100.0)


class WantedCurve(_Part):
    """A setting of the simulator whose cost is measured at several doses on one tier."""

    tier: str = Field(min_length=1)
    setting: WordedSetting
    doses: Tuple[float, ...] = Field(min_length=1)


class Declared(_Part):
    """A whole ``resolution.toml``. ``repeats`` maps a tier to another on which its first errors are looked for."""

    ranges: Tuple[WantedRange, ...] = ()
    errors: Tuple[PlantedError, ...] = ()
    repeats: Dict[str, str] = {}
    curves: Tuple[WantedCurve, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Declared:
        names = [error.wm for error in self.errors]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} is named twice; each error has one tier")
        return self

    def family(self, later: bool) -> Tuple[PlantedError, ...]:
        """Return the errors that were declared first, or those that were thought of later."""
        return tuple(error for error in self.errors if error.later == later)

    def repeated(self) -> Tuple[PlantedError, ...]:
        """Return the errors on the tiers where they are looked for again."""
        return tuple(
            error.model_copy(update={"tier": self.repeats[error.tier]})
            for error in self.family(later=False)
            if error.tier in self.repeats
        )


def read_declared(suite: Suite) -> Declared:
    """Return what the suite declares, nothing where it has no such file; Refusal for a damaged one."""
    path = suite.folder / RESOLUTION
    if not path.exists():
        return Declared()
    try:
        return Declared.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Fix the file.") from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read as TOML: {error}.", "Restore the file from the repository.") from error


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
            stop = found.stop(error.tier)
            command = play_command(found.suite, error.tier, name, stop)
            missing.append(Missing(f"{name} on {error.tier}, {stop}-stop", command))
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
