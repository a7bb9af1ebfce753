"""`plugin`: make a world-model plugin, and check that it keeps the contract."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli.arguments import Assignments, Json, MaxFailures, PassingGroup, Plugins, Weights, WmPython
from harness.cli.console import note, print_json, print_table, say
from harness.cli.live import SEPARATOR, LiveBar, clock
from harness.contracts.commands import FIRST_TASK, command

if TYPE_CHECKING:
    from harness.conformance.results import Outcome, Report
    from harness.conformance.target import Target

BROKEN = 1

group = typer.Typer(cls=PassingGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@group.callback()
def plugin_command() -> None:
    """Make a world-model plugin, and check that it keeps the contract."""


@group.command("new")
def new_command(
    name: Annotated[str, typer.Argument(help="Name of the model and of its folder.")],
    into: Annotated[
        Optional[Path], typer.Option("--into", help="Where the folder is made; default: the project's wm_plugins.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Make a folder with a working plugin: manifest, one class, test, Dockerfile, README with its card."""
    return new(name, into, as_json)


@group.command("check")
def check_command(
    named: Annotated[
        str, typer.Argument(metavar="PATH|NAME|IMAGE", help="A folder, a world model or policy, or an image.")
    ],
    model: Annotated[str, typer.Option("--model", help="Which model, where the plugin has several.")] = "",
    only: Annotated[Optional[list[str]], typer.Option("--only", help="Run this check alone (repeatable).")] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", "--deadline", min=0.1, help="Seconds that one call may take.")
    ] = 600.0,
    max_failures: MaxFailures = None,
    wm_python: WmPython = "",
    weights: Weights = "",
    assignments: Assignments = None,
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Check weights without a complete card.")
    ] = False,
    plugins: Plugins = None,
    as_json: Json = False,
) -> int:
    """Check a plugin from outside, through its service; exit code 1 where a check fails."""
    from harness.conformance.target import find_target
    from harness.running.run_options import interpreter
    from harness.worldmodels.preparing import Choice

    choice = Choice(tuple(assignments or ()), weights, allow_uncarded)
    python = interpreter(wm_python, "--wm-python")
    target = find_target(named, model, python, tuple(plugins or ()), choice)
    return check(target, tuple(only or ()), timeout, max_failures, as_json)


def new(name: str, into: Path | None, as_json: bool) -> int:
    """Make a plugin and say what to do with it."""
    from harness.worldmodels.catalog import BUILT_IN, load_catalog
    from harness.worldmodels.scaffold import create_plugin

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
    say(f"  {command('--wm', name, '--task', FIRST_TASK, *(('--plugins', folder) if into else ()))}")
    return 0


def check(target: Target, only: Sequence[str], deadline_s: float, max_failures: int | None, as_json: bool) -> int:
    """Run the conformance kit, print its table, and return 1 where a check failed."""
    from harness.conformance.run_checks import MAX_FAILURES, check_plugin
    from harness.worldmodels.strangers import is_strangers

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
    from harness.conformance.results import FAILED

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
