"""The commands that play: what their options ask for, checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import PlayArguments
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.running.continuing import Continuation
    from harness.running.plan import Patience
    from harness.running.run_options import RunOptions
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import RUNS, Json, MaxFailures, Out, Plugins, StartTimeout, Timeout


def begin(asked: PlayArguments, given: Mapping[str, Any]) -> int:
    """Do what was asked and return the exit code; ``given`` are the options on the command line, name -> value."""
    if asked.resume is not None:
        from harness.cli import play
        from harness.running.continuing import check_options

        check_options(given)
        return play.resume(asked.resume, _continuation(asked, given), asked.retry_errors, asked.as_json)
    _check(asked)
    from harness.cli import play

    options = _run_options(asked)
    if asked.dry:
        return play.dry_run(options, asked.out, asked.as_json, asked.references)
    return play.play(options, asked.out, asked.as_json, asked.references)


def _check(asked: PlayArguments) -> None:
    """Raise Refusal for a run that is not named, and for options that exclude each other."""
    if asked.retry_errors:
        raise Refusal("--retry-errors says how a run is continued.", "Name the run: --resume RUN --retry-errors")
    missing = [] if asked.wm or asked.wm_image else ["--wm"]
    missing += [] if asked.task else ["--task"]
    if missing:
        raise Refusal(f"{' and '.join(missing)} missing.", "For example: python benchmark.py --wm gtsim --task ignav")
    if asked.seed is not None and asked.seeds:
        raise Refusal("--seed and --seeds exclude each other.", "Give one of them.")


def _continuation(asked: PlayArguments, given: Mapping[str, Any]) -> Continuation:
    from harness.running.continuing import Continuation

    return Continuation(
        workers=asked.workers,
        env_python=asked.env_python,
        wm_python=asked.wm_python,
        plugins=tuple(asked.plugins or ()),
        runtime=asked.runtime if "--runtime" in given else "",
        env_gpu=asked.env_gpu,
        wm_gpu=asked.wm_gpu,
        scenes=asked.scenes,
        weights=asked.weights,
        assignments=tuple(asked.assignments or ()),
        patience=_patience(asked),
    )


def _run_options(asked: PlayArguments) -> RunOptions:
    from harness.running.run_options import RunOptions, default_workers
    from harness.worldmodels.preparing import Choice

    return RunOptions(
        wm=asked.wm,
        task=asked.task,
        suite=asked.suite,
        tier=asked.tier,
        split=asked.split,
        episodes=asked.episodes,
        seeds=asked.seeds or str(asked.seed or 0),
        stop=asked.stop,
        workers=default_workers() if asked.workers is None else asked.workers,
        env_python=asked.env_python,
        wm_python=asked.wm_python,
        plugins=tuple(asked.plugins or ()),
        runtime=asked.runtime,
        wm_image=asked.wm_image,
        env_gpu=asked.env_gpu,
        wm_gpu=asked.wm_gpu,
        choice=Choice(tuple(asked.assignments or ()), asked.weights, asked.allow_uncarded),
        environment=asked.environment,
        scenes=asked.scenes,
        patience=_patience(asked),
    )


def _patience(asked: PlayArguments) -> Patience:
    from harness.running.plan import Patience

    return Patience(asked.max_failures, asked.timeout, asked.start_timeout)


EXAMPLE = "For example: python benchmark.py bank --wm warp"


def bank_command(
    wm: Annotated[str, typer.Option("--wm", help="World model (see: list wms).")] = "",
    suite: Annotated[str, typer.Option("--suite", help="Suite; default: the world model's home suite.")] = "",
    tier: Annotated[str, typer.Option("--tier", help="Tier of the suite. [the suite's for the model's views]")] = "",
    against: Annotated[
        Optional[Path], typer.Option("--against", help="Another measurement on the same states, to be compared with.")
    ] = None,
    file: Annotated[Optional[Path], typer.Option("--bank", help="Another bank file; default: the suite's.")] = None,
    workers: Annotated[Optional[int], typer.Option("--workers", help="Processes. [one a core, at most 4]")] = None,
    wm_python: Annotated[str, typer.Option("--wm-python", help="Interpreter of the world model.")] = "",
    plugins: Plugins = None,
    runtime: Annotated[str, typer.Option("--runtime", help="Where services run: process or docker.")] = "process",
    wm_image: Annotated[str, typer.Option("--wm-image", help="Plugin image with the world model.")] = "",
    wm_gpu: Annotated[str, typer.Option("--wm-gpu", help="GPU of the world model: index or UUID.")] = "",
    weights: Annotated[str, typer.Option("--weights", help="Weights: hub, random, or a path. [hub]")] = "",
    assignments: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="Change a fact of the model (repeatable).")
    ] = None,
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Use weights without a complete card; stamped in the result.")
    ] = False,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Go on with the last measurement and ask again where it failed.")
    ] = False,
    max_failures: MaxFailures = None,
    timeout: Timeout = None,
    start_timeout: StartTimeout = None,
    out: Out = RUNS,
    as_json: Json = False,
) -> int:
    """Ask a world model in frozen decisions: how many metres do its choices lose? No simulator, in minutes.

    The same command goes on where an interrupted one stopped.
    """
    if not wm and not wm_image:
        raise Refusal("--wm missing.", EXAMPLE)
    from harness.cli.bank_measurement import measure
    from harness.running.plan import Patience
    from harness.running.run_options import RunOptions, default_workers
    from harness.worldmodels.preparing import Choice

    options = RunOptions(
        wm=wm,
        task="ignav",
        suite=suite,
        tier=tier,
        split="validation",
        episodes="all",
        stop="oracle",
        workers=default_workers() if workers is None else workers,
        wm_python=wm_python,
        plugins=tuple(plugins or ()),
        runtime=runtime,
        wm_image=wm_image,
        wm_gpu=wm_gpu,
        choice=Choice(tuple(assignments or ()), weights, allow_uncarded),
        patience=Patience(max_failures, timeout, start_timeout),
    )
    return measure(options, out, file, against, as_json, retry_errors)
