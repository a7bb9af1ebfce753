"""What a suite set out to show before anybody looked: ``resolution.toml`` beside its episodes.

Naming error, tier and outcome beforehand is what makes a p-value mean what it says: whoever searches many tiers and
outcomes for some difference finds one in luck (docs/comparing.md).
"""

from __future__ import annotations

from typing import Dict, Literal, Tuple

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.contracts.errors import Refusal
from harness.contracts.wrong_fields import wrong_fields
from harness.scoring.dose_curves import WORDINGS
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


class WantedRange(_Part):
    """How many points (of 100) the simulator should solve more than a reference on one tier."""

    tier: str = Field(min_length=1)
    over: str = Field(min_length=1)
    points: float = Field(gt=0.0, le=100.0)


class WantedCurve(_Part):
    """A setting of the simulator whose cost is measured at several doses on one tier."""

    tier: str = Field(min_length=1)
    setting: str
    doses: Tuple[float, ...] = Field(min_length=1)

    @field_validator("setting")
    @classmethod
    def _known(cls, setting: str) -> str:
        if setting not in WORDINGS:
            raise ValueError(f"{setting!r} is not one of {sorted(WORDINGS)}")
        return setting


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
