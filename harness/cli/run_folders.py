"""`runs`: the run folders of a machine, listed or cleaned up after."""

from __future__ import annotations

import typer

from harness.cli.arguments import RUNS, Json, Out

group = typer.Typer(invoke_without_command=True, add_completion=False, rich_markup_mode=None)


@group.callback()
def runs_command(context: typer.Context, out: Out = RUNS, as_json: Json = False) -> int:
    """List the runs of a folder with their state."""
    if context.invoked_subcommand is not None:
        return 0
    from harness.cli import results

    return results.show_runs(out, as_json)
