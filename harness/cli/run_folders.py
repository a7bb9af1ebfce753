"""`runs`: the run folders of a machine, listed or cleaned up after.

What killed runs left goes at once; run folders only after they were named and somebody agreed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import RUNS, Json, Out, PassingGroup
from harness.cli.console import note, print_json, say
from harness.contracts.errors import Refusal
from harness.contracts.printing import counted

if TYPE_CHECKING:
    from harness.running.cleaning import Unfinished

group = typer.Typer(cls=PassingGroup, invoke_without_command=True, add_completion=False, rich_markup_mode=None)


@group.callback()
def runs_command(
    context: typer.Context,
    page: Annotated[bool, typer.Option("--page", help="Write one page over all runs of the folder.")] = False,
    out: Out = RUNS,
    as_json: Json = False,
) -> int:
    """List the runs of a folder with rate and state; `runs clean` removes what killed runs left."""
    if context.invoked_subcommand is not None:
        return 0
    from harness.cli.run_list import show_runs

    return show_runs(out, as_json, page)


@group.command("clean")
def clean_command(
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Remove the folders of runs that were never finished, too; asks first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --unfinished: remove without being asked.")] = False,
    out: Out = RUNS,
    as_json: Json = False,
) -> int:
    """Remove processes, sockets and containers of runs that were killed; living runs are left alone."""
    return remove(out, unfinished, yes, as_json)


def remove(out: Path, unfinished: bool, yes: bool, as_json: bool) -> int:
    """Remove what killed runs left and, with ``unfinished``, their folders below ``out``; return 0.

    Refusal where folders would go and neither ``yes`` nor a person at a terminal agrees.
    """
    from harness.running import cleaning

    found = cleaning.find_unfinished(out) if unfinished else ()
    agreed = bool(found) and (yes or _agreed(found))
    leftovers = cleaning.remove_leftovers()
    removed = [str(path) for path in cleaning.remove_unfinished(found)] if agreed else []
    if as_json:
        print_json({**asdict(leftovers), "runs": removed})
        return 0
    say(f"sockets     {len(leftovers.sockets)} removed")
    looked = not leftovers.engine
    say(f"containers  {f'{len(leftovers.containers)} removed' if looked else f'not looked for: {leftovers.engine}'}")
    if unfinished:
        say(f"runs        {len(removed)} removed")
        for path in removed:
            say(f"            {path}")
    return 0


def _agreed(found: Sequence[Unfinished]) -> bool:
    """Name the runs that would go; return what the person at the terminal says to that, Refusal where nobody is."""
    total = sum(run.size for run in found) / 1e6
    what = f"{counted(len(found), 'run')} with episodes still to be played, {total:.1f} MB"
    for run in found:
        note(f"{run.path}: {run.played} of {run.planned} played, {run.size / 1e6:.1f} MB")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refusal(
            f"this would remove {what}.",
            "Add --yes to remove them. Each can be continued instead: python benchmark.py --resume RUN",
        )
    return typer.confirm(f"Remove {what}?", err=True)
