"""World models that exist only as an image: the ``plugin.toml`` inside says what they are.

The file is read without running anything of the image and checked like a folder's own, so that a wrong manifest
costs a sentence before a stranger's code has run.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Collection

from harness.contracts.errors import Refusal
from harness.contracts.manifests import PLUGIN, ModelManifest
from harness.contracts.names import nearest
from harness.worldmodels.catalog import MANIFEST_FILE, CatalogEntry, parse_entries

PLUGIN_FOLDER = Path("/plugin")
"""Where every plugin image holds its family's folder."""

MANIFEST_PATH = str(PLUGIN_FOLDER / MANIFEST_FILE)


def choose_model(content: bytes, image: str, name: str, reserved: Collection[str]) -> CatalogEntry:
    """Return the model ``name`` of an image ("" for its only one), with its folder as the container sees it.

    ``content`` are the bytes of its ``plugin.toml``. Names of ``reserved`` (the catalog's) are refused: a reference is
    found by its name, so a stranger's model must not be able to pass for one.
    """
    source = f"{image}:{MANIFEST_PATH}"
    entries = parse_entries(content, source, PLUGIN_FOLDER)
    names = [entry.manifest.name for entry in entries]
    _check_names(image, names, reserved)
    if name and name not in names:
        raise Refusal(f"image {image} has no world model {name!r}.", nearest(name, names))
    if not name and len(names) > 1:
        raise Refusal(f"image {image} has {len(names)} world models: {', '.join(names)}.", "Choose one with --wm NAME.")
    chosen = next(entry for entry in entries if name in ("", entry.manifest.name))
    _check_kind(image, chosen.manifest)
    return chosen


def _check_names(image: str, names: list[str], reserved: Collection[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Refusal(f"image {image} declares world model {twice[0]!r} twice.", "Rename one of them.")
    taken = [name for name in names if name in reserved]
    if taken:
        raise Refusal(
            f"image {image} calls a world model {taken[0]!r}, which is a name of the catalog.",
            "Give the model a name of its own in the image's plugin.toml.",
        )


def _check_kind(image: str, model: ModelManifest) -> None:
    if model.kind != PLUGIN:
        raise Refusal(
            f"world model {model.name!r} of image {image} is of kind {model.kind!r}: nothing in the image would run.",
            'Leave kind out (it is then "plugin") and name its entry_point.',
        )
