"""The options of the main command: how a run is played, or continued."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.arguments import RUNS, Json, MaxFailures, Out, Plugins, StartTimeout, Timeout


@dataclass(frozen=True)
class PlayArguments:
    """What stands on the command line, as it was given; "" and None where it was not."""

    wm: Annotated[str, typer.Option("--wm", help="World model (see: list wms).")] = ""
    task: Annotated[str, typer.Option("--task", help="Task (see: list tasks).")] = ""
    suite: Annotated[str, typer.Option("--suite", help="Suite; default: the world model's home suite.")] = ""
    tier: Annotated[str, typer.Option("--tier", help="Tier of the suite. [the suite's for the model's views]")] = ""
    split: Annotated[str, typer.Option("--split", help="validation or test; default: validation.")] = ""
    episodes: Annotated[str, typer.Option("--episodes", help="How many (spread over homes), mini, or all. [24]")] = ""
    seed: Annotated[Optional[int], typer.Option("--seed", help="Run seed; never changes the episodes. [0]")] = None
    seeds: Annotated[str, typer.Option("--seeds", help="Several seeds, pooled: 0-4 or 0,2,7.")] = ""
    stop: Annotated[str, typer.Option("--stop", help="Who ends an episode: self or oracle; default: the tier's.")] = ""
    workers: Annotated[Optional[int], typer.Option("--workers", help="Processes. [one a core, at most 4]")] = None
    env_python: Annotated[str, typer.Option("--env-python", help="Interpreter of the environment.")] = ""
    environment: Annotated[str, typer.Option("--environment", help="embedded or habitat; default: the suite's.")] = ""
    scenes: Annotated[str, typer.Option("--scenes", help="Habitat: folder of the scenes (homes are exported).")] = ""
    wm_python: Annotated[str, typer.Option("--wm-python", help="Interpreter of the world model.")] = ""
    plugins: Plugins = None
    runtime: Annotated[str, typer.Option("--runtime", help="Where services run: process or docker.")] = "process"
    wm_image: Annotated[str, typer.Option("--wm-image", help="Plugin image with the world model.")] = ""
    env_gpu: Annotated[str, typer.Option("--env-gpu", help="GPU of the environment: index or UUID.")] = ""
    wm_gpu: Annotated[str, typer.Option("--wm-gpu", help="GPU of the world model: index or UUID.")] = ""
    weights: Annotated[str, typer.Option("--weights", help="Weights: hub, random, or a path. [hub]")] = ""
    assignments: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="Change a fact of the model (repeatable).")
    ] = None
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Play weights without a complete card; stamped in the result.")
    ] = False
    references: Annotated[bool, typer.Option("--references", help="Play (or reuse) the references too.")] = False
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would be played and its cost.")] = False
    resume: Annotated[Optional[Path], typer.Option("--resume", help="Continue a run folder.")] = None
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="With --resume: play errors again.")] = False
    max_failures: MaxFailures = None
    timeout: Timeout = None
    start_timeout: StartTimeout = None
    out: Out = RUNS
    as_json: Json = False
