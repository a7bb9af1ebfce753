"""Which plugin is meant: by its folder, by its name in the catalog, or by its image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Sequence

from harness.contracts.errors import Refusal
from harness.contracts.folders import absolute
from harness.contracts.manifests import SERVED
from harness.contracts.names import nearest
from harness.records.identity import ImageRecord
from harness.running.run_images import find_image, read_file
from harness.running.services import Placement, check_python, plan_world_model
from harness.runtimes.service import ServiceSpec
from harness.worldmodels import plugin_images
from harness.worldmodels.catalog import MANIFEST_FILE, CatalogEntry, load_catalog, read_family
from harness.worldmodels.packages import package_lacks
from harness.worldmodels.plugin_images import MANIFEST_PATH
from harness.worldmodels.preparing import Choice, check, prepare
from harness.worldmodels.weights import Lack

AS_DECLARED = Choice()

NO_FOLDER = "Name the folder of a plugin family, a world model (see: list wms), or an image with its tag."


@dataclass(frozen=True)
class Target:
    """A model, how to start it, and where it came from."""

    entry: CatalogEntry
    plan: ServiceSpec
    source: str


def find_target(
    named: str, model: str = "", python: str = "", plugins: Sequence[Path] = (), choice: Choice = AS_DECLARED
) -> Target:
    """Return the model that ``named`` (a folder, a name of the catalog, or an image) means.

    ``model`` chooses one of several; ``choice`` are its overrides and weights, as for a run. Words with a slash or
    colon that are no folder are images, but for a path without a tag whose parent is here: that is a folder with a
    wrong name. It raises Refusal, and so do what is neither folder nor name, and weights that are not here.
    """
    folder = absolute(named)
    if folder.is_dir():
        entry = _of_folder(folder, model)
        return _target(entry, named, Placement(python=python), None, choice)
    if "/" in named or ":" in named:
        if ":" not in named and folder.parent.is_dir():
            beside = [str(other.parent) for other in folder.parent.glob(f"*/{MANIFEST_FILE}")]
            raise Refusal(f"there is no folder {folder}.", nearest(str(folder), beside) if beside else NO_FOLDER)
        image = find_image(named)
        content = read_file(image, MANIFEST_PATH)
        entry = plugin_images.choose_model(content, image.reference, model, load_catalog().names())
        return _target(entry, named, Placement(container=True), image, choice)
    if model and model != named:
        raise Refusal(f"{named!r} is one world model; --model {model} is another.", "Give one of them.")
    catalog = load_catalog(plugins)
    policies = {entry.manifest.name for entry in catalog.policies}
    entry = catalog.find_policy(named) if named in policies else catalog.find(named)
    return _target(entry, str(entry.folder), Placement(python=python), None, choice)


def _of_folder(folder: Path, model: str) -> CatalogEntry:
    file = folder.resolve() / MANIFEST_FILE
    if not file.is_file():
        raise Refusal(f"{folder} holds no {MANIFEST_FILE}.", "Name the folder of a plugin family.")
    entries = read_family(file)
    names = [entry.manifest.name for entry in entries]
    if not model and len(entries) > 1:
        raise Refusal(f"{folder} has {len(names)} world models: {', '.join(names)}.", "Choose one with --model NAME.")
    for entry in entries:
        if model in ("", entry.manifest.name):
            return entry
    raise Refusal(f"{folder} has no world model {model!r}.", nearest(model, names))


def _can_be_random(lacks: Sequence[Lack]) -> bool:
    """Say whether random weights would do in place of some of what is missing, and nothing but packages is left."""
    return any(lack.learnt for lack in lacks) and all(lack.learnt or lack.packages for lack in lacks)


def _target(entry: CatalogEntry, source: str, where: Placement, image: ImageRecord | None, choice: Choice) -> Target:
    if entry.manifest.kind not in SERVED:
        raise Refusal(
            f"world model {entry.manifest.name!r} is of kind {entry.manifest.kind!r}: there is no plugin to ask.",
            "Name a model of kind plugin or policy (see: list wms, list policies).",
        )
    container = where.container or image is not None
    packages = () if container else package_lacks(entry, where.python)
    prepared = prepare(entry.manifest, choice, container, entry.code_from, packages, entry.folder)
    if prepared.lacks:
        steps = "; ".join(step for lack in prepared.lacks for step in lack.steps)
        random = " Without the weights: --weights random, for all but what was learnt."
        raise Refusal(
            f"{entry.manifest.name} cannot be asked here: {'; '.join(lack.what for lack in prepared.lacks)}.",
            f"To get them: {steps}." + (random if _can_be_random(prepared.lacks) else ""),
        )
    chosen = replace(entry, manifest=check(prepared, choice, family=entry.folder).manifest)
    plan, _ = plan_world_model(chosen, image, where, prepared.code)
    assert plan is not None  # models of kind plugin have a service
    check_python(plan)
    return Target(chosen, plan, source)
