"""`runs`: the run folders of a machine, listed or cleaned up after."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.arguments import RUNS, Json, Out
from harness.cli.passing_on import PassingGroup

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
    from harness.cli.clean import clean

    return clean(out, unfinished, yes, as_json)
