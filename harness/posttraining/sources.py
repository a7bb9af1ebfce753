"""What a training begins with: the model that comes out, its trainee, and the weights of its base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import RANDOM, Checkpoint
from harness.contracts.training import Trainee
from harness.posttraining.recipe import Recipe
from harness.wire.host import load_class
from harness.worldmodels.cards import file_hashes, weights_digest
from harness.worldmodels.catalog import Catalog, CatalogEntry
from harness.worldmodels.digests import Progress, quiet
from harness.worldmodels.hub_cache import is_hub_id
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.weights import declared_lacks, place_of

_SHA256 = " sha256:"
TORCH_EXTRA = "pip install -c constraints.txt -e '.[models]'"


@dataclass(frozen=True)
class Base:
    """The weights that a training begins with: a path, or None for random ones; ``name`` says which, for people.

    ``sha256`` is the hash of their files, "" of random ones and of a commit of the hub, which ``name`` ends with.
    ``missing`` says why random ones stand in for others.
    """

    path: Optional[Path]
    name: str
    sha256: str = ""
    missing: str = ""

    @property
    def identity(self) -> str:
        """Return what tells these weights from others."""
        return f"{self.name}{_SHA256}{self.sha256}" if self.sha256 else self.name


def check_packages(entry: CatalogEntry) -> None:
    """Raise Refusal, with the extra to install, where torch or a package of the model's family is missing."""
    import importlib.util

    missing = [name for name in ("torch", "accelerate", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise Refusal(f"posttrain needs {', '.join(missing)} (the extra models).", TORCH_EXTRA)
    for lack in package_lacks(entry):
        raise Refusal(f"{lack.what} is missing.", "; ".join(lack.steps))


def trainee_class(recipe: Recipe, entry: CatalogEntry) -> type[Trainee]:
    """Return the class that a recipe names, from the folders of its model's family."""
    path = [str(folder.absolute()) for folder in (entry.folder, *entry.shared)]
    try:
        found: Any = load_class(recipe.trainee, path)
    except ImportError as error:
        raise Refusal(
            f"trainee {recipe.trainee!r} of {entry.folder} cannot be imported: {error}.", "Fix it."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Trainee)):
        raise Refusal(f"trainee {recipe.trainee!r} is no Trainee (harness.contracts.training).", "Fix the recipe.")
    return found


def find_base(entry: CatalogEntry, catalog: Catalog, chosen: str, progress: Progress = quiet) -> Base:
    """Return the weights to begin with: ``random``, a path, or for "" those of the model's declared base.

    A model without a base begins with random ones. Refusal where the base's weights are not here, with how to get them.
    """
    manifest = entry.manifest
    if chosen == RANDOM:
        return Base(None, RANDOM)
    if chosen:
        path = absolute(chosen)
        if not path.exists():
            raise Refusal(f"--weights {chosen!r} does not exist.", "Give random, or the path of the base's weights.")
        return Base(path, str(path), weights_digest(file_hashes(path, progress)))
    if manifest.base_checkpoint.source:
        return _declared(entry, manifest.base_checkpoint, progress)
    if not manifest.base:
        return Base(None, RANDOM)
    base = catalog.find(manifest.base)
    if not base.manifest.checkpoint.source:
        raise Refusal(
            f"{manifest.name} is trained from {base.manifest.name}, which declares no weights.",
            "Give them: --weights PATH, or --weights random.",
        )
    return _declared(base, base.manifest.checkpoint, progress)


def base_of_smoke(entry: CatalogEntry, catalog: Catalog, chosen: str, progress: Progress = quiet) -> Base:
    """Return the weights that a smoke begins with: as `find_base`, or random ones where the declared are not here.

    Its model is worth nothing either way, and it tries the whole path on a machine that holds nothing yet.
    """
    try:
        return find_base(entry, catalog, chosen, progress)
    except Refusal as refusal:
        if chosen:
            raise
        return Base(None, RANDOM, missing=refusal.what)


def find_same_base(entry: CatalogEntry, catalog: Catalog, known: str, chosen: str, progress: Progress = quiet) -> Base:
    """Return the weights that a training began with, which it knows as ``known``; ``chosen`` is where they are now.

    Without it they are looked for where they were. Refusal where what is found are others.
    """
    place, _, sha256 = known.partition(_SHA256)
    own_path = Path(place).is_absolute()
    found = find_base(entry, catalog, chosen or (place if place == RANDOM or own_path else ""), progress)
    if found.identity != known and not (sha256 and found.sha256 == sha256):
        raise Refusal(
            f"the adapter was trained on the weights {known}, and {found.identity} are given.",
            "Give those: --weights PATH.",
        )
    return found


def _declared(entry: CatalogEntry, checkpoint: Checkpoint, progress: Progress) -> Base:
    place = place_of(checkpoint, entry.folder)
    if place is None:
        steps = [step for lack in declared_lacks(entry.manifest, entry.folder) for step in lack.steps]
        raise Refusal(
            f"the weights of {checkpoint.source}, which the training begins with, are not here.",
            "; ".join([*steps, "or --weights PATH, or --weights random"]),
        )
    if is_hub_id(checkpoint.source):
        return Base(place, f"{checkpoint.source}@{place.name}")
    return Base(place, entry.manifest.name, weights_digest(file_hashes(place, progress)))
