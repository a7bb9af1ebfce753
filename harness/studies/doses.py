"""Freezes a suite's dose curves from finished test runs: ``python -m harness.studies.doses RUNS...``.

Writes ``doses.json`` into the suite's folder. A dose is a run of the simulator with one planted error, whether a plugin
declares it or ``--set`` made it. Doses that the suite wants and nobody played are listed with their commands.

Frozen in ``doses.json``, which belongs to the suite's data but to no hash: it says more about old results without
changing one.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, Optional, Sequence, Tuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.manifests import ENVIRONMENT, Setting
from harness.contracts.printing import one_line, printable
from harness.contracts.results import Metric
from harness.contracts.wrong_fields import wrong_fields
from harness.records.atomic import write_atomic
from harness.records.identity import RunIdentity
from harness.records.roots import trajectory_root
from harness.scoring.data import RunData
from harness.scoring.dose_curves import DoseCurve, DosePoint
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import CEILING
from harness.studies.paired_differences import size
from harness.studies.resolution import RESOLUTION, WantedCurve, WordedSetting, read_declared
from harness.studies.run_selection import SPLIT, Found, Missing, by_command, command_of, find_runs, play_command
from harness.worldmodels.planted_errors import own_settings
from tasks.suite import Suite, load_suite

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

    setting: WordedSetting
    tier: str
    suite_hash: str
    split: str
    stop: str
    points: Tuple[PointData, ...] = Field(min_length=2)

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


@dataclass(frozen=True)
class Doses:
    """The curves that can be made, and the runs that are missing of those that the suite wants."""

    curves: Tuple[CurveData, ...]
    missing: Tuple[Missing, ...]


def make_doses(suite: Suite, roots: Sequence[Path]) -> Doses:
    """Return the dose curves that the runs below ``roots`` allow; Refusal where there is not one."""
    wanted = read_declared(suite).curves
    if not wanted:
        raise Refusal(f"{suite.name} declares no dose curves.", f"Name them in {suite.folder / RESOLUTION}.")
    missing: List[Missing] = []
    curves = dose_curves(wanted, find_runs(roots, suite), missing)
    if not curves:
        raise Refusal(
            "no dose curve can be made: each needs gtsim and one dose or more on its tier.",
            "\n".join(f"{lacking.what}: {lacking.command}" for lacking in missing),
        )
    return Doses(curves, by_command(missing))


def dose_curves(wanted: Sequence[WantedCurve], found: Found, missing: List[Missing]) -> Tuple[CurveData, ...]:
    """Return the wanted curves that have an error-free run and one dose or more; doses without a run are told."""
    curves = (_curve(each, found, missing) for each in wanted)
    return tuple(curve for curve in curves if curve is not None)


def planted(identity: RunIdentity) -> Optional[Dict[str, Setting]]:
    """Return the settings of a simulator that plant an error, {} where there is none; None for other world models."""
    manifest = identity.wm_manifest
    if manifest.get("kind") != ENVIRONMENT:
        return None
    defaults = own_settings()
    settings: Dict[str, Any] = dict(manifest.get("settings", {}))
    return {name: value for name, value in settings.items() if value != defaults.get(name)}


def _curve(wanted: WantedCurve, found: Found, missing: List[Missing]) -> Optional[CurveData]:
    """Return one curve, its doses growing from no error on; None where there is no error-free run or no dose."""
    suite = found.suite
    if wanted.tier not in suite.tiers:
        missing.append(Missing(f"{wanted.setting} on {wanted.tier}: the suite has no such tier", ""))
        return None
    default = own_settings()[wanted.setting]
    by_dose = _by_dose(wanted, found)
    for dose in (float(default), *wanted.doses):
        if dose not in by_dose:
            value: Setting = bool(dose) if isinstance(default, bool) else dose
            settings = {} if dose == float(default) else {wanted.setting: value}
            command = play_command(suite, wanted.tier, CEILING, found.stop(wanted.tier), settings)
            missing.append(Missing(f"{wanted.setting} {dose:g} on {wanted.tier}", command))
    if float(default) not in by_dose or len(by_dose) < 2:
        return None
    none = float(default)
    doses = sorted(by_dose, key=lambda dose: abs(dose - none))
    points = tuple(_point(dose, by_dose[dose], suite) for dose in doses)
    identity = by_dose[none].identity
    return CurveData(
        setting=wanted.setting,
        tier=wanted.tier,
        suite_hash=identity.suite_hash,
        split=SPLIT,
        stop=identity.stop,
        points=points,
    )


def _by_dose(wanted: WantedCurve, found: Found) -> Dict[float, RunData]:
    """Return the runs with this error alone, or with none, by dose; those on the other side of no error are left out.

    Only the seeds of the error-free run count: its points then stand beside each other on equal draws.
    """
    none = float(own_settings()[wanted.setting])
    side = 1.0 if wanted.doses[0] > none else -1.0
    clean = found.run(CEILING, wanted.tier)
    runs: Dict[float, RunData] = {} if clean is None else {none: clean}
    for run in found.of_tier(wanted.tier):
        errors = planted(run.identity)
        if clean is None or not errors or set(errors) != {wanted.setting}:
            continue
        dose = float(errors[wanted.setting])
        if side * (dose - none) > 0.0 and run.identity.seeds == clean.identity.seeds:
            runs[dose] = run
    return runs


def _point(dose: float, run: RunData, suite: Suite) -> PointData:
    success = rate(success_sample(run.results))
    return PointData(
        dose=dose,
        success=success.value,
        low=success.low,
        high=success.high,
        n=success.n,
        homes=size(run)[1],
        run_id=run.record.run_id,
        trajectory_root=trajectory_root(run.rows),
        command=command_of(run.identity, suite),
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the curves that the command line asks for; return 0, or 2 after saying what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness.studies.doses", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hold run folders, such as runs/")
    parser.add_argument("--suite", default="embedded-v1")
    parser.add_argument("--task", default=FIRST_TASK)
    parser.add_argument("--out", type=Path, help="another file than the suite's own")
    asked = parser.parse_args(arguments)
    try:
        suite = load_suite(asked.suite, asked.task)
        doses = make_doses(suite, asked.runs)
        target = asked.out or suite.folder / DOSES
        write_doses(target, suite, doses.curves)
    except WiwError as error:
        print(printable(f"error: {error.what}\n{error.next_step}".rstrip()), file=sys.stderr)
        return 2
    for curve in doses.curves:
        told = ", ".join(f"{point.dose:g}: {100 * point.success:.1f} %" for point in curve.points)
        print(f"{curve.tier} {curve.setting}  {told}")
    for lacking in doses.missing:
        print(one_line(f"missing  {lacking.what}  {lacking.command}".rstrip()), file=sys.stderr)
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
