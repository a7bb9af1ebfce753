"""A run goes on with the bytes that it began with: code, weights, and the commits of references that moved since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.contracts.errors import SpecMismatch
from harness.records.folder import RunFolder
from harness.running import runs
from harness.running.continuing import Continuation, plan_again
from harness.running.make_plan import make_plan
from harness.running.run_options import RunOptions
from harness.running.sameness import check_same
from harness.worldmodels.preparing import Choice
from harness.worldmodels.scaffold import create_plugin
from tests.worldmodels.hub_folder import COMMIT, cached, pipeline_files

LATER = "f" * 40


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    return create_plugin("mine", tmp_path / "p", set())


def begun(options: RunOptions, root: Path) -> RunFolder:
    return RunFolder.open(runs.create(make_plan(options), root).path)


def test_an_edited_plugin_is_refused_with_what_changed(
    plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begun(RunOptions("mine", "ignav", episodes="2", plugins=(plugin,)), tmp_path / "runs")
    with (plugin / "model.py").open("a") as file:
        file.write("# another model\n")
    assert main(("--resume", str(folder.path), "--plugins", str(plugin))) in (1, 2)
    assert "another code mine (" in " ".join(capsys.readouterr().err.split())
    assert all(row.committed_at is None for row in folder.rows())


def test_a_run_of_before_digests_goes_on(plugin: Path, tmp_path: Path) -> None:
    folder = begun(RunOptions("mine", "ignav", episodes="2", plugins=(plugin,)), tmp_path / "runs")
    planned = plan_again(folder, Continuation(plugins=(plugin,)))
    check_same(folder.identity, planned.identity)
    check_same(replace(folder.identity, wm_digests={}), planned.identity)


def test_the_commit_that_a_run_began_with_is_loaded(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    toml = plugin / "plugin.toml"
    toml.write_text(toml.read_text().replace("[[model]]\n", '[[model]]\ncheckpoint = { source = "org/toy" }\n', 1))
    snapshot = cached(hub, "org/toy", pipeline_files())
    folder = begun(RunOptions("mine", "ignav", episodes="2", plugins=(plugin,)), tmp_path / "runs")
    assert folder.identity.wm_digests["checkpoint"] == f"commit {COMMIT}"
    snapshot.with_name(LATER).symlink_to(snapshot)
    (hub / "models--org--toy" / "refs" / "main").write_text(LATER)
    planned = plan_again(folder, Continuation(plugins=(plugin,)))
    check_same(folder.identity, planned.identity)
    assert planned.world_model is not None and planned.world_model.manifest["checkpoint"]["revision"] == COMMIT
    anew = make_plan(RunOptions("mine", "ignav", episodes="2", plugins=(plugin,)))
    assert anew.identity.wm_manifest_hash != folder.identity.wm_manifest_hash


def test_changed_weights_are_refused(plugin: Path, tmp_path: Path) -> None:
    toml = plugin / "plugin.toml"
    toml.write_text(toml.read_text().replace("[[model]]\n", '[[model]]\ncheckpoint = { source = "org/toy" }\n', 1))
    weights = tmp_path / "weights"
    weights.mkdir()
    for name in ("model.safetensors", "config.json"):
        (weights / name).write_text("before")
    choice = Choice(weights=str(weights), allow_uncarded=True)
    options = RunOptions("mine", "ignav", episodes="2", plugins=(plugin,), choice=choice)
    folder = begun(options, tmp_path / "runs")
    given = Continuation(plugins=(plugin,), weights=str(weights))
    check_same(folder.identity, plan_again(folder, given).identity)
    (weights / "config.json").write_text("after!")
    with pytest.raises(SpecMismatch, match="another checkpoint"):
        check_same(folder.identity, plan_again(folder, given).identity)
