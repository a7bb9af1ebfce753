"""The options of commands: declared once, taken as one frozen dataclass, and passed on by groups.

`runs --out X clean` means what `runs clean --out X` means. A group that parsed such an option and dropped it would work
in another folder than the one that was named.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Optional, TypeVar, get_type_hints

import typer
from typer.core import TyperGroup, TyperOption
from typer.models import ArgumentInfo

from harness.contracts.commands import FIRST_TASK
from harness.contracts.errors import Refusal
from harness.running.cluster import LOCAL

Out = Annotated[Path, typer.Option("--out", help="Folder of the runs.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Run = Annotated[Path, typer.Argument(help=f"A run folder, such as runs/20261123-1724-{FIRST_TASK}-easy-gtsim-s0-ab12.")]
Plugins = Annotated[
    Optional[list[Path]], typer.Option("--plugins", help="Another folder of world-model plugins (repeatable).")
]
MaxFailures = Annotated[
    Optional[int],
    typer.Option("--max-failures", min=0, help="Stop after so many equal failures in a row; 0: never. [3]"),
]
Timeout = Annotated[
    Optional[float], typer.Option("--timeout", help="Seconds that one call of the world model may take. [600]")
]
StartTimeout = Annotated[
    Optional[float], typer.Option("--start-timeout", help="Seconds until the world model must be ready. [600]")
]
Wm = Annotated[str, typer.Option("--wm", help="World model (see: list wms).")]
SuiteName = Annotated[str, typer.Option("--suite", help="Suite; default: the world model's home suite.")]
Tier = Annotated[str, typer.Option("--tier", help="Tier of the suite. [the suite's for the model's views]")]
Workers = Annotated[
    Optional[int], typer.Option("--workers", help="Processes. [one a core, at most 4; on a cluster all]")
]
WmPython = Annotated[str, typer.Option("--wm-python", help="Interpreter of the world model.")]
Runtime = Annotated[str, typer.Option("--runtime", help="Where services run: process or docker.")]
WmImage = Annotated[str, typer.Option("--wm-image", help="Plugin image with the world model.")]
WmGpu = Annotated[
    str,
    typer.Option(
        "--wm-gpu", help="GPU of the world model: index or UUID; several, as 0,1: a replica on each (0,0: two)."
    ),
]
EnvPython = Annotated[str, typer.Option("--env-python", help="Interpreter of the environment.")]
EnvGpu = Annotated[str, typer.Option("--env-gpu", help="GPU of the environment: index or UUID.")]
ExecutorName = Annotated[str, typer.Option("--executor", help="Where workers are: local, or ray for a cluster.")]
Address = Annotated[
    str, typer.Option("--address", help="With --executor ray: auto, or HOST:PORT of the cluster's head. [auto]")
]
Gpus = Annotated[float, typer.Option("--gpus", help="With --executor ray: GPUs of each worker; 0.5: two share one.")]
Weights = Annotated[str, typer.Option("--weights", help="Weights: hub, random, or a path. [hub]")]
Assignments = Annotated[
    Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="Change a fact of the model (repeatable).")
]
RUNS = Path("runs")


@dataclass(frozen=True)
class PlayArguments:
    """What stands on the command line, as it was given; "" and None where it was not."""

    wm: Wm = ""
    task: Annotated[str, typer.Option("--task", help="Task (see: list tasks).")] = ""
    proposer: Annotated[
        str, typer.Option("--proposer", help="Policy that proposes (see: list policies); stamped. [the tier's own]")
    ] = ""
    proposer_assignments: Annotated[
        Optional[list[str]],
        typer.Option("--proposer-set", metavar="KEY=VALUE", help="Change a setting of the policy (repeatable)."),
    ] = None
    suite: SuiteName = ""
    tier: Tier = ""
    split: Annotated[str, typer.Option("--split", help="validation, test or fresh; default: validation.")] = ""
    fresh_seed: Annotated[str, typer.Option("--fresh-seed", help="16 hex digits that fresh homes are made from.")] = ""
    episodes: Annotated[str, typer.Option("--episodes", help="How many (spread over homes), mini, or all. [24]")] = ""
    seed: Annotated[Optional[int], typer.Option("--seed", help="Run seed; never changes the episodes. [0]")] = None
    seeds: Annotated[str, typer.Option("--seeds", help="Several seeds, pooled: 0-4 or 0,2,7.")] = ""
    stop: Annotated[str, typer.Option("--stop", help="Who ends an episode: self or oracle; default: the tier's.")] = ""
    candidates: Annotated[
        Optional[int], typer.Option("--candidates", help="Search only so many candidates a decision; stamped. [all]")
    ] = None
    wm_share: Annotated[
        Optional[float], typer.Option("--wm-share", help="Share of decisions that ask the model; stamped. [1]")
    ] = None
    decision_seconds: Annotated[
        Optional[float],
        typer.Option("--decision-seconds", help="Thinking costs steps: seconds of a decision; stamped. [none]"),
    ] = None
    step_seconds: Annotated[
        Optional[float], typer.Option("--step-seconds", help="With --decision-seconds: seconds in which a step passes.")
    ] = None
    workers: Workers = None
    executor: ExecutorName = LOCAL
    address: Address = ""
    gpus: Gpus = 0.0
    batch_episodes: Annotated[
        Optional[float],
        typer.Option(
            "--batch-episodes",
            metavar="MS",
            help="One model for all workers: batch across episodes, waiting MS ms for more.",
        ),
    ] = None
    env_python: EnvPython = ""
    environment: Annotated[str, typer.Option("--environment", help="embedded or habitat; default: the suite's.")] = ""
    scenes: Annotated[str, typer.Option("--scenes", help="Habitat: folder of the scenes (homes are exported).")] = ""
    wm_python: WmPython = ""
    plugins: Plugins = None
    runtime: Runtime = "process"
    wm_image: WmImage = ""
    env_gpu: EnvGpu = ""
    wm_gpu: WmGpu = ""
    weights: Weights = ""
    assignments: Assignments = None
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


@dataclass(frozen=True)
class BankArguments:
    """The same of a measurement on a decision bank."""

    wm: Wm = ""
    task: Annotated[str, typer.Option("--task", help="Task of the suite.")] = FIRST_TASK
    suite: SuiteName = ""
    tier: Tier = ""
    against: Annotated[
        Optional[Path], typer.Option("--against", help="Another measurement on the same states, to be compared with.")
    ] = None
    file: Annotated[Optional[Path], typer.Option("--bank", help="Another bank file; default: the suite's.")] = None
    workers: Workers = None
    wm_python: WmPython = ""
    plugins: Plugins = None
    runtime: Runtime = "process"
    wm_image: WmImage = ""
    wm_gpu: WmGpu = ""
    weights: Weights = ""
    assignments: Assignments = None
    allow_uncarded: Annotated[
        bool, typer.Option("--allow-uncarded", help="Use weights without a complete card; stamped in the result.")
    ] = False
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Go on with the last measurement and ask again where it failed.")
    ] = False
    max_failures: MaxFailures = None
    timeout: Timeout = None
    start_timeout: StartTimeout = None
    out: Out = RUNS
    as_json: Json = False


@dataclass(frozen=True)
class CollectArguments:
    """What stands on the command line, as it was given; "" and None where it was not."""

    exp_id: Annotated[Optional[str], typer.Argument(help="Name of the data set: a folder of OUTPUT_DIR.")] = None
    output_dir: Annotated[Optional[Path], typer.Argument(help="Where data sets are.")] = None
    num_processes: Annotated[Optional[int], typer.Argument(help="Processes; never changes the data.")] = None
    suite: Annotated[
        str, typer.Option("--suite", help="Suite whose cameras are recorded; rlbench: demonstrations of an arm.")
    ] = "embedded"
    scenes: Annotated[
        str,
        typer.Option(
            "--scenes", help="Homes: NAME,FIRST:LAST,... or how many. Licensed: hm3d-train, folders. RLBench: tasks."
        ),
    ] = ""
    clips: Annotated[int, typer.Option("--clips", help="How many clips in all.")] = 50
    clip_frames: Annotated[
        Optional[int], typer.Option("--clip-frames", help="Frames of a clip, its first view included: 14.")
    ] = None
    seed: Annotated[int, typer.Option("--seed", help="Seed of all draws.")] = 0
    policy: Annotated[
        str,
        typer.Option("--policy", help="waypoints (the default), waypoints-upstream, random; several: dealt in turn."),
    ] = ""
    camera: Annotated[
        str,
        typer.Option(
            "--camera",
            help="Camera of the rig: front for perspective models, pano for panoramas. [front; published rig: pano]",
            show_default=False,
        ),
    ] = ""
    rig: Annotated[
        str, typer.Option("--rig", help="suite, or published: the published collection's panorama from 1.5 m.")
    ] = "suite"
    depth: Annotated[bool, typer.Option("--depth", help="Keep depth too (with --layout folders).")] = False
    keep_roofs: Annotated[bool, typer.Option("--keep-roofs", help="Habitat: walk on roofs too.")] = False
    layout: Annotated[str, typer.Option("--layout", help="lerobot, or folders of pictures.")] = "lerobot"
    split: Annotated[str, typer.Option("--split", help="train, or validation for choosing; never test.")] = "train"
    fps: Annotated[
        Optional[int], typer.Option("--fps", help="Frames per second that videos and tables claim: 10; RLBench: 20.")
    ] = None
    scenes_dir: Annotated[Optional[Path], typer.Option("--scenes-dir", help="Habitat: folder of the scenes.")] = None
    env_python: Annotated[str, typer.Option("--env-python", help="Habitat, RLBench: the interpreter.")] = ""
    env_gpu: Annotated[str, typer.Option("--env-gpu", help="Habitat: GPU that all processes share.")] = ""
    runtime: Annotated[
        str, typer.Option("--runtime", help="Habitat, RLBench: process, or docker with the project's image.")
    ] = "process"
    executor: ExecutorName = LOCAL
    address: Address = ""
    gpus: Gpus = 0.0
    check: Annotated[Optional[Path], typer.Option("--check", help="Check a data set and name its first bad clip.")] = (
        None
    )
    as_json: Json = False


@dataclass(frozen=True)
class PosttrainArguments:
    """What stands on the command line, as it was given; "" and None where it was not."""

    recipe: Annotated[str, typer.Argument(help="Recipe: its name (FTmini), or a TOML file.", show_default=False)] = ""
    data: Annotated[Optional[list[Path]], typer.Option("--data", help="Data set of training homes (repeatable).")] = (
        None
    )
    out: Annotated[
        Optional[Path], typer.Option("--out", help="Folder of the checkpoint; work is done in OUT.work beside it.")
    ] = None
    held_out: Annotated[
        Optional[list[Path]],
        typer.Option("--held-out", help="Data set of validation homes for the gate. [a tenth of the training homes]"),
    ] = None
    assignments: Annotated[
        Optional[list[str]], typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change the recipe (repeatable).")
    ] = None
    seed: Annotated[int, typer.Option("--seed", help="Seed of all draws.")] = 0
    weights: Annotated[
        str, typer.Option("--weights", help="Weights to begin with: random, or a path. [those of the model's base]")
    ] = ""
    smoke: Annotated[bool, typer.Option("--smoke", help="Try the whole path: few steps on few clips.")] = False
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what memory and time it would take.")] = False
    check: Annotated[
        Optional[Path], typer.Option("--check", help="Say whether a checkpoint uses its actions, on --data.")
    ] = None
    validate_every: Annotated[
        int,
        typer.Option(
            "--validate-every", min=0, help="Ask the decision bank every N steps, and keep the best checkpoint. [never]"
        ),
    ] = 0
    no_bank: Annotated[bool, typer.Option("--no-bank", help="Do not ask the decision bank at the end.")] = False
    plugins: Plugins = None
    as_json: Json = False


Options = TypeVar("Options")


def taking(options: type[Options]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the fields of ``options`` as its parameters, in order, in place of its last one.

    Each field has the type that Typer reads, an ``Annotated`` one, and a default. Parameters of the command before its
    last one stay its own, and are passed by name.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=field.default, annotation=kind)
        for field in fields(options)  # type: ignore[arg-type]
        for kind in (hints[field.name],)
    ]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]

        @functools.wraps(command)
        def called(*values: Any, **given: Any) -> int:
            kept = {parameter.name: given.pop(parameter.name) for parameter in own}
            return command(**kept, asked=options(*values, **given))

        shown = [*own, *parameters]
        called.__signature__ = inspect.Signature(shown, return_annotation=int)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in shown} | {"return": int}
        del called.__wrapped__  # Typer would read its hints, which know of no option
        return called

    return decorate


def words_of(options: object) -> list[str]:
    """Return the words of a command line that gives these options; what has its default is left out."""
    words: list[str] = []
    for field in fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if value == field.default:
            continue
        hint = get_type_hints(type(options), include_extras=True)[field.name].__metadata__[0]
        given = value if isinstance(value, list) else [value]
        if isinstance(hint, ArgumentInfo):
            words += [str(one) for one in given]
        else:
            # Typer takes the first of an annotation's names for its default until it reads the command
            flag = next(name for name in (hint.default, *hint.param_decls) if str(name).startswith("--"))
            words += [flag] if value is True else [f"{flag}={one}" for one in given]
    return words


class PassingGroup(TyperGroup):
    """A group of commands that hands every option given before a command on to that command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command with its name and arguments, the options given before it in front of its own."""
        name, command, rest = super().resolve_command(ctx, args)
        for option in self.params:
            source = ctx.get_parameter_source(option.name)
            if isinstance(option, TyperOption) and source is not None and source.name == "COMMANDLINE":
                rest = _passed(option, ctx.params[option.name], str(name), command, rest)
        return name, command, rest


def _passed(option: TyperOption, value: Any, name: str, command: Any, arguments: list[str]) -> list[str]:
    """Return the arguments of a command with an option before them; Refusal where neither it nor the command that
    they name has the option, or where they give another value."""
    flag = option.opts[0]
    if any(flag in known.opts for known in command.params):
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        single = not option.is_flag and not option.multiple
        if single and any(word == flag or word.startswith(f"{flag}=") for word in own):
            raise Refusal(f"{flag} is given before and after {name!r}.", "Give it once.")
        return [*_words(option, flag, value), *arguments]
    inner = command.commands.get(arguments[0]) if isinstance(command, TyperGroup) and arguments else None
    if inner is None:
        raise Refusal(
            f"{flag} is no option of {name!r}, before which it stands.",
            f"Leave it out, or see: python benchmark.py {name} --help",
        )
    return [arguments[0], *_passed(option, value, f"{name} {arguments[0]}", inner, arguments[1:])]


def _words(option: TyperOption, flag: str, value: Any) -> list[str]:
    """Return an option as it is written; one that can be repeated has several values."""
    if option.is_flag:
        return [flag]
    return [f"{flag}={one}" for one in (value if option.multiple else (value,))]
