"""A training from its plan to its checkpoint: prepare, train, save, describe."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import torch
from accelerate import Accelerator

from harness.contracts.commands import command
from harness.contracts.digest import digest
from harness.contracts.training import LOSS
from harness.posttraining.card import Facts, write_card
from harness.posttraining.optimizing import arrange, settle_torch
from harness.posttraining.plan import TrainingPlan
from harness.posttraining.preparing import Eta, Place, items_of, prepare_all, prompts_of
from harness.posttraining.recipe import BF16
from harness.posttraining.training import Entry, Trainer
from harness.posttraining.workplace import PREPARED, TRAINING, Workplace, plain_bytes
from harness.records.provenance import git_commit, hardware, versions

PREPARING, TRAINING_NOW, SAVING = "preparing clips", "training", "saving"
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Progress:
    """What a training does now: ``done`` of ``total`` clips or steps; ``loss`` is the mean of the last ones."""

    phase: str
    done: int
    total: int
    loss: Optional[float] = None
    step_s: Optional[float] = None
    memory_gb: float = 0.0
    eta_s: Optional[float] = None


@dataclass(frozen=True)
class Outcome:
    """How a training ended: ``steps`` done, whether the user ``stopped`` it, and what ``training.json`` says."""

    steps: int
    stopped: bool
    facts: dict[str, Any]


Told = Callable[[Progress], None]


def train(plan: TrainingPlan, words: Sequence[str], told: Told = lambda _: None) -> Outcome:
    """Train to the end, or on from where an interrupted training stopped; ``words`` are those of the command."""
    place = Workplace(plan.question.out)
    with place.locked(plan.identity()):
        return _train(plan, place, words, told)


def _train(plan: TrainingPlan, place: Workplace, words: Sequence[str], told: Told) -> Outcome:
    recipe, question = plan.recipe, plan.question
    settle_torch(recipe.training)
    torch.manual_seed(question.seed)
    accelerator = make_accelerator(plan)
    trainee = plan.trainee(
        plan.entry.manifest, recipe.settings, plan.base.path, accelerator.device, question.seed
    )  # fmt: skip
    arrange(trainee, recipe)
    eta = Eta()

    def preparing(done: int, total: int) -> None:
        told(Progress(PREPARING, done, total, eta_s=eta.left_s(done, total)))

    made_with = digest([recipe.trainee, dict(recipe.settings), recipe.data.frames, plan.base.name])
    keep = Place(recipe.training.keep, accelerator.device, place.work / PREPARED, made_with)
    clips = prepare_all(trainee, items_of(plan.data), keep, prompts_of(plan.entry.manifest), preparing)
    trainer = Trainer(trainee, recipe, clips, question.seed, accelerator, place.work)
    pace, total = Eta(), recipe.training.steps
    pace.left_s(trainer.step, total)

    def entered(entry: Entry) -> None:
        told(
            Progress(
                TRAINING_NOW, entry.step, total, entry.losses[LOSS], entry.step_s, entry.memory_gb,
                pace.left_s(entry.step, total),
            )
        )  # fmt: skip

    told(Progress(TRAINING_NOW, trainer.step, total, trainer.curve.last_loss()))
    finished = trainer.run(entered)
    if not accelerator.is_main_process:
        return Outcome(trainer.step, not finished, {})
    facts = _facts(plan, trainer, words)
    if finished:
        told(Progress(SAVING, total, total))
        aside = place.fresh("result")
        trainee.save(aside)
        write_card(aside, _card(plan, facts))
        (aside / TRAINING).write_bytes(plain_bytes(facts))
        place.finish(aside)
        shutil.rmtree(place.work / PREPARED, ignore_errors=True)
    return Outcome(trainer.step, not finished, facts)


def make_accelerator(plan: TrainingPlan) -> Any:
    """Return what places and wraps the model: on the GPU where there is one, in as many processes as were launched."""
    training = plan.recipe.training
    return Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="bf16" if training.precision == BF16 else "no",
        gradient_accumulation_steps=training.accumulate,
    )


def _facts(plan: TrainingPlan, trainer: Trainer, words: Sequence[str]) -> dict[str, Any]:
    """Return what ``training.json`` says."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else hardware()["cpu"]
    return {
        "identity": plan.identity(),
        "recipe": plan.recipe_name,
        "model": plan.recipe.model,
        "steps": trainer.step,
        "data": plan.training_data(),
        "curve": trainer.curve.entries,
        "made": {
            "command": command("posttrain", *words),
            "commit": git_commit(CHECKOUT),
            "versions": versions(),
            "device": device,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }


def _card(plan: TrainingPlan, facts: dict[str, Any]) -> Facts:
    manifest, made = plan.entry.manifest, facts["made"]
    return Facts(
        model=manifest.name,
        licence=manifest.licence,
        base=manifest.base_checkpoint.source or manifest.base,
        recipe=plan.recipe_name,
        settings=plan.recipe,
        data=facts["data"],
        steps=facts["steps"],
        seed=plan.question.seed,
        weights_from=plan.base.name,
        commit=made["commit"],
        versions=made["versions"],
        device=made["device"],
        command=made["command"],
    )
