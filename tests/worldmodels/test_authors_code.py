"""Code of a model's authors: looked for before anything starts, and told with all that is needed to get it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.manifests import ModelManifest
from harness.worldmodels import weights
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.preparing import Choice, Prepared, prepare

RUNS_CODE = ModelManifest("runner", "runners", "plugin", settings={"code": ""})
FROM = "git clone https://example.org/runner (licence: MIT)"


@pytest.fixture(autouse=True)
def no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the folder that images keep the code in."""
    monkeypatch.setattr(weights, "IN_IMAGE", tmp_path / "nothing")


def prepared(*code: Path | str, container: bool = False, code_from: str = FROM) -> Prepared:
    """Return what is prepared with this choice of code, if any."""
    return prepare(RUNS_CODE, Choice(tuple(f"code={folder}" for folder in code)), container, code_from)


def test_code_that_is_not_there_is_one_thing_missing() -> None:
    (lack,) = prepared().lacks
    assert "authors' own code, which runner runs" in lack.what and "empty" in lack.what
    assert lack.steps == (FROM, "then --set code=/path/to/the/checkout")
    assert not lack.learnt
    assert "README of 'runners'" in prepared(code_from="").lacks[0].steps[0]


def test_a_folder_that_does_not_exist_is_missing_wherever_it_runs() -> None:
    for container in (False, True):
        (lack,) = prepared("/nowhere/runner", container=container).lacks
        assert "/nowhere/runner is no folder" in lack.what


def test_a_container_without_a_choice_brings_its_own() -> None:
    assert prepared(container=True).lacks == () and prepared(container=True).code == ""


def test_a_chosen_folder_is_absolute_in_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runner").mkdir()
    monkeypatch.chdir(tmp_path)
    chosen = prepared("runner")
    assert chosen.code == chosen.manifest.settings["code"] == str(tmp_path / "runner")
    assert chosen.lacks == ()


def test_code_of_the_image_is_used_without_a_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "IN_IMAGE", tmp_path)
    assert prepared().lacks == ()


def test_other_models_have_no_such_code() -> None:
    assert prepare(replace(RUNS_CODE, settings={}), Choice()).lacks == ()


@pytest.mark.parametrize("name", ["nwm", "se3ds", "pathdreamer"])
def test_the_zoo_says_where_its_code_is_from_and_under_which_licence(name: str) -> None:
    entry = load_catalog().find(name)
    lack = prepare(entry.manifest, Choice(weights="random"), False, entry.code_from).lacks[0]
    for part in ("git clone https://github.com/", "licence: ", "written for revision", "pip install "):
        assert part in lack.steps[0]
