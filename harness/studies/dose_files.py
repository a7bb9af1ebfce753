"""A suite's frozen dose curves, ``doses.json``: read and checked at the edge, written by `harness.studies.doses`.

It belongs to the suite's data but to no hash: it says more about old results without changing one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Dict, Literal, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.contracts.errors import Refusal
from harness.contracts.results import Metric
from harness.contracts.wrong_fields import wrong_fields
from harness.records.atomic import write_atomic
from harness.scoring.dose_curves import WORDINGS, DoseCurve, DosePoint
from tasks.suite import Suite

DOSES = "doses.json"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointData(_Part):
    """One dose: the success of the simulator with it, and the run that measured it."""

    dose: Finite
    success: Share
    low: Share
    high: Share
    n: int = Field(ge=1)
    homes: int = Field(ge=1)
    run_id: str
    trajectory_root: str
    command: str

    def point(self) -> DosePoint:
        """Return what the arithmetic needs."""
        return DosePoint(self.dose, Metric(self.success, self.low, self.high, self.n))


class CurveData(_Part):
    """The doses of one setting on one tier, from no error to the largest."""

    setting: str
    tier: str
    suite_hash: str
    split: str
    stop: str
    points: Tuple[PointData, ...] = Field(min_length=2)

    @field_validator("setting")
    @classmethod
    def _known(cls, setting: str) -> str:
        if setting not in WORDINGS:
            raise ValueError(f"{setting!r} is not one of {sorted(WORDINGS)}")
        return setting

    @model_validator(mode="after")
    def _doses_grow(self) -> CurveData:
        severities = [abs(point.dose - self.points[0].dose) for point in self.points]
        if any(later <= earlier for earlier, later in zip(severities, severities[1:], strict=False)):
            raise ValueError(f"the doses of {self.setting} do not grow from no error on")
        return self

    def curve(self) -> DoseCurve:
        """Return what the arithmetic needs."""
        points = tuple(point.point() for point in self.points)
        return DoseCurve(self.setting, self.tier, self.suite_hash, self.split, self.stop, points)


class DoseFile(_Part):
    """A whole ``doses.json``."""

    schema_version: Literal[1] = 1
    suite: str
    task: str
    curves: Tuple[CurveData, ...]


def read_curves(suite: Suite) -> Tuple[DoseCurve, ...]:
    """Return the suite's dose curves, none where it has no file of them; Refusal for a damaged file."""
    path = suite.folder / DOSES
    if not path.exists():
        return ()
    try:
        file = DoseFile.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        raise Refusal(f"{path}: {wrong_fields(error.errors())}.", "Restore the file from the repository.") from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}.", "Restore the file from the repository.") from error
    return tuple(curve.curve() for curve in file.curves)


def write_doses(path: Path, suite: Suite, curves: Sequence[CurveData]) -> None:
    """Write a suite's dose curves, an older file replaced whole; equal runs give equal bytes."""
    file = DoseFile(suite=suite.name, task=suite.task, curves=tuple(curves))
    plain: Dict[str, Any] = file.model_dump(mode="json")
    write_atomic(path, (json.dumps(plain, indent=1) + "\n").encode())
