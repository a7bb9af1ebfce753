"""What a training is: everything that decides its bytes, checked before anything heavy begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.collecting.split_guard import TRAIN, VALIDATION
from harness.contracts.errors import Refusal
from harness.contracts.training import Trainee
from harness.posttraining.clips import ClipData, plain_data
from harness.posttraining.open_data import open_all
from harness.posttraining.recipe import SMOKE_CLIPS, Recipe, find_recipe, plain_recipe, read_recipe, smoke
from harness.posttraining.sources import Base, check_packages, find_base, trainee_class
from harness.worldmodels.catalog import CatalogEntry, load_catalog

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


@dataclass(frozen=True)
class TrainingPlan:
    """A question that can be carried out."""

    question: Question
    recipe: Recipe
    recipe_name: str
    entry: CatalogEntry
    trainee: type[Trainee]
    base: Base
    data: tuple[ClipData, ...]
    held_out: tuple[ClipData, ...]

    def identity(self) -> dict[str, Any]:
        """Return all that decides the bytes of the checkpoint, plain; what other data or settings would change."""
        return {
            "recipe": plain_recipe(self.recipe),
            "data": {data.name: data.sha256 for data in self.data},
            "held_out": {data.name: data.sha256 for data in self.held_out},
            "seed": self.question.seed,
            "weights": self.base.name,
            "smoke": self.question.smoke,
        }

    def training_data(self) -> list[dict[str, Any]]:
        """Return the entries of the card's training data."""
        return [plain_data(data, len(data.windows)) for data in self.data]


def make_plan(question: Question, tell: Tell = lambda *_: None) -> TrainingPlan:
    """Return what will be trained; every wrong word, missing package, part or column raises Refusal."""
    catalog = load_catalog(question.plugins)
    file = find_recipe(question.recipe, catalog)
    recipe, _ = read_recipe(file, question.assignments)
    recipe = smoke(recipe) if question.smoke else recipe
    entry = catalog.find(recipe.model)
    if not question.data:
        raise Refusal("posttrain needs data: --data DIR.", "Make some: python benchmark.py collect demo data/ 2")
    names = [folder.resolve().name for folder in (*question.data, *question.held_out)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Refusal(f"two data sets are called {twice!r}.", "Give each once, under names that differ.")
    check_packages(entry)
    trainee = trainee_class(recipe, entry)
    base = find_base(entry, catalog, question.weights)

    def hashing(done: int, total: int) -> None:
        tell("hashing the data", done, total)

    frames, needs = recipe.data.frames, trainee.needs
    data = open_all(question.data, frames, needs, recipe.model, TRAIN, hashing)
    held_out: Sequence[ClipData] = ()
    if question.held_out:
        held_out = open_all(question.held_out, frames, needs, recipe.model, VALIDATION, hashing)
    if question.smoke:
        for each in (*data, *held_out):
            each.windows = each.windows[:SMOKE_CLIPS]
    return TrainingPlan(question, recipe, file.stem, entry, trainee, base, data, tuple(held_out))
