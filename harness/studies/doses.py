"""Freezes a suite's dose curves from finished test runs: ``python -m harness.studies.doses RUNS...``.

Writes ``doses.json`` into the suite's folder. A dose is a run of the simulator with one planted error, whether a plugin
declares it or ``--set`` made it. Doses that the suite wants and nobody played are listed with their commands.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from harness.contracts.errors import Refusal, WiwError
from harness.contracts.manifests import ENVIRONMENT, Setting
from harness.contracts.printing import one_line, printable
from harness.records.identity import RunIdentity
from harness.records.roots import trajectory_root
from harness.scoring.data import RunData
from harness.scoring.metrics import rate, success_sample
from harness.scoring.references import CEILING
from harness.studies.commands import command_of, play_command
from harness.studies.dose_files import DOSES, CurveData, PointData, write_doses
from harness.studies.paired_differences import size
from harness.studies.preregistration import RESOLUTION, WantedCurve, read_declared
from harness.studies.run_selection import SELF, SPLIT, Found, Missing, by_command, find_runs
from harness.worldmodels.planted_errors import own_settings
from tasks.suite import Suite, load_suite


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
            command = play_command(suite, wanted.tier, CEILING, SELF, settings)
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
        stop=SELF,
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
    parser.add_argument("--task", default="ignav")
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
