"""What a training is: everything that decides its bytes, checked before anything heavy begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.collecting.split_guard import TRAIN, VALIDATION
from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.training import Trainee
from harness.posttraining.clips import ClipData, Item, check_alike, check_view, held_out, items_of, of_first_homes
from harness.posttraining.open_data import open_all
from harness.posttraining.recipe import SMOKE_CLIPS, SMOKE_JUDGED, Recipe, find_recipe, plain_recipe, read_recipe, smoke
from harness.posttraining.sources import Base, base_of_smoke, check_packages, find_base, trainee_class
from harness.posttraining.workplace import Workplace
from harness.worldmodels.catalog import CatalogEntry, load_catalog

PAIR = 2
"""Clips that exchange their actions when a model is judged."""

Tell = Callable[[str, int, int], None]
"""Called with what goes on and how much of it is done, of how much."""


@dataclass(frozen=True)
class Question:
    """What the user asks for; see docs/posttraining.md."""

    recipe: str
    data: tuple[Path, ...]
    out: Path
    held_out: tuple[Path, ...] = ()
    assignments: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    seed: int = 0
    weights: str = ""
    smoke: bool = False
    validate_every: int = 0
    bank: bool = True


@dataclass(frozen=True)
class TrainingPlan:
    """A question that can be carried out: ``items`` are trained on, ``held_out`` judges what came of it."""

    question: Question
    recipe: Recipe
    recipe_name: str
    entry: CatalogEntry
    trainee: type[Trainee]
    base: Base
    items: tuple[Item, ...]
    held_out: tuple[Item, ...]

    def identity(self) -> dict[str, Any]:
        """Return all that decides the bytes of the checkpoint, plain."""
        return {
            "recipe": plain_recipe(self.recipe),
            "data": {item.data.name: item.data.sha256 for item in self.items},
            "held_out": {item.data.name: item.data.sha256 for item in self.held_out},
            "clips": len(self.items),
            "seed": self.question.seed,
            "weights": self.base.identity,
            "validate_every": self.question.validate_every,
        }


def make_plan(question: Question, tell: Tell = lambda *_: None) -> TrainingPlan:
    """Return what will be trained; every wrong word, missing package, part or column raises Refusal."""
    catalog = load_catalog(question.plugins)
    file = find_recipe(question.recipe, catalog)
    recipe, _ = read_recipe(file, question.assignments)
    recipe = smoke(recipe) if question.smoke else recipe
    entry = catalog.find(recipe.model)
    _check_data(question)
    check_packages(entry)
    trainee = trainee_class(recipe, entry)
    place = Workplace(question.out)
    place.check_apart([*question.data, *question.held_out, *([absolute(question.weights)] if question.weights else [])])
    find = base_of_smoke if question.smoke else find_base
    base = find(entry, catalog, question.weights, lambda done, total: tell("reading the weights", done, total))
    if question.validate_every:
        from harness.posttraining.bank_regret import check_asked

        check_asked(recipe.model, question.plugins)
    items, kept = choose_items(question, recipe, trainee.needs, tell)
    check_view(items[0].data, entry.manifest.view, recipe.model)
    return TrainingPlan(question, recipe, file.stem, entry, trainee, base, items, kept)


def choose_items(
    question: Question, recipe: Recipe, needs: frozenset[str], tell: Tell
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return the windows to train on and those held out: of validation homes where the user gives such data."""

    def hashing(done: int, total: int) -> None:
        tell("hashing the data", done, total)

    wanted = recipe.data.frames, needs, recipe.model
    data = open_all(question.data, *wanted, TRAIN, hashing)
    judging = open_all(question.held_out, *wanted, VALIDATION, hashing) if question.held_out else ()
    _check_names([*data, *judging])
    check_alike([*data, *judging])
    items, kept = items_of(data), items_of(judging)
    if not judging:
        items, kept = held_out(items, question.seed)
    items = of_first_homes(items, recipe.data.homes)
    if question.smoke:
        items, kept = items[:SMOKE_CLIPS], kept[:SMOKE_JUDGED]
    if len(kept) < PAIR:
        raise Refusal("one held-out clip alone cannot be judged.", "Give more of them: --held-out DIR.")
    return tuple(items), tuple(kept)


def _check_data(question: Question) -> None:
    if not question.data:
        raise Refusal("posttrain needs data: --data DIR.", "Make some: python benchmark.py collect demo data/ 2")


def _check_names(data: Sequence[ClipData]) -> None:
    """Raise Refusal where two data sets have one name: a card could not tell them apart."""
    seen: dict[str, ClipData] = {}
    for each in data:
        other = seen.setdefault(each.name, each)
        if other is not each:
            raise Refusal(
                f"two data sets are called {each.name!r}: {other.folder} and {each.folder}.",
                "Give each once, and collect them under names that differ.",
            )
