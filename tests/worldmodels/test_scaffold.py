"""`plugin new`: what it writes is a plugin, and what it cannot write it refuses before it writes anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import Refusal
from harness.runtimes.images.declared import project_version
from harness.worldmodels.catalog import BUILT_IN, load_catalog
from harness.worldmodels.scaffold import NAME, create_plugin

FILES = ["Dockerfile", "README.md", "model.py", "plugin.toml", "test_plugin.py"]


def test_the_folder_is_a_family_with_one_model_of_that_name(tmp_path: Path) -> None:
    folder = create_plugin("my-model_2.b", tmp_path, ())
    assert sorted(path.name for path in folder.iterdir()) == FILES
    manifest = load_catalog([folder]).find("my-model_2.b").manifest
    assert (manifest.entry_point, manifest.conditioning, manifest.view) == ("model:Model", "numbers", "panorama")
    for path in folder.iterdir():
        assert "@" not in path.read_text().replace("@property", "").replace("rays @ start", "").replace("start @", "")
    assert f"WM_BASE=wiw-bench/wm_base:{project_version()}\n" in (folder / "Dockerfile").read_text()
    assert f"--plugins {folder}" in (folder / "README.md").read_text()


def test_the_template_itself_is_no_world_model() -> None:
    assert (BUILT_IN / "template" / "model.py").is_file()
    assert not [e for e in load_catalog().entries if e.folder.name == "template"]


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "-x", ".x", "x" * 61, "naïve", "x\n"])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be the name"):
        create_plugin(name, tmp_path, ())
    assert not list(tmp_path.iterdir())


def test_a_taken_name_and_an_existing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="already"):
        create_plugin("Warp", tmp_path, ("warp",))
    (tmp_path / "mine").mkdir()
    with pytest.raises(Refusal, match="exists"):
        create_plugin("mine", tmp_path, ())
    assert not list((tmp_path / "mine").iterdir())


@given(st.text(max_size=20))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    if NAME.match(name):
        assert (Path("/into") / name).resolve().parent == Path("/into")
