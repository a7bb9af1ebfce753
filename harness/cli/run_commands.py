"""The commands that play: what their options ask for, checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import BankArguments, PlayArguments, taking
from harness.contracts.commands import FIRST_TASK, command
from harness.contracts.errors import Refusal
from harness.running.cluster import Cluster, choose_cluster

if TYPE_CHECKING:
    from harness.running.run_options import RunOptions

_LISTS = ("plugins", "assignments", "proposer_assignments")
EXAMPLE = "For example: python benchmark.py bank --wm warp"


def begin(asked: PlayArguments, given: Mapping[str, Any]) -> int:
    """Do what was asked and return the exit code; ``given`` are the options on the command line, name -> value."""
    if asked.resume is not None:
        from harness.cli import play
        from harness.running.continuing import Continuation, check_options

        check_options(given)
        runtime = asked.runtime if "--runtime" in given else ""
        cluster = choose_cluster(asked.executor, asked.address, asked.gpus)
        continuation = Continuation(**{**_shared(Continuation, asked), "runtime": runtime, "cluster": cluster})
        return play.resume(asked.resume, continuation, asked.retry_errors, asked.as_json)
    _check(asked)
    from harness.cli import play

    cluster = choose_cluster(asked.executor, asked.address, asked.gpus)
    options = _run_options(asked, seeds=asked.seeds or str(asked.seed or 0), cluster=cluster)
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
        raise Refusal(
            f"{' and '.join(missing)} missing.", f"For example: {command('--wm', 'gtsim', '--task', FIRST_TASK)}"
        )
    if asked.seed is not None and asked.seeds:
        raise Refusal("--seed and --seeds exclude each other.", "Give one of them.")


@taking(BankArguments)
def bank_command(asked: BankArguments) -> int:
    """Ask a world model in frozen decisions: how many metres do its choices lose? No simulator, in minutes.

    The same command goes on where an interrupted one stopped.
    """
    if not asked.wm and not asked.wm_image:
        raise Refusal("--wm missing.", EXAMPLE)
    from harness.cli.bank_measurement import measure

    options = _run_options(asked, task=asked.task, split="validation", episodes="all", stop="oracle")
    return measure(options, asked.out, asked.file, asked.against, asked.as_json, asked.retry_errors)


def _run_options(asked: PlayArguments | BankArguments, cluster: Cluster | None = None, **own: str) -> RunOptions:
    """Return the options of a run as they were given, and those that are the command's ``own``.

    On a cluster the default is as many workers as it has room for.
    """
    from harness.running.run_options import MAX_WORKERS, RunOptions, default_workers
    from harness.worldmodels.preparing import Choice

    choice = Choice(tuple(asked.assignments or ()), asked.weights, asked.allow_uncarded)
    usual = default_workers() if cluster is None else MAX_WORKERS
    workers = usual if asked.workers is None else asked.workers
    found = {**_shared(RunOptions, asked), "workers": workers, "choice": choice, "cluster": cluster}
    return RunOptions(**{**found, **own})


def _shared(kind: type, asked: PlayArguments | BankArguments) -> dict[str, Any]:
    """Return the fields of ``kind`` that the command line has under the same names."""
    from harness.running.plan import Patience

    found: dict[str, Any] = {"patience": Patience(asked.max_failures, asked.timeout, asked.start_timeout)}
    for field in fields(kind):
        if hasattr(asked, field.name):
            value = getattr(asked, field.name)
            found[field.name] = tuple(value or ()) if field.name in _LISTS else value
    return found
