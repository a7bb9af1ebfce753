"""`bank`: asks a world model in the frozen states of a suite's decision bank.

This module is imported for every command, so it imports nothing heavy; the work is imported where it is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import RUNS, Json, MaxFailures, Out, Plugins, StartTimeout, Timeout
from harness.contracts.errors import Refusal

FIRST_TASK = "ignav"
EXAMPLE = "For example: python benchmark.py bank --wm warp"


def bank_command(
    wm: Annotated[str, typer.Option("--wm", help="World model (see: list wms).")] = "",
    task: Annotated[str, typer.Option("--task", help="Task of the suite.")] = FIRST_TASK,
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
        task=task,
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
