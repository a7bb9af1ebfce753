"""`posttrain --check`: the gate on a checkpoint that is there, with data of the user's choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.contracts.errors import Refusal
from harness.contracts.from_plain import from_plain
from harness.posttraining import action_use
from harness.posttraining.clips import check_view, items_of
from harness.posttraining.finishing import bank_findings
from harness.posttraining.open_data import ANY, open_all
from harness.posttraining.optimizing import LossModule, adapt, settle_torch
from harness.posttraining.pipeline import make_accelerator, make_trainee, prepared
from harness.posttraining.plan import PAIR, Question, Tell, TrainingPlan
from harness.posttraining.recipe import Recipe
from harness.posttraining.sources import Base, check_packages, find_same_base, trainee_class
from harness.posttraining.workplace import TRAINING
from harness.worldmodels.cards import check_card
from harness.worldmodels.catalog import load_catalog


def check_checkpoint(
    folder: Path, data: Sequence[Path], plugins: Sequence[Path], bank: bool, work: Path, tell: Tell, weights: str = ""
) -> dict[str, Any]:
    """Return what the gate finds of the checkpoint in ``folder``, plain; nothing is written into it.

    ``weights`` says where those that an adapter was trained on are now; without it they are where they were.
    """
    plan = _plan(folder, data, plugins, weights, tell)
    settle_torch(plan.recipe.training)
    accelerator = make_accelerator(plan)
    trainee = make_trainee(plan, accelerator.device)
    adapt(trainee, plan.recipe)
    judged = action_use.chosen_items(plan.items, plan.question.seed)
    clips = prepared(plan, trainee, judged, work, accelerator.device, lambda d, t: tell("preparing clips", d, t))
    if plan.recipe.adapter is not None:
        trainee.restore_adapter(folder)
    model = LossModule(trainee)
    finding = action_use.judge(
        model, clips, judged, plan.question.seed, accelerator.device, accelerator.autocast,
        lambda done, total: tell("judging the use of actions", done, total),
    )  # fmt: skip
    found = finding.to_plain()
    return {**found, "bank": bank_findings(plan, folder, work, tell)} if bank else found


def _plan(folder: Path, data: Sequence[Path], plugins: Sequence[Path], weights: str, tell: Tell) -> TrainingPlan:
    """Return the plan that the checkpoint was made by, with other data and itself (or an adapter's base) as weights."""
    try:
        known = json.loads((folder / TRAINING).read_bytes())
        recipe = from_plain(Recipe, known["identity"]["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(
            f"{folder} is no checkpoint of posttrain: {TRAINING} cannot be read ({type(error).__name__}).",
            "Give the folder that posttrain wrote.",
        ) from error
    if not data:
        raise Refusal("--check needs clips to judge by: --data DIR.", "Collect some: --split validation.")
    if weights and recipe.adapter is None:
        raise Refusal(f"{folder} holds whole weights.", "Leave --weights out: they are those of an adapter's base.")
    check_card(folder)  # files or a card that were changed afterwards are not what was trained
    catalog = load_catalog(plugins)
    entry = catalog.find(recipe.model)
    check_packages(entry)
    trainee = trainee_class(recipe, entry)
    opened = open_all(
        data, recipe.data.frames, trainee.needs, recipe.model, ANY, lambda d, t: tell("hashing the data", d, t)
    )
    check_view(opened[0], entry.manifest.view, recipe.model)
    items = tuple(items_of(opened))
    if len(items) < PAIR:
        raise Refusal("one clip alone cannot be judged.", "Give more of them: --data DIR.")
    question = Question(known["recipe"], tuple(data), folder, plugins=tuple(plugins), seed=known["identity"]["seed"])
    base = Base(folder, str(folder))
    if recipe.adapter is not None:
        base = find_same_base(
            entry, catalog, known["identity"]["weights"], weights, lambda d, t: tell("reading the weights", d, t)
        )
    plan = TrainingPlan(question, recipe, known["recipe"], entry, trainee, base, items, items)
    return replace(plan, question=replace(question, smoke=bool(known.get("smoke"))))
