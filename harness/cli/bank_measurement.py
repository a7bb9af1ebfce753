"""What `bank` does: plans a measurement, asks in every state or goes on where one stopped, and prints the measures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from harness.auditing.audit import Audited, audit
from harness.banking.plan import outdated, plan_measurement, unfinished
from harness.cli.console import note, print_json, say
from harness.cli.failures import failure_lines, retry_lines, telling_how_on
from harness.cli.play import check_writable, warn
from harness.cli.progress import ProgressLine, ReadingLine, describe_states
from harness.contracts.errors import Refusal
from harness.contracts.failures import Failures
from harness.contracts.manifests import ENVIRONMENT
from harness.contracts.metrics import PERCENT, MetricSpec
from harness.contracts.printing import counted
from harness.records.banks import (
    BANK_HASH,
    bank_hash,
    measurement,
    new_bank_id,
    open_measurement,
    read_measurements,
)
from harness.records.damage import lines_of
from harness.records.folder import STATES, RunFolder
from harness.records.model_parts import unknown_parts
from harness.running.make_plan import make_plan
from harness.running.plan import RunPlan
from harness.running.progress import BROKEN_CODE
from harness.running.run_options import RunOptions
from harness.running.services import check_interpreters
from tasks.bank_files import bank_path, read_bank
from tasks.suite import load_suite

if TYPE_CHECKING:
    from harness.scoring.data import RunData

POINTS = "points"
"""The unit of a difference of shares."""


def measure(
    options: RunOptions,
    out: Path,
    file: Optional[Path],
    against: Optional[Path],
    as_json: bool,
    retry_errors: bool = False,
) -> int:
    """Ask a world model in every state of a tier's bank; return the exit code (3: some state was not answered).

    ``retry_errors`` goes on with the last measurement and asks again where it failed.
    """
    from harness.running import runs

    plan = make_measurement(options, file)
    other = None if against is None else sound_measurement(against, plan)
    check_interpreters(plan)
    check_writable(out)
    warn(plan)
    for remark in remarks(plan):
        note(remark)
    folder = going_on(plan, out, retry_errors) or create(plan, out)
    with asking(folder, as_json) as progress:
        outcome = runs.play(folder, plan, progress, retry_errors=retry_errors)
    from harness.reporting.exports import write_bank_results

    found = audit(folder, outcome.damage)
    beside = None if other is None else (other.folder, data_of(other))
    results = write_bank_results(folder, data_of(found), beside)
    if as_json:
        print_json(results)
    else:
        for line in (*lines_of(found.findings), *lines(results, folder, found.metrics)):
            say(line)
    if found.findings.damage:
        return BROKEN_CODE
    if outcome.exit_code:
        for line in partial_lines(results["states"], outcome.stopped):
            note(line)
    return outcome.exit_code


def make_measurement(options: RunOptions, file: Optional[Path]) -> RunPlan:
    """Return the plan; whatever a run would refuse about world model, suite and tier is refused in the same words."""
    if options.suite:
        suite = load_suite(options.suite, options.task)
        read_bank(suite, suite.tier(options.tier), file or bank_path(suite))  # a suite without one is told first
    plan = make_plan(options, ReadingLine())
    suite = load_suite(plan.identity.suite, plan.identity.task)
    bank = read_bank(suite, suite.tier(plan.identity.tier), file or bank_path(suite))
    return plan_measurement(plan, suite, bank)


def remarks(plan: RunPlan) -> list[str]:
    """Return what a user has to know of how this world model is asked."""
    manifest = plan.identity.wm_manifest
    told = []
    if plan.environment is not None and manifest["kind"] != ENVIRONMENT:
        told.append(f"{manifest['name']} wants a view that the bank does not hold: {plan.environment.name} renders it")
    if manifest["context_max"]:
        told.append(f"{manifest['name']} makes use of earlier views, and the bank holds none: it is asked without")
    return told


def going_on(plan: RunPlan, out: Path, broken: bool = False) -> Optional[RunFolder]:
    """Return the measurement that stopped and goes on now, or None; say why where one cannot go on."""
    listing = read_measurements(out)
    for passed in listing.passed_over:
        note(str(passed))
    measurements = listing.folders
    folder = unfinished(measurements, plan, broken)
    stopped = None if folder else outdated(measurements, plan)
    if stopped is not None:
        where, changed = measurement(stopped[0]), "; ".join(stopped[1])
        note(f"{where} does not go on, since {plan.identity.wm} is another model now: {changed}. This begins anew.")
    if folder is not None and unknown_parts(folder.identity, plan.identity):
        note(f"{measurement(folder)} goes on; {unknown_parts(folder.identity, plan.identity)}.")
    return folder


def sound_measurement(path: Path, plan: RunPlan) -> Audited:
    """Return the measurement in ``path``, looked at; Refusal or RecordError where the plan's has no place beside it."""
    folder = open_measurement(path)
    check_against(folder, plan)
    found = audit(folder)
    found.findings.raise_damage(path)
    return found


def data_of(found: Audited) -> RunData:
    """Return the data of a measurement that was looked at."""
    from harness.scoring.data import checked_run

    return checked_run(found.folder, found.rows, found.findings, found.metrics)


def check_against(other: RunFolder, plan: RunPlan) -> None:
    """Raise Refusal before anything is asked where the other measurement is not on the same states."""
    identity = plan.identity
    wanted = str(identity.specs[BANK_HASH])
    if (bank_hash(other), other.identity.suite_hash) != (wanted, identity.suite_hash):
        raise Refusal(
            f"{measurement(other)} was measured on {other.identity.tier} with states {bank_hash(other)[:12]}, this "
            f"would be on {identity.tier} with {wanted[:12]}.",
            "Measure both on the same tier and version of the bank.",
        )


def create(plan: RunPlan, out: Path) -> RunFolder:
    """Make the folder of a new measurement."""
    from harness.running import runs

    return runs.create(plan, out / new_bank_id(plan.identity, time.time()), STATES)


def partial_lines(states: Mapping[str, int], stopped: str) -> list[str]:
    """Return why a measurement is not complete, and how it becomes so."""
    again = "the same command goes on" if states["pending"] else "the same command asks all of them anew"
    if states["error"]:
        again += ", with --retry-errors it asks again in those that failed"
    why = [f"STOPPED after {stopped}"] if stopped else []
    return [*why, f"PARTIAL: {states['answered']}/{states['planned']} states answered; {again}"]


@contextmanager
def asking(folder: RunFolder, as_json: bool) -> Iterator[ProgressLine]:
    """Show progress while states are asked; an error says how to go on."""
    if not as_json:
        say(f"bank {measurement(folder)}")
    with (
        telling_how_on(lambda ended: "the same command"),
        ProgressLine(describe_states, folder.path) as line,
    ):
        yield line


def lines(results: Mapping[str, Any], folder: RunFolder, specs: Sequence[MetricSpec]) -> list[str]:
    """Return the measures for people, one a line; ``folder`` holds the rows. The first line says what was measured."""
    states = results["states"]
    heading = ""
    told: list[str] = []
    for spec in specs:
        kind = spec.label.partition(",")[0]
        meaning = spec.meaning if told else title(results)
        told.append(f"{'' if kind == heading else kind:<7} {written(results['measures'][spec.name], spec)}  {meaning}")
        heading = kind
    if states["error"]:
        told.append("        where the world model failed, its choice counts as wrong in top-1")
        told += failure_lines(
            [Failures(**kind) for kind in results["failures"]], counted(states["planned"], "state"), folder.path
        )
    told += retry_lines(results["retries"], "states")
    told += difference_lines(results.get("against"), specs)
    root = f"root    {results['trajectory_root']}"
    return [*told, f"states  {results['bank_hash']}", root, f"folder  {measurement(folder)}"]


def title(results: Mapping[str, Any]) -> str:
    """Return what was measured, with everything that a reader must not overlook."""
    states = results["states"]
    changed = ", ".join(f"{name}={value}" for name, value in sorted(results["wm_overrides"].items()))
    partial = f"  PARTIAL: {states['answered']}/{states['planned']} answered" if results["partial"] else ""
    stamps = f"  [{', '.join(results['stamps'])}]" if results["stamps"] else ""
    where = f"{counted(states['planned'], 'state')} in {counted(results['homes'], 'home')}"
    return (
        f"{results['wm']}{f' ({changed})' if changed else ''} on the bank of {results['task']}/{results['tier']} "
        f"({results['suite']}, {where}, has to move){partial}{stamps}"
    )


def difference_lines(against: Optional[Mapping[str, Any]], specs: Sequence[MetricSpec]) -> list[str]:
    """Return a line for each paired difference, none where nothing was compared."""
    if against is None:
        return []
    told = []
    for spec in specs:
        if not spec.compared:
            continue
        difference = against["differences"][spec.name]
        p = "" if difference is None else f"  p = {difference['p']:.2g}"
        told.append(f"        {written(difference, spec, POINTS)}  {spec.name} minus that of {against['wm']}{p}")
    told[0] = told[0].replace("        ", "paired  ", 1)
    return told


def written(metric: Optional[Mapping[str, Any]], spec: MetricSpec, share: str = PERCENT) -> str:
    """Return a measure, or a difference of two, as ``0.123 m [0.098, 0.148]``, or ``n/a``; ``share`` is the unit of one
    that is written in hundredths."""
    if metric is None or metric["value"] is None:
        return "n/a"
    scale, unit = (100.0, share) if spec.unit == PERCENT else (1.0, spec.unit)
    value, low, high = (
        "n/a" if number is None else f"{scale * number:.{spec.digits}f}"
        for number in (metric["value"], metric["low"], metric["high"])
    )
    return f"{value}{f' {unit}' if unit else ''} [{low}, {high}]"
