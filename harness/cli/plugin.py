"""`plugin`: make a world-model plugin, and check that it keeps the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import Json, MaxFailures, Plugins
from harness.cli.passing_on import PassingGroup

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
    from harness.cli import plugin_actions

    return plugin_actions.new(name, into, as_json)


@group.command("check")
def check_command(
    named: Annotated[str, typer.Argument(metavar="PATH|NAME|IMAGE", help="A folder, a world model, or an image.")],
    model: Annotated[str, typer.Option("--model", help="Which model, where the plugin has several.")] = "",
    only: Annotated[Optional[list[str]], typer.Option("--only", help="Run this check alone (repeatable).")] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", "--deadline", min=0.1, help="Seconds that one call may take.")
    ] = 600.0,
    max_failures: MaxFailures = None,
    wm_python: Annotated[str, typer.Option("--wm-python", help="Interpreter of the world model.")] = "",
    weights: Annotated[str, typer.Option("--weights", help="Weights: hub, random, or a path. [hub]")] = "",
    assignments: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="Change a fact of the model (repeatable).")
    ] = None,
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Check weights without a complete card.")
    ] = False,
    plugins: Plugins = None,
    as_json: Json = False,
) -> int:
    """Check a plugin from outside, through its service; exit code 1 where a check fails."""
    from harness.cli import plugin_actions
    from harness.conformance.target import find_target
    from harness.running.run_options import interpreter
    from harness.worldmodels.preparing import Choice

    choice = Choice(tuple(assignments or ()), weights, allow_uncarded)
    python = interpreter(wm_python, "--wm-python")
    target = find_target(named, model, python, tuple(plugins or ()), choice)
    return plugin_actions.check(target, tuple(only or ()), timeout, max_failures, as_json)
