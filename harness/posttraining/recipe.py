"""Recipes: how one model of the catalog is post-trained, read from a TOML file in its family's folder.

A recipe is ``wm_plugins/<family>/recipes/<NAME>.toml``, so that a post-trainable model is still one folder; a path to a
file of one's own does as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Optional

from harness.contracts.digest import digest, to_plain
from harness.contracts.errors import Refusal
from harness.contracts.field_limits import (
    MAX_FRAMES,
    MAX_NUMBERS,
    Few,
    Given,
    Name,
    NotNegative,
    Number,
    Text,
    Whole,
    Word,
)
from harness.contracts.folders import absolute
from harness.contracts.manifests import Setting
from harness.contracts.names import nearest
from harness.contracts.wrong_fields import checked
from harness.worldmodels.catalog import Catalog, CatalogEntry
from harness.worldmodels.file_limits import parse_toml

FOLDER, SUFFIX = "recipes", ".toml"
CONSTANT, COSINE = "constant", "cosine"
ADAMW, ADAMW_8BIT, ADAFACTOR = "adamw", "adamw-8bit", "adafactor"
FP32, BF16 = "fp32", "bf16"
DEVICE, MEMORY, DISK = "device", "memory", "disk"
LORA = "lora"
MAX_STEPS = 10**8

Positive = Annotated[float, Number(above=0.0)]
Some = Annotated[int, Whole(1, MAX_STEPS)]


@dataclass(frozen=True)
class DataRecipe:
    """``frames`` of a window: one more than its actions. ``homes`` trained on: the first so many by name (0: all)."""

    frames: Annotated[int, Whole(2, MAX_FRAMES)]
    homes: Annotated[int, Whole(0, MAX_STEPS)] = 0


@dataclass(frozen=True)
class TrainingRecipe:
    """Numbers of the training loop.

    A step takes ``batch_size`` clips ``accumulate`` times, over all processes together. The learning rate rises for
    ``warmup_steps`` and then stays (``constant``) or falls to zero (``cosine``). ``precision`` is that of a GPU: a CPU,
    where bf16 is slower, computes in fp32. ``keep`` says where prepared clips stay. ``threads`` of the CPU are fixed,
    since their number changes the last bits of sums; ``deterministic`` asks torch for the same of a GPU, where that is
    slower.
    """

    steps: Some
    learning_rate: Positive
    batch_size: Annotated[int, Whole(1, 65536)] = 1
    accumulate: Annotated[int, Whole(1, 65536)] = 1
    warmup_steps: Annotated[int, Whole(0, MAX_STEPS)] = 0
    schedule: Annotated[str, Word((CONSTANT, COSINE))] = CONSTANT
    optimizer: Annotated[str, Word((ADAMW, ADAMW_8BIT, ADAFACTOR))] = ADAMW
    weight_decay: NotNegative = 0.0
    clip_norm: Positive = 1.0
    precision: Annotated[str, Word((FP32, BF16))] = FP32
    keep: Annotated[str, Word((DEVICE, MEMORY, DISK))] = MEMORY
    gradient_checkpointing: bool = False
    checkpoint_every: Some = 500
    threads: Annotated[int, Whole(1, 1024)] = 2
    deterministic: bool = False


@dataclass(frozen=True)
class AdapterRecipe:
    """Low-rank adapters in place of the whole part: ``targets`` are the ends of the names of layers that get one."""

    kind: Annotated[str, Word((LORA,))]
    rank: Annotated[int, Whole(1, 65536)]
    alpha: Positive
    targets: Annotated[tuple[Given, ...], Few(MAX_NUMBERS, least=1)]


@dataclass(frozen=True)
class Recipe:
    """A recipe as it is carried out, overrides included.

    ``model`` is the catalog's model that comes out, ``trainee`` a class of its family's folder, ``settings`` the
    trainee's own.
    """

    model: Given
    trainee: Annotated[str, Text(256, r"[\w.]+:\w+")]
    data: DataRecipe
    training: TrainingRecipe
    adapter: Optional[AdapterRecipe] = None
    settings: Annotated[Mapping[Name, Setting], Few(MAX_NUMBERS)] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the hash of all fields."""
        return digest(self)


_TABLES: Mapping[str, type] = {"data": DataRecipe, "training": TrainingRecipe, "adapter": AdapterRecipe}


def recipe_files(catalog: Catalog) -> dict[str, tuple[Path, CatalogEntry]]:
    """Return every recipe of the catalog's families by name, with one model of its family."""
    found: dict[str, tuple[Path, CatalogEntry]] = {}
    for entry in catalog.entries:
        for file in sorted((entry.folder / FOLDER).glob(f"*{SUFFIX}")):
            other = found.setdefault(file.stem, (file, entry))
            if other[0] != file:
                raise Refusal(f"two recipes are called {file.stem!r}: {other[0]} and {file}.", "Rename one of them.")
    return found


def find_recipe(name: str, catalog: Catalog) -> Path:
    """Return the file of a recipe, given by its name or its path; Refusal with the nearest names otherwise."""
    if name.endswith(SUFFIX):
        file = absolute(name)
        if not file.is_file():
            raise Refusal(f"there is no recipe {file}.", _known(catalog))
        return file
    known = recipe_files(catalog)
    if name in known:
        return known[name][0]
    raise Refusal(f"there is no recipe {name!r}.", nearest(name, known) if known else _known(catalog))


def _known(catalog: Catalog) -> str:
    names = ", ".join(sorted(recipe_files(catalog)))
    return f"Known: {names}." if names else f"No family here has a folder {FOLDER!r}."


def read_recipe(file: Path, assignments: Sequence[str] = ()) -> tuple[Recipe, dict[str, Setting]]:
    """Return the recipe in ``file`` with ``table.key=value`` assignments applied, and the values by key.

    Raises Refusal for a file, a field, a value or an assignment that is wrong, with the nearest name.
    """
    try:
        plain = parse_toml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(f"cannot read the recipe {file}: {error}.", "Fix the file.") from error
    _check_names(plain, f"{file}: ")
    changed = _apply(plain, assignments)
    if "adapter" in plain and isinstance(plain["adapter"].get("targets"), str):  # --set adapter.targets=a,b
        plain["adapter"]["targets"] = plain["adapter"]["targets"].split(",")
    return checked(Recipe, plain, f"{file}: ", "Fix the named fields."), changed


def smoke(recipe: Recipe) -> Recipe:
    """Return a recipe that tries the whole path in seconds: few steps, all else as it is."""
    training = recipe.training
    steps = min(training.steps, SMOKE_STEPS)
    batch = min(training.batch_size, SMOKE_BATCH)
    short = replace(
        training, steps=steps, batch_size=batch, accumulate=1, warmup_steps=min(training.warmup_steps, 1),
        checkpoint_every=max(1, steps // 2),
    )  # fmt: skip
    return replace(recipe, training=short)


SMOKE_STEPS, SMOKE_BATCH, SMOKE_CLIPS, SMOKE_JUDGED = 4, 2, 8, 4


def _check_names(plain: Mapping[str, Any], where: str) -> None:
    """Raise Refusal for the first table or field that no recipe has, with the nearest one that it may mean."""
    known = [each.name for each in fields(Recipe)]
    for name in plain:
        if name not in known:
            raise Refusal(f"{where}a recipe has no field {name!r}.", nearest(name, known))
    for table, kind in _TABLES.items():
        own = [each.name for each in fields(kind)]
        for name in plain[table] if isinstance(plain.get(table), dict) else ():
            if name not in own:
                raise Refusal(f"{where}[{table}] has no field {name!r}.", nearest(name, own))


def _apply(plain: dict[str, Any], assignments: Sequence[str]) -> dict[str, Setting]:
    changed: dict[str, Setting] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        table, dot, name = key.strip().partition(".")
        if not equals or not dot or not name or table not in (*_TABLES, "settings"):
            known = f"{', '.join(_TABLES)} or settings"
            raise Refusal(
                f"--set {assignment!r} is not understood.",
                f"Write --set table.key=value with a table of {known}, such as --set training.steps=100.",
            )
        if key in changed:
            raise Refusal(f"--set {key} comes twice.", "Give it once.")
        if table == "adapter" and table not in plain:
            raise Refusal(f"--set {key}: this recipe has no adapter.", "Add a table [adapter] to a copy of it.")
        changed[key] = _value(text)
        plain.setdefault(table, {})[name] = changed[key]
    _check_names(plain, "--set: ")
    return changed


def _value(text: str) -> Setting:
    """Return a value as TOML reads it; what is no TOML is a text."""
    try:
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text


def plain_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as it is written down."""
    plain: dict[str, Any] = to_plain(recipe)
    return plain
