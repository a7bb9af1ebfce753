"""A training from its plan to its checkpoint: prepare, train, validate, judge, describe."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from safetensors import SafetensorError
from torch.distributed.fsdp import MixedPrecisionPolicy

from harness.contracts.digest import digest
from harness.contracts.errors import Refusal
from harness.contracts.training import Trainee
from harness.posttraining import action_use
from harness.posttraining.clips import Item
from harness.posttraining.finishing import bank_findings, bank_job, facts_of, finish
from harness.posttraining.optimizing import LossModule, adapt, arrange, settle_torch
from harness.posttraining.plan import TrainingPlan
from harness.posttraining.preparing import Eta, Place, Prepared, Preparing, prepare_all, prompts_of
from harness.posttraining.recipe import BF16, DISK
from harness.posttraining.state import put_part, writing_tensors
from harness.posttraining.training import LOG_EVERY, Entry, Trainer, paces
from harness.posttraining.validation import WEIGHTS, Validation
from harness.posttraining.workplace import BANK, PREPARED, VALIDATION, Workplace, copy_files

VALIDATION_STATES = 4
"""States of each home that a candidate is asked in: half of the bank."""

VALIDATION_EPISODES = 24
"""Validation episodes that a candidate plays: what its regret is worth in closed loop."""


@dataclass(frozen=True)
class Progress:
    """What a training does now: ``done`` of ``total``; in the loop these are steps, and the last entry is told too."""

    phase: str
    done: int
    total: int
    entry: Optional[Entry] = None
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
    accelerator = make_accelerator(plan)
    with place.locked(plan.identity()) if accelerator.is_main_process else _nothing():
        accelerator.wait_for_everyone()
        return _Session(plan, place, accelerator, told).run(list(words))


class _Session:
    """One training as it goes on in one process."""

    def __init__(self, plan: TrainingPlan, place: Workplace, accelerator: Any, told: Told) -> None:
        self._plan, self._place, self._accelerator = plan, place, accelerator
        self._told = told if accelerator.is_main_process else lambda _: None
        self._etas: dict[str, Eta] = {}
        settle_torch(plan.recipe.training)
        self._trainee = make_trainee(plan, accelerator.device)

    def run(self, words: list[str]) -> Outcome:
        """Train; return how it ended."""
        plan, place, trainee = self._plan, self._place, self._trainee
        judged = action_use.chosen_items(plan.held_out, plan.question.seed)
        adapt(trainee, plan.recipe)
        clips, kept = self._prepare(plan.items, "clips"), self._prepare(judged, "held-out clips")
        arrange(trainee, plan.recipe)
        trainer = Trainer(trainee, plan.recipe, clips, plan.question.seed, self._accelerator, place.work)
        validation = self._validation()
        finished = False
        try:
            finished = self._loop(trainer, validation)
        finally:
            if validation is not None and not finished:
                validation.stop()
        if not finished:
            return Outcome(trainer.step, True, {})
        best = self._best(trainer, validation)
        part = trainer.part()
        finding = action_use.judge(
            trainer.model, kept, judged, plan.question.seed, self._accelerator.device, self._accelerator.autocast,
            lambda done, total: self._tell("judging the use of actions", done, total),
            1 if plan.question.smoke else action_use.MOST_DRAWS,
        )  # fmt: skip
        if not self._accelerator.is_main_process:
            return Outcome(trainer.step, False, {})
        facts = {**facts_of(plan, trainer.step, words), "curve": trainer.curve.entries}
        result, last = place.fresh("result"), None
        if validation is None:
            self._export(part, result)
        else:
            copy_files(validation.place(best) / WEIGHTS, result)
            last = validation.place(max(validation.steps())) / WEIGHTS
            facts["validation"] = {
                "curve": validation.to_plain(), "best": best, **trainer.clock.to_plain(), **paces(trainer.curve.entries)
            }  # fmt: skip
        facts["action_use"] = finding.to_plain()
        if plan.question.bank:
            facts["action_use"]["bank"] = bank_findings(plan, result, place.work / BANK, self._tell)
        finish(plan, place, result, facts, last)
        for name in (PREPARED, VALIDATION, BANK):
            shutil.rmtree(place.work / name, ignore_errors=True)
        return Outcome(trainer.step, False, facts)

    def _export(self, part: Mapping[str, Any], folder: Path) -> None:
        """Save the model; one whose parameters lie in pieces on several devices is put together on the CPU first."""
        trainee = self._trainee
        if self._accelerator.distributed_type == DistributedType.FSDP:
            trainee = make_trainee(self._plan, torch.device("cpu"))
            adapt(trainee, self._plan.recipe)
            put_part(LossModule(trainee), part)
        with writing_tensors(folder):
            trainee.save(folder)

    def _prepare(self, items: Sequence[Item], what: str) -> Prepared:
        folder = self._place.work / PREPARED / what.partition(" ")[0]
        phase = f"preparing {what}"

        def told(done: int, total: int) -> None:
            self._tell(phase, done, total)

        on_disk = self._plan.recipe.training.keep == DISK  # there one process writes what all read
        with self._accelerator.main_process_first() if on_disk else _nothing():
            return prepared(self._plan, self._trainee, items, folder, self._accelerator.device, told)

    def _validation(self) -> Optional[Validation]:
        plan, work = self._plan, self._place.work
        if not plan.question.validate_every:
            return None

        def job_of(weights: Path) -> Any:
            out = work / VALIDATION / "runs"
            episodes = 2 if plan.question.smoke else VALIDATION_EPISODES
            return bank_job(plan, plan.recipe.model, str(weights), out, VALIDATION_STATES, episodes)

        return Validation(work / VALIDATION, plan.question.validate_every, job_of)

    def _loop(self, trainer: Trainer, validation: Optional[Validation]) -> bool:
        total = self._plan.recipe.training.steps
        self._tell("training", trainer.step, total)

        def entered(entry: Entry) -> None:
            self._tell("training", entry.step, total, entry)

        def stepped(step: int) -> None:
            if validation is None:
                return
            if step % validation.every == 0 or step == total:
                part = trainer.part()
                if self._accelerator.is_main_process:
                    validation.offer(step, part, self._export)
            if step % LOG_EVERY == 0 and self._accelerator.is_main_process:
                validation.poll()

        return trainer.run(entered, stepped, None if validation is None else validation.busy)

    def _best(self, trainer: Trainer, validation: Optional[Validation]) -> int:
        """Return the step of the result, whose weights the model has from now on."""
        if validation is None:
            return trainer.step
        best = torch.zeros(1, dtype=torch.int64, device=self._accelerator.device)
        if self._accelerator.is_main_process:
            validation.wait(lambda done, total: self._tell("validating", done, total))
            best += validation.best()
        if self._accelerator.num_processes > 1:
            torch.distributed.broadcast(best, 0)
        put_part(trainer.model, validation.part(int(best.item())))
        return int(best.item())

    def _tell(self, phase: str, done: int, total: int, entry: Optional[Entry] = None) -> None:
        left = self._etas.setdefault(phase, Eta()).left_s(done, total)
        self._told(Progress(phase, done, total, entry, left))


def make_accelerator(plan: TrainingPlan) -> Any:
    """Return what places and wraps the model: on the GPU where there is one, in as many processes as were launched."""
    training = plan.recipe.training
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="bf16" if training.precision == BF16 and torch.cuda.is_available() else "no",
        gradient_accumulation_steps=training.accumulate,
    )
    sharding = accelerator.state.fsdp_plugin if accelerator.distributed_type == DistributedType.FSDP else None
    if sharding is not None and isinstance(sharding.mixed_precision_policy, MixedPrecisionPolicy):
        # FSDP casts a block's inputs when it is called, but not when gradient checkpointing computes it again; autocast
        # does both alike.
        policy = replace(sharding.mixed_precision_policy, cast_forward_inputs=False)
        sharding.mixed_precision_policy = policy
    return accelerator


def make_trainee(plan: TrainingPlan, device: Any) -> Trainee:
    """Return the model of a plan as it is trained, with the weights that it begins with."""
    seed = plan.question.seed
    torch.manual_seed(seed)
    try:
        return plan.trainee(plan.entry.manifest, plan.recipe.settings, plan.base.path, device, seed)
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        raise Refusal(
            f"{plan.recipe.trainee} cannot begin with the weights {plan.base.name} and the settings "
            f"{dict(plan.recipe.settings)}: {type(error).__name__}: {error}",
            f"Give weights and settings that {plan.recipe.model} is made for.",
        ) from error


def prepared(
    plan: TrainingPlan, trainee: Trainee, items: Sequence[Item], folder: Path, device: Any,
    tell: Preparing = lambda *_: None,
) -> Prepared:  # fmt: skip
    """Return clips as the trainee of a plan prepares them, kept where its recipe says (on disk in ``folder``)."""
    recipe = plan.recipe
    made_with = digest([recipe.trainee, dict(recipe.settings), recipe.data.frames, plan.base.identity])
    place = Place(recipe.training.keep, device, folder, made_with)
    return prepare_all(trainee, items, place, prompts_of(plan.entry.manifest), tell)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
