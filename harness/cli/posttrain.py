"""`posttrain`: data become a checkpoint with a card, by a recipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import PosttrainArguments, taking, words_of
from harness.cli.console import note, print_json, say
from harness.cli.failures import telling_how_on
from harness.cli.live import SEPARATOR, LiveBar, clock
from harness.contracts.commands import command
from harness.contracts.errors import Refusal
from harness.contracts.training import LOSS

if TYPE_CHECKING:
    from harness.posttraining.estimate import Estimate
    from harness.posttraining.pipeline import Outcome, Progress
    from harness.posttraining.plan import Question, TrainingPlan

STAMPED = "stamped ignores-actions"
EXAMPLE = "For example: python benchmark.py posttrain FTmini --data data/demo --out checkpoints/FTmini"


@taking(PosttrainArguments)
def posttrain_command(asked: PosttrainArguments) -> int:
    """Train a world model on collected data by a recipe, or check a checkpoint. The same command goes on."""
    if asked.check is not None:
        return check(asked, asked.check)
    if not asked.recipe or asked.out is None:
        missing = [name for name, given in (("RECIPE", asked.recipe), ("--out", asked.out)) if not given]
        raise Refusal(f"{' and '.join(missing)} missing.", EXAMPLE)
    from harness.posttraining.plan import make_plan
    from harness.posttraining.workplace import Workplace

    with TrainLine() as line:
        plan = make_plan(_question(asked, asked.recipe, asked.out), line.reading)
        if plan.base.missing:
            note(f"{plan.base.missing} This smoke begins with random ones.")
        if asked.dry:
            return dry_run(plan, asked.as_json)
        if Workplace(plan.question.out).check(plan.identity()):
            return _complete(asked.out, plan, asked.as_json)
        return _trained(plan, asked, line)


def _trained(plan: TrainingPlan, asked: PosttrainArguments, line: TrainLine) -> int:
    from harness.posttraining.pipeline import train
    from harness.running.progress import PARTIAL_CODE

    again = command("posttrain", *words_of(asked))
    begun = time.monotonic()
    with telling_how_on(lambda ended: again):
        outcome = train(plan, words_of(asked), line)
    line.close()
    if outcome.stopped:
        steps = f"{outcome.steps}/{plan.recipe.training.steps} steps are done and saved"
        note(f"PARTIAL: {steps}; continue with  {again}")
        return PARTIAL_CODE
    if not outcome.facts:  # another process of the same training says how it ended
        return 0
    return _told(plan.question.out, plan, outcome, time.monotonic() - begun, asked.as_json)


def dry_run(plan: TrainingPlan, as_json: bool) -> int:
    """Say what a training would take; nothing is written."""
    from harness.posttraining.estimate import estimate

    found = estimate(plan)
    if as_json:
        print_json(found.to_plain())
        return 0
    for text in estimate_lines(plan, found):
        say(text)
    return 0


def estimate_lines(plan: TrainingPlan, found: Estimate) -> list[str]:
    """Return an estimate for people."""
    counts = f"{found.parameters:,}, {found.trained:,} of them trained"
    return [
        f"{plan.recipe.model} by the recipe {plan.recipe_name}, from {plan.base.name}, on {found.device}",
        f"clips    {found.clips} to train on, {found.held_out} held out; prepared in {clock(found.prepare_s)}, "
        f"{found.prepared_gb:.2f} GB kept on {found.keep}",
        f"memory   {found.peak_gb:.2f} GB at most in a step: parameters {found.parameters_gb:.2f} ({counts}), "
        f"gradients {found.gradients_gb:.2f}, optimizer {found.optimizer_gb:.2f}",
        f"time     {clock(found.total_s)}: {found.steps} steps of {found.step_s:.3g} s",
    ]


def check(asked: PosttrainArguments, folder: Path) -> int:
    """Say whether a checkpoint uses its actions; return 1 where it does not."""
    import tempfile

    odd = words_of(replace(asked, check=None, data=None, weights="", plugins=None, no_bank=False, as_json=False))
    if odd:
        raise Refusal(f"--check takes no {odd[0]}: a checkpoint says how it was trained.", "Leave it out.")
    from harness.contracts.folders import absolute
    from harness.posttraining.checking import check_checkpoint

    data, plugins = tuple(map(absolute, asked.data or ())), tuple(asked.plugins or ())
    with tempfile.TemporaryDirectory() as work, TrainLine() as line:
        found = check_checkpoint(
            absolute(folder), data, plugins, not asked.no_bank, Path(work), line.phase, asked.weights
        )
    if asked.as_json:
        print_json(found)
    else:
        for text in verdict_lines(found):
            say(text)
    return 0 if found["uses_actions"] else 1


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
        validate_every=asked.validate_every,
        bank=not asked.no_bank,
    )


def _complete(out: Path, plan: TrainingPlan, as_json: bool) -> int:
    if as_json:
        print_json({"folder": str(out), "model": plan.recipe.model, "fresh": False})
    else:
        say(f"{out} is complete already.")
        say(played_with(plan, out))
    return 0


def _told(out: Path, plan: TrainingPlan, outcome: Outcome, seconds: float, as_json: bool) -> int:
    if as_json:
        print_json({"folder": str(out), "model": plan.recipe.model, "fresh": True, **outcome.facts})
        return 0
    say(f"{out}: {plan.recipe.model} after {outcome.steps} steps, {clock(seconds)}")
    for line in verdict_lines(outcome.facts["action_use"]):
        say(line)
    say(played_with(plan, out))
    return 0


def verdict_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what the gate found, for people."""
    verdict = "uses its actions" if found["uses_actions"] else f"NOT SHOWN TO USE ITS ACTIONS, runs are {STAMPED}"
    losses = ", ".join(f"{name} {metric['value']:.4g}" for name, metric in found["loss"].items())
    difference = found["shuffled_minus_correct"]
    interval = [f"{difference[name]:.3g}" if difference[name] is not None else "n/a" for name in ("low", "high")]
    lines = [
        f"{verdict}: loss by actions on {found['clips']} held-out clips of {found['homes']} "
        f"home{'s' * (found['homes'] != 1)}: {losses}; "
        f"shuffled minus correct {difference['value']:.3g} [{', '.join(interval)}]"
    ]
    bank = found.get("bank")
    if bank and "regret_m" in bank:
        regrets = ", ".join(f"{name} {metric['value']:.3f} m" for name, metric in bank["regret_m"].items())
        lines.append(f"regret in {bank['states']} states of the decision bank: {regrets}")
    return [*lines, *(f"not asked in the decision bank: {why}" for why in (bank or {}).get("left_out", ()))]


def played_with(plan: TrainingPlan, out: Path) -> str:
    """Return the command that plays a checkpoint, in a task that its model can play."""
    from harness.running.compatibility import place_of

    task = place_of(plan.entry).task
    return f"play it: {command('--wm', plan.recipe.model, '--task', task, '--weights', str(out))}"


class TrainLine(LiveBar):
    """Called with every `Progress` of a training; shows how far it is."""

    def __call__(self, progress: Progress) -> None:
        self.show(describe(progress), progress.done, progress.total, progress.phase, progress.done == progress.total)

    def phase(self, doing: str, done: int, total: int) -> None:
        """Show how much is done of what goes on."""
        self.show(f"{doing} · {done}/{total}", done, total, doing, done == total)

    def reading(self, doing: str, done: int, total: int) -> None:
        """Show how much of the data was read to be hashed, in bytes."""
        self.show(f"{doing}: {done / 1e9:.1f} of {total / 1e9:.1f} GB", done, total, doing)


def describe(progress: Progress) -> str:
    """Return one line: ``training · step 340/4000 · loss 0.0412 · 0.11 s/step · 3.2 GB · 6:42 left``."""
    entry = progress.entry
    parts = [progress.phase, f"{'step ' if entry else ''}{progress.done}/{progress.total}"]
    if entry is not None:
        parts += [f"loss {entry.losses[LOSS]:.4g}", f"{entry.step_s:.3g} s/step"]
        parts += [f"{entry.memory_gb:.1f} GB"] if entry.memory_gb else []
    if progress.eta_s is not None and progress.done < progress.total:
        parts.append(f"{clock(progress.eta_s)} left")
    return SEPARATOR.join(parts)
