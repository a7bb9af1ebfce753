"""Recipes: what they may hold, what overrides do, and how wrong words are answered."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.contracts.errors import Refusal
from harness.posttraining.recipe import Recipe, find_recipe, read_recipe, recipe_files
from harness.worldmodels.catalog import load_catalog
from tests.posttraining.world import TOY

RECIPE = TOY / "recipes" / "toy.toml"
LORA = '\n[adapter]\nkind = "lora"\nrank = 4\nalpha = 8.0\ntargets = ["to_q"]\n'


def edited(folder: Path, old: str = "", new: str = "", more: str = "") -> Path:
    file = folder / "mine.toml"
    file.write_text(RECIPE.read_text().replace(old, new) + more)
    return file


def test_a_recipe_is_found_by_its_name_and_by_its_path() -> None:
    catalog = load_catalog([TOY])
    assert find_recipe("toy", catalog) == find_recipe(str(RECIPE), catalog) == RECIPE
    with pytest.raises(Refusal, match=r"there is no recipe 'toi'. Did you mean 'toy'"):
        find_recipe("toi", catalog)


def test_every_recipe_of_the_project_can_be_read_and_names_a_model() -> None:
    catalog = load_catalog()
    for file, _ in recipe_files(catalog).values():
        recipe, _ = read_recipe(file)
        entry = catalog.find(recipe.model)
        assert (entry.folder / f"{recipe.trainee.partition(':')[0]}.py").is_file(), file


def test_overrides_are_recorded_by_name() -> None:
    assignments = ("training.steps=7", "settings.noise=0.5", "training.precision=bf16", "training.learning_rate=1")
    recipe, changed = read_recipe(RECIPE, assignments)
    assert (recipe.training.steps, recipe.settings["noise"], recipe.training.precision) == (7, 0.5, "bf16")
    assert changed == {
        "training.steps": 7, "settings.noise": 0.5, "training.precision": "bf16", "training.learning_rate": 1,
    }  # fmt: skip
    assert recipe.digest() != read_recipe(RECIPE)[0].digest()


def test_adapters_are_read_and_overridden(tmp_path: Path) -> None:
    recipe, _ = read_recipe(edited(tmp_path, more=LORA), ["adapter.rank=16", "adapter.targets=to_k,to_v"])
    assert recipe.adapter is not None and (recipe.adapter.rank, recipe.adapter.targets) == (16, ("to_k", "to_v"))


@pytest.mark.parametrize(
    "assignment, what",
    [
        ("steps=7", "Write --set table.key=value"),
        ("training.steps", "Write --set table.key=value"),
        ("training.step=7", r"\[training\] has no field 'step'. Did you mean 'steps'"),
        ("training.steps=0", r"training.steps: Input should be greater than or equal to 1 .found 0"),
        ("training.steps=many", "training.steps: .*found 'many'"),
        ("training.precision=fp17", "training.precision: .*'fp32' or 'bf16'"),
        ("adapter.rank=3", "this recipe has no adapter"),
        ("trainig.steps=3", "is not understood"),
    ],
)
def test_overrides_that_mean_nothing_are_refused(assignment: str, what: str) -> None:
    with pytest.raises(Refusal, match=what):
        read_recipe(RECIPE, [assignment])


def test_one_override_comes_once() -> None:
    with pytest.raises(Refusal, match=r"training.steps comes twice"):
        read_recipe(RECIPE, ["training.steps=1", "training.steps=2"])


@pytest.mark.parametrize(
    "old, new, what",
    [
        ("model =", "modell =", "a recipe has no field 'modell'. Did you mean 'model'"),
        ("steps = 40", "", "training.steps: Field required"),
        ("[data]", "[dta]", "a recipe has no field 'dta'. Did you mean 'data'"),
        ("frames = 6", "frames = 1", "data.frames"),
        ("toy_training:ToyTrainee", "toy_training", "trainee"),
        ("[data]", "[data", "cannot read the recipe"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named(tmp_path: Path, old: str, new: str, what: str) -> None:
    with pytest.raises(Refusal, match=what):
        read_recipe(edited(tmp_path, old, new))


def test_a_number_may_be_written_without_its_fraction(tmp_path: Path) -> None:
    found: Recipe = read_recipe(edited(tmp_path, "learning_rate = 2e-2", "learning_rate = 1"))[0]
    assert found.training.learning_rate == 1.0


def test_what_is_missing_is_named_with_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    found = importlib.util.find_spec
    # Of what training needs, torch alone is missing, whatever is installed here.
    missing = {"torch": None, "accelerate": found("json"), "safetensors": found("json")}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: missing[name] if name in missing else found(name, *more)
    )
    assert (
        main(["posttrain", "toy", "--plugins", str(TOY), "--data", str(tmp_path), "--out", str(tmp_path / "ck")]) == 2
    )
    said = capsys.readouterr().err
    assert (
        "posttrain needs torch (the extra models)" in said and "pip install -c constraints.txt -e '.[models]'" in said
    )


def test_a_refusal_needs_no_torch() -> None:
    code = "import sys, harness.posttraining.plan, harness.cli.posttrain; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_model_that_no_bank_asks_is_not_validated(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("torch", reason="post-training needs the extra models (torch)")
    toml = (TOY / "plugin.toml").read_text()
    family = tmp_path / "toy"
    shutil.copytree(TOY, family)
    (family / "plugin.toml").write_text(toml.replace('action_space = "navigation"', 'action_space = "ee_pose8"'))
    given = ["posttrain", "toy", "--plugins", str(family), "--data", str(tmp_path), "--out", str(tmp_path / "ck")]
    assert main([*given, "--validate-every", "5"]) == 2
    assert "is no data set" not in capsys.readouterr().err
