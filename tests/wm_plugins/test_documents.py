"""What the documents say of the world models is what their manifests and tests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.manifests import PLUGIN
from harness.worldmodels.catalog import load_catalog
from tests.wm_plugins.zoo_table import PAGE, measured_models, with_table

WM_PLUGINS = Path(__file__).resolve().parents[2] / "wm_plugins"
ENTRIES = [entry for entry in load_catalog().entries if entry.manifest.kind == PLUGIN]
FAMILIES = sorted({entry.folder for entry in ENTRIES if entry.folder.parent == WM_PLUGINS})


def test_the_table_of_models_is_that_of_the_manifests() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run: python -m tests.wm_plugins.zoo_table --write"
    assert {f"`{entry.manifest.name}`" for entry in ENTRIES} <= set(page.split())


def test_only_models_of_the_catalog_are_measured() -> None:
    assert measured_models(PAGE.read_text(encoding="utf-8")) <= {entry.manifest.name for entry in ENTRIES}


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda folder: folder.name)
def test_a_readme_names_every_model_and_says_what_was_run_and_what_not(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    for entry in ENTRIES:
        if entry.folder == folder:
            assert f"`{entry.manifest.name}`" in text
    assert "## What was run" in text
    said = text.partition("## What was run")[2]
    assert "Not run" in said or "nothing is left" in said


@pytest.mark.parametrize("folder", FAMILIES, ids=lambda folder: folder.name)
def test_a_readme_says_the_same_of_real_sizes_as_the_measurements(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    said = text.partition("## What was run")[2]
    for name in measured_models(PAGE.read_text(encoding="utf-8")):
        if any(entry.folder == folder and entry.manifest.name == name for entry in ENTRIES):
            assert f"`{name}`" in said.partition("at its real size")[0]
