"""What the commands of `plugin` do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness.cli.console import note, print_json, print_table, say
from harness.cli.live import SEPARATOR, LiveBar, clock
from harness.conformance.results import FAILED, Outcome, Report
from harness.conformance.target import Target
from harness.contracts.commands import command
from harness.worldmodels.catalog import BUILT_IN, load_catalog
from harness.worldmodels.scaffold import create_plugin
from harness.worldmodels.strangers import is_strangers

BROKEN = 1


def new(name: str, into: Path | None, as_json: bool) -> int:
    """Make a plugin and say what to do with it."""
    catalog = load_catalog()
    taken = {*catalog.names(), *(entry.manifest.family for entry in catalog.entries)}
    folder = create_plugin(name, into or BUILT_IN, taken)
    files = sorted(path.name for path in folder.iterdir())
    if as_json:
        print_json({"name": name, "folder": str(folder), "files": files})
        return 0
    say(f"made {folder}: {', '.join(files)}")
    say("next:")
    say(f"  {command('plugin', 'check', folder)}")
    say(f"  {command('--wm', name, '--task', 'ignav', *(('--plugins', folder) if into else ()))}")
    return 0


def check(target: Target, only: Sequence[str], deadline_s: float, max_failures: int | None, as_json: bool) -> int:
    """Run the conformance kit, print its table, and return 1 where a check failed."""
    from harness.conformance.run_checks import MAX_FAILURES, check_plugin

    if target.plan.container is None and is_strangers(target.entry):
        note(f"{target.entry.manifest.name} runs as a process of yours and is not sandboxed (docs/security.md).")
    began = time.monotonic()
    most = MAX_FAILURES if max_failures is None else max_failures
    with CheckLine() as line:
        report = check_plugin(target, line, deadline_s=deadline_s, only=only, max_failures=most)
    seconds = time.monotonic() - began
    if as_json:
        print_json(as_plain(report, seconds))
    else:
        show(report, seconds)
    return 0 if report.conforms else BROKEN


def as_plain(report: Report, seconds: float) -> dict[str, object]:
    """Return a report as plain data."""
    checks = [
        {"name": result.name, **_plain(result.outcome), "seconds": round(result.seconds, 3)}
        for result in report.results
    ]
    return {
        "model": report.model,
        "source": report.source,
        "manifest_hash": report.manifest_hash,
        "conforms": report.conforms,
        "failed": list(report.failed),
        "stopped": report.stopped,
        "log": str(report.log),
        "checks": checks,
        "seconds": round(seconds, 1),
    }


def _plain(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as plain data; its error is in the note already, but for one that was told before."""
    return {name: value for name, value in asdict(outcome).items() if name != "error"}


def show(report: Report, seconds: float) -> None:
    """Print a report for a person."""
    rows = []
    for result in report.results:
        outcome = result.outcome
        rows.append((result.name, outcome.state, outcome.measured, outcome.limit, outcome.note))
    print_table(f"{report.model} ({report.source})", ("check", "result", "measured", "limit", "note"), rows)
    for result in report.results:
        if result.outcome.state == FAILED and result.outcome.next_step:
            say(f"{result.name}: {result.outcome.next_step}")
    if report.stopped:
        say(f"STOPPED: {report.stopped}")
    say(f"log of its service: {report.log}")
    count = len(report.results)
    if report.conforms:
        say(f"{report.model} conforms: none of {count} checks failed, {seconds:.0f} s")
    else:
        say(f"{report.model} does not conform: {len(report.failed)} of {count} checks failed, {seconds:.0f} s")


class CheckLine(LiveBar):
    """Shows which check runs; a log file gets a line a check."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def __call__(self, done: int, total: int, doing: str) -> None:
        text = SEPARATOR.join((f"{done}/{total} checks", doing, clock(time.monotonic() - self._began)))
        self.show(text, done, total, doing.partition(":")[0])
