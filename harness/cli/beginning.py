"""What the main command's options ask for: a run that is continued, one that is planned alone, or one that is played.

Words that contradict each other are refused before anything heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.cli.play_arguments import PlayArguments
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.running.continuing import Continuation
    from harness.running.plan import Patience
    from harness.running.run_options import RunOptions


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
