"""Strangers' code that runs as a process is told, stamped, and compiles into a folder of its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.running.services import Placement, plan_world_model
from harness.runtimes.process import BYTECODE
from harness.worldmodels.catalog import BUILT_IN, load_catalog
from harness.worldmodels.scaffold import create_plugin
from harness.worldmodels.strangers import OWN_FAMILIES, SIMULATOR, UNSANDBOXED, bytecode_folder, is_strangers


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_families_of_the_project_are_all_known() -> None:
    families = {file.parent.name for file in BUILT_IN.glob("*/plugin.toml")}
    assert families <= OWN_FAMILIES
    assert not any(is_strangers(entry) for entry in load_catalog().entries)


def test_a_folder_put_beside_them_is_a_strangers() -> None:
    entry = load_catalog().find("copy")
    assert is_strangers(replace(entry, folder=BUILT_IN / "mine"))


def test_its_result_is_stamped_and_its_bytecode_lies_elsewhere(tmp_path: Path) -> None:
    folders = [create_plugin(name, tmp_path, set()) for name in ("mine", "yours")]
    plan = make_plan(RunOptions("mine", "ignav", plugins=tuple(folders), episodes="1"))
    assert plan.identity.stamps == (UNSANDBOXED,)
    assert plan.world_model is not None
    prefix = Path(plan.world_model.environment_variables[BYTECODE])
    assert BUILT_IN.parent not in prefix.parents
    other, _ = plan_world_model(load_catalog(folders).find("yours"), None, Placement())
    assert other is not None and other.environment_variables[BYTECODE] != str(prefix)


def test_a_name_of_a_strangers_for_the_simulator_is_stamped(tmp_path: Path) -> None:
    text = '[family]\nname = "great"\nkind = "environment"\n[[model]]\nname = "great"\n'
    (tmp_path / "great").mkdir()
    (tmp_path / "great" / "plugin.toml").write_text(text)
    plan = make_plan(RunOptions("great", "ignav", plugins=(tmp_path / "great",), episodes="1"))
    assert plan.identity.stamps == (SIMULATOR,)
    assert make_plan(RunOptions("gtsim", "ignav", episodes="1")).identity.stamps == ()


def test_the_projects_own_are_not_stamped() -> None:
    assert make_plan(RunOptions("copy", "ignav", episodes="1")).identity.stamps == ()


def test_folders_of_bytecode_do_not_pile_up(tmp_path: Path) -> None:
    entry = load_catalog().find("copy")
    for number in range(25):
        (tmp_path / str(number)).mkdir()
    folders = [bytecode_folder(replace(entry, folder=tmp_path / str(number))) for number in range(25)]
    assert [folder.exists() for folder in folders] == [False] * 5 + [True] * 20


def test_other_sources_get_another_folder_of_bytecode(tmp_path: Path) -> None:
    """Python takes bytecode for that of a source with the same size and second of its last change."""
    entry = replace(load_catalog().find("copy"), folder=tmp_path)
    source = tmp_path / "model.py"
    source.write_text("STEP = 0.2")
    times = (source.stat().st_atime_ns, source.stat().st_mtime_ns)
    before = bytecode_folder(entry)
    source.write_text("STEP = 0.9")
    os.utime(source, ns=times)
    assert bytecode_folder(entry) != before
