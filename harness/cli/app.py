"""The command line: one small function a command, everything heavy imported where it is used."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli import groups
from harness.cli.arguments import RUNS, Json, MaxFailures, Out, Plugins, Run, StartTimeout, Timeout
from harness.cli.bank import bank_command
from harness.cli.cite import cite_command
from harness.cli.collect import collect_command
from harness.cli.compare import compare_command
from harness.cli.console import note, print_error
from harness.cli.datasets import datasets_command
from harness.cli.passing_on import PassingGroup
from harness.cli.surroundings import from_home, settle
from harness.contracts.errors import Refusal, WiwError
from harness.contracts.names import nearest
from harness.contracts.storage import storage_error

BROKEN, USAGE, PARTIAL = 1, 2, 3

app = typer.Typer(
    name="benchmark.py",
    cls=PassingGroup,
    help="Does a visual world model help an agent act? Plays seeded closed-loop episodes and reports task success.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

groups.register(app)


@app.callback()
def main_command(
    context: typer.Context,
    wm: Annotated[str, typer.Option("--wm", help="World model (see: list wms).")] = "",
    task: Annotated[str, typer.Option("--task", help="Task (see: list tasks).")] = "",
    suite: Annotated[str, typer.Option("--suite", help="Suite; default: the world model's home suite.")] = "",
    tier: Annotated[str, typer.Option("--tier", help="Tier of the suite. [the suite's for the model's views]")] = "",
    split: Annotated[str, typer.Option("--split", help="validation or test; default: validation.")] = "",
    episodes: Annotated[str, typer.Option("--episodes", help="How many (spread over homes), mini, or all. [24]")] = "",
    seed: Annotated[Optional[int], typer.Option("--seed", help="Run seed; never changes the episodes. [0]")] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="Several seeds, pooled: 0-4 or 0,2,7.")] = "",
    stop: Annotated[str, typer.Option("--stop", help="Who ends an episode: self or oracle; default: the tier's.")] = "",
    workers: Annotated[Optional[int], typer.Option("--workers", help="Processes. [one a core, at most 4]")] = None,
    env_python: Annotated[str, typer.Option("--env-python", help="Interpreter of the environment.")] = "",
    environment: Annotated[str, typer.Option("--environment", help="embedded or habitat; default: the suite's.")] = "",
    scenes: Annotated[str, typer.Option("--scenes", help="Habitat: folder of the scenes (homes are exported).")] = "",
    wm_python: Annotated[str, typer.Option("--wm-python", help="Interpreter of the world model.")] = "",
    plugins: Plugins = None,
    runtime: Annotated[str, typer.Option("--runtime", help="Where services run: process or docker.")] = "process",
    wm_image: Annotated[str, typer.Option("--wm-image", help="Plugin image with the world model.")] = "",
    env_gpu: Annotated[str, typer.Option("--env-gpu", help="GPU of the environment: index or UUID.")] = "",
    wm_gpu: Annotated[str, typer.Option("--wm-gpu", help="GPU of the world model: index or UUID.")] = "",
    weights: Annotated[str, typer.Option("--weights", help="Weights: hub, random, or a path. [hub]")] = "",
    assignments: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="Change a fact of the model (repeatable).")
    ] = None,
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Play weights without a complete card; stamped in the result.")
    ] = False,
    references: Annotated[bool, typer.Option("--references", help="Play (or reuse) the references too.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would be played and its cost.")] = False,
    resume: Annotated[Optional[Path], typer.Option("--resume", help="Continue a run folder.")] = None,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="With --resume: play errors again.")] = False,
    max_failures: MaxFailures = None,
    timeout: Timeout = None,
    start_timeout: StartTimeout = None,
    out: Out = RUNS,
    as_json: Json = False,
) -> int:
    """Play seeded closed-loop episodes with a world model and report task success with its interval."""
    if context.invoked_subcommand is not None:
        return 0
    if resume is not None:
        from harness.cli import continuing, play
        from harness.running.plan import Patience

        continuing.check_options(given_options(context))
        continuation = continuing.Continuation(
            workers=workers,
            env_python=env_python,
            wm_python=wm_python,
            plugins=tuple(plugins or ()),
            runtime=runtime if "--runtime" in given_options(context) else "",
            env_gpu=env_gpu,
            wm_gpu=wm_gpu,
            scenes=scenes,
            weights=weights,
            assignments=tuple(assignments or ()),
            patience=Patience(max_failures, timeout, start_timeout),
        )
        return play.resume(resume, continuation, retry_errors, as_json)
    if retry_errors:
        raise Refusal("--retry-errors says how a run is continued.", "Name the run: --resume RUN --retry-errors")
    named = wm or wm_image
    if not named or not task:
        missing = "--wm and --task" if not named and not task else "--wm" if not named else "--task"
        raise Refusal(f"{missing} missing.", "For example: python benchmark.py --wm gtsim --task ignav")
    if seed is not None and seeds:
        raise Refusal("--seed and --seeds exclude each other.", "Give one of them.")
    from harness.cli import play
    from harness.cli.options import RunOptions, default_workers
    from harness.running.plan import Patience
    from harness.worldmodels.preparing import Choice

    options = RunOptions(
        wm=wm,
        task=task,
        suite=suite,
        tier=tier,
        split=split,
        episodes=episodes,
        seeds=seeds or str(0 if seed is None else seed),
        stop=stop,
        workers=default_workers() if workers is None else workers,
        env_python=env_python,
        wm_python=wm_python,
        plugins=tuple(plugins or ()),
        runtime=runtime,
        wm_image=wm_image,
        env_gpu=env_gpu,
        wm_gpu=wm_gpu,
        choice=Choice(tuple(assignments or ()), weights, allow_uncarded),
        environment=environment,
        scenes=scenes,
        patience=Patience(max_failures, timeout, start_timeout),
    )
    if dry:
        return play.dry_run(options, out, as_json, references)
    return play.play(options, out, as_json, references)


@app.command("list")
def list_command(
    kind: Annotated[str, typer.Argument(help="wms, tasks, suites, images or runs", show_default=False)] = "",
    plugins: Plugins = None,
    out: Out = RUNS,
    as_json: Json = False,
) -> int:
    """List world models, tasks, suites, images or runs."""
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
    from harness.cli import watch

    return watch.watch(run, once)


@app.command("doctor")
def doctor_command(out: Out = RUNS, as_json: Json = False) -> int:
    """Say what can run here, what cannot, and what to do."""
    from harness.cli import doctor

    return doctor.doctor(out, as_json)


app.command("datasets")(datasets_command)
app.command("compare")(compare_command)
app.command("bank")(bank_command)
app.command("cite")(cite_command)
app.command("collect")(collect_command)


def main(arguments: Sequence[str]) -> int:
    """Run one command; return 0 complete, 1 broken, 2 wrong usage, 3 partial."""
    try:
        settle()
        code = app(args=[from_home(word) for word in arguments], prog_name="benchmark.py", standalone_mode=False)
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
        note(f"error: {error.format_message()}{option_hint(error.format_message())}")
        note("       python benchmark.py --help lists commands and options.")
        return USAGE
    return code if isinstance(code, int) else 0


def given_options(context: typer.Context) -> dict[str, Any]:
    """Return the options that stand on the command line, by name, with their values."""
    return {
        option.opts[0]: context.params[str(option.name)]
        for option in context.command.params
        if (source := context.get_parameter_source(str(option.name))) is not None and source.name == "COMMANDLINE"
    }


def option_hint(message: str) -> str:
    """Return the nearest option for a message about an unknown one, else ''."""
    unknown = re.search(r"No such option: (--[\w-]+)$", message)
    if not unknown:
        return ""
    source = "".join(module.read_text(encoding="utf-8") for module in Path(__file__).parent.glob("*.py"))
    return " " + nearest(unknown.group(1), sorted(set(re.findall(r'"(--[\w-]+)"', source))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
