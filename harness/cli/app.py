"""The command line: one small function a command, everything heavy imported where it is used."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli.arguments import RUNS, Json, Out, PassingGroup, PlayArguments, Plugins, Run, taking
from harness.cli.cite import cite_command
from harness.cli.collect import collect_command
from harness.cli.console import note, print_error
from harness.cli.datasets import datasets_command
from harness.cli.images import group as images_group
from harness.cli.leaderboard import submit_command
from harness.cli.plugin import group as plugin_group
from harness.cli.posttrain import posttrain_command
from harness.cli.run_commands import bank_command
from harness.cli.run_folders import group as runs_group
from harness.cli.site import group as leaderboard_group
from harness.cli.surroundings import from_home, settle
from harness.cli.throughput import throughput_command
from harness.cli.verifying import verify_command
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.names import nearest
from harness.contracts.storage import storage_error

BROKEN, USAGE, PARTIAL = 1, 2, 3
PROGRAM = "benchmark.py"

app = typer.Typer(
    name=PROGRAM,
    cls=PassingGroup,
    help="Does a visual world model help an agent act? Plays seeded closed-loop episodes and reports task success.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(runs_group, name="runs")
app.add_typer(images_group, name="images")
app.add_typer(plugin_group, name="plugin")
app.add_typer(leaderboard_group, name="leaderboard")


@app.callback()
@taking(PlayArguments)
def main_command(context: typer.Context, asked: PlayArguments) -> int:
    """Play seeded closed-loop episodes with a world model and report task success with its interval."""
    if context.invoked_subcommand is not None:
        return 0
    from harness.cli.run_commands import begin

    return begin(asked, given_options(context))


@app.command("list")
def list_command(
    kind: Annotated[str, typer.Argument(help="wms, policies, tasks, suites, images or runs", show_default=False)] = "",
    plugins: Plugins = None,
    out: Out = RUNS,
    as_json: Json = False,
) -> int:
    """List world models, policies, tasks, suites, images or runs."""
    from harness.cli import listing

    return listing.show(kind, out, tuple(plugins or ()), as_json)


@app.command("report")
def report_command(run: Run, as_json: Json = False) -> int:
    """Score a run again and write its exports and report.html."""
    from harness.cli import results

    return results.report(run, as_json)


@app.command("watch")
def watch_command(
    run: Run, once: Annotated[bool, typer.Option("--once", help="Print the state now and leave.")] = False
) -> int:
    """Follow a run that another process plays."""
    from harness.cli import progress

    return progress.watch(run, once)


@app.command("doctor")
def doctor_command(out: Out = RUNS, as_json: Json = False) -> int:
    """Say what can run here, what cannot, and what to do."""
    from harness.cli import doctor

    return doctor.doctor(out, as_json)


@app.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Two run folders or more; the first is the baseline.")],
    baseline: Annotated[
        Optional[Path], typer.Option("--baseline", help="The run that the others are compared with. [the first]")
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Compare runs that are not complete; stamped.")
    ] = False,
    allow_prompts: Annotated[
        bool, typer.Option("--allow-prompts", help="Compare world models asked in different words; stamped.")
    ] = False,
    out: Annotated[
        Optional[Path],
        typer.Option("--out", help="Folder for compare.html and compare.json. [runs/compare-MODELS-HASH]"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Compare runs on the same episodes: who solves more, by how much, and is it more than luck?"""
    from harness.cli import comparison

    return comparison.compare_runs(runs, baseline, allow_partial, allow_prompts, out, as_json)


app.command("datasets")(datasets_command)
app.command("bank")(bank_command)
app.command("cite")(cite_command)
app.command("collect")(collect_command)
app.command("posttrain")(posttrain_command)
app.command("throughput")(throughput_command)
app.command("submit")(submit_command)
app.command("verify")(verify_command)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return 0 complete, 1 broken, 2 wrong usage, 3 partial."""
    try:
        settle()
        code = app(args=[from_home(word) for word in arguments], prog_name=PROGRAM, standalone_mode=False)
    except Refusal as error:
        print_error(error)
        return USAGE
    except WiwError as error:
        print_error(error)
        return BROKEN
    except OSError as error:
        machine = storage_error(error)
        if machine is None:
            raise
        print_error(machine)
        return BROKEN
    except KeyboardInterrupt:
        note("interrupted")
        return PARTIAL
    except typer.Abort:
        return PARTIAL
    except typer.TyperException as error:
        note(usage_text(error))
        return USAGE
    return code if isinstance(code, int) else 0


def given_options(context: typer.Context) -> dict[str, Any]:
    """Return the options that stand on the command line, by name, with their values."""
    return {
        option.opts[0]: context.params[str(option.name)]
        for option in context.command.params
        if (source := context.get_parameter_source(str(option.name))) is not None and source.name == "COMMANDLINE"
    }


def usage_text(error: typer.TyperException) -> str:
    """Return what was wrong, with the nearest of the command's own options, and where its help is; the help itself
    where a group was given without a command."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if message.startswith("Usage: "):
        return message
    if context is not None and (unknown := re.search(r"No such option: (--[\w-]+)$", message)):
        own = [name for option in context.command.params for name in option.opts if name.startswith("--")]
        message += f". {nearest(unknown.group(1), [*own, '--help'])}"
    named = context.command_path if context is not None else PROGRAM
    return f"error: {message}\n       python {named} --help lists commands and options."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
