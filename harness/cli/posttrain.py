"""`posttrain`: data become a checkpoint with a card, by a recipe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import PosttrainArguments, taking, words_of
from harness.cli.console import print_json, say
from harness.cli.failures import telling_how_on
from harness.cli.live import SEPARATOR, LiveBar, clock
from harness.contracts.commands import FIRST_TASK, command
from harness.contracts.errors import Refusal

if TYPE_CHECKING:
    from harness.posttraining.pipeline import Outcome, Progress
    from harness.posttraining.plan import Question

EXAMPLE = "For example: python benchmark.py posttrain FTmini --data data/demo --out checkpoints/FTmini"


@taking(PosttrainArguments)
def posttrain_command(asked: PosttrainArguments) -> int:
    """Train a world model on collected data by a recipe. The same command goes on after an interruption."""
    if not asked.recipe or asked.out is None:
        missing = [name for name, given in (("RECIPE", asked.recipe), ("--out", asked.out)) if not given]
        raise Refusal(f"{' and '.join(missing)} missing.", EXAMPLE)
    from harness.cli.console import note
    from harness.posttraining.plan import make_plan
    from harness.posttraining.workplace import Workplace
    from harness.running.progress import PARTIAL_CODE

    again = command("posttrain", *words_of(asked))
    with TrainLine() as line:
        plan = make_plan(_question(asked, asked.recipe, asked.out), line.reading)
        if Workplace(asked.out).check(plan.identity()):
            return _complete(asked.out, plan.recipe.model, asked.as_json)
        from harness.posttraining.pipeline import train

        begun = time.monotonic()
        with telling_how_on(lambda ended: again):
            outcome = train(plan, words_of(asked), line)
    if outcome.stopped:
        note(f"PARTIAL: {outcome.steps}/{plan.recipe.training.steps} steps are done and saved; continue with  {again}")
        return PARTIAL_CODE
    return _told(asked.out, plan.recipe.model, outcome, time.monotonic() - begun, asked.as_json)


def _question(asked: PosttrainArguments, recipe: str, out: Path) -> Question:
    from harness.contracts.folders import absolute
    from harness.posttraining.plan import Question

    return Question(
        recipe=recipe,
        data=tuple(map(absolute, asked.data or ())),
        out=absolute(out),
        held_out=tuple(map(absolute, asked.held_out or ())),
        assignments=tuple(asked.assignments or ()),
        plugins=tuple(asked.plugins or ()),
        seed=asked.seed,
        weights=asked.weights,
        smoke=asked.smoke,
    )


def _complete(out: Path, model: str, as_json: bool) -> int:
    if as_json:
        print_json({"folder": str(out), "model": model, "fresh": False})
    else:
        say(f"{out} is complete already.")
        say(played_with(model, out))
    return 0


def _told(out: Path, model: str, outcome: Outcome, seconds: float, as_json: bool) -> int:
    if as_json:
        print_json({"folder": str(out), "model": model, "fresh": True, **outcome.facts})
        return 0
    say(f"{out}: {model} after {outcome.steps} steps, {clock(seconds)}")
    say(played_with(model, out))
    return 0


def played_with(model: str, out: Path) -> str:
    """Return the command that plays a checkpoint."""
    return f"play it: {command('--wm', model, '--task', FIRST_TASK, '--weights', str(out))}"


class TrainLine(LiveBar):
    """Called with every `Progress` of a training; shows how far it is."""

    def __call__(self, progress: Progress) -> None:
        self.show(describe(progress), progress.done, progress.total, progress.phase, progress.done == progress.total)

    def reading(self, doing: str, done: int, total: int) -> None:
        """Show how much of the data was read to be hashed, in bytes."""
        self.show(f"{doing}: {done / 1e9:.1f} of {total / 1e9:.1f} GB", done, total, doing)


def describe(progress: Progress) -> str:
    """Return one line: ``training · step 340/4000 · loss 0.0412 · 0.11 s/step · 3.2 GB · 6:42 left``."""
    counted = "step" if progress.loss is not None or progress.step_s is not None else ""
    parts = [progress.phase, f"{counted} {progress.done}/{progress.total}".strip()]
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4g}")
    if progress.step_s is not None:
        parts.append(f"{progress.step_s:.3g} s/step")
    if progress.memory_gb:
        parts.append(f"{progress.memory_gb:.1f} GB")
    if progress.eta_s is not None and progress.done < progress.total:
        parts.append(f"{clock(progress.eta_s)} left")
    return SEPARATOR.join(parts)
