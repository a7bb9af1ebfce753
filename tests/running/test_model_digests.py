"""The bytes of a world model are part of what a run or a measurement asks, and looked at when it is started again."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.banking.plan import outdated, unfinished
from harness.cli.play import same_runs
from harness.contracts.errors import SpecMismatch
from harness.records.model_parts import changed_parts, same_name, unknown_parts
from harness.running import runs
from harness.running.episode_runner import PlanServices
from harness.running.make_plan import make_plan
from harness.running.model_digests import ModelFiles, check_files, with_digests
from harness.running.plan import RunPlan
from harness.running.run_options import RunOptions
from tasks.suite import load_suite

MODEL = """
from harness.wire.sdk import WorldModel

class Mine(WorldModel):
    def imagine(self, request):
        raise NotImplementedError
"""
TOML = '[family]\nname = "mine"\nentry_point = "model:Mine"\nshared = ["../base"]\n[[model]]\nname = "mine"\n'


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin with a folder that it shares."""
    for name, files in {"mine": {"model.py": MODEL, "plugin.toml": TOML}, "base": {"part.py": "x = 1\n"}}.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
    return tmp_path / "mine"


def plan(plugin: Path, wm: str = "mine") -> RunPlan:
    return make_plan(RunOptions(wm, "ignav", suite="embedded", episodes="2", plugins=(plugin,)))


def test_an_edit_makes_another_identity_of_the_same_name(plugin: Path) -> None:
    before = plan(plugin).identity
    assert set(before.wm_digests) == {"code mine", "code base"} and plan(plugin).identity == before
    (plugin.parent / "base" / "part.py").write_text("x = 2\n")
    after = plan(plugin).identity
    assert after.wm_manifest_hash == before.wm_manifest_hash and after != before
    assert same_name(before, after) and [part.partition(" (")[0] for part in changed_parts(before, after)] == [
        "code base"
    ]


@pytest.mark.parametrize("wm", ["none", "gtsim"])
def test_a_model_without_code_of_its_own_has_no_digests(plugin: Path, wm: str) -> None:
    identity = plan(plugin, wm).identity
    assert identity.wm_digests == {} and unknown_parts(identity, identity) == ""


def test_code_that_changes_while_a_run_is_played_ends_it(plugin: Path) -> None:
    planned = plan(plugin)
    check_files(planned)
    (plugin / "model.py").write_text(f"{MODEL}\n")
    with pytest.raises(SpecMismatch, match=r"code mine of world model 'mine' has changed.*: model.py differs"):
        check_files(planned)
    check_files(replace(planned, identity=replace(planned.identity, wm_digests={})))  # an old run wrote nothing down


def test_a_plugin_that_writes_into_its_own_folder_is_told_which_files_and_what_to_do(plugin: Path) -> None:
    planned = plan(plugin)
    for name in ("a.bin", "b.txt", "c.txt", "d.txt", "e.txt"):
        (plugin / name).write_bytes(b"made at the first start")
    with pytest.raises(SpecMismatch, match=r"a.bin is new, .* and 1 more.*write somewhere else.*docs/plugins.md"):
        check_files(planned)


def test_caches_that_hold_no_sources_are_no_code(plugin: Path) -> None:
    planned = plan(plugin)
    for name in ("__pycache__/model.cpython-311.pyc", ".numba_cache/model.f-1.nbi", ".numba_cache/model.f-1.1.nbc"):
        (plugin / name).parent.mkdir(exist_ok=True)
        (plugin / name).write_bytes(b"x")
    check_files(planned)
    (plugin / ".numba_cache" / "more.py").write_text("x = 1")
    with pytest.raises(SpecMismatch, match=r"\.numba_cache/more.py is new"):
        check_files(planned)


def with_weights(planned: RunPlan, weights: str, **fields: Any) -> RunPlan:
    """Return a plan whose world model loads weights."""
    assert planned.world_model is not None
    manifest = {**planned.world_model.manifest, "weights": weights, **fields}
    return with_digests(replace(planned, world_model=replace(planned.world_model, manifest=manifest)))


def test_weights_of_the_same_path_that_change_while_a_run_is_played(plugin: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights" / "model.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"one")
    planned = with_weights(plan(plugin), str(file.parent))
    files = ModelFiles(planned.world_model)
    check_files(planned)
    os.utime(file, (1.0, 1.0))  # the times alone
    check_files(planned)
    assert files.damage() == ()
    file.write_bytes(b"two")
    with pytest.raises(SpecMismatch, match="checkpoint of world model 'mine' has changed"):
        check_files(planned)
    assert [damage.where for damage in files.damage()] == [str(file)]
    shutil.rmtree(file.parent)
    with pytest.raises(SpecMismatch, match=r"weights.* cannot be read"):
        check_files(planned)
    assert [damage.where for damage in files.damage()] == [str(file)]


def test_a_file_of_the_hubs_cache_that_is_written_over_is_damage(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--org--toy"
    snapshot, blobs = repository / "snapshots" / ("c" * 40), repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    contents = {"model.safetensors": b"one", "config.json": b"{}"}
    config = hashlib.sha1(b"blob 2\0{}").hexdigest()
    names = {"model.safetensors": hashlib.sha256(b"one").hexdigest(), "config.json": config}
    for file, name in names.items():
        (blobs / name).write_bytes(contents[file])
        (snapshot / file).symlink_to(blobs / name)
    checkpoint = {"source": "org/toy", "revision": "c" * 40, "sha256": ""}
    planned = with_weights(plan(plugin), "hub", checkpoint=checkpoint)
    assert planned.identity.wm_digests["checkpoint"] == f"commit {'c' * 40}"
    files = ModelFiles(planned.world_model)
    for name in names.values():
        (blobs / name).touch()
    assert files.damage() == ()
    for name in names.values():
        (blobs / name).write_bytes(b"another")
    assert [Path(damage.where).name for damage in files.damage()] == ["config.json", "model.safetensors"]


def test_a_file_that_changes_while_a_run_is_played_is_damage_and_a_new_one_is_not(plugin: Path) -> None:
    """A model may read it again with each call: no start of a service would show it."""
    files = ModelFiles(plan(plugin).world_model)
    (plugin / "log.txt").write_text("written by the plugin")
    assert files.damage() == ()
    (plugin.parent / "base" / "part.py").write_text("x = 2\n")
    (plugin / "plugin.toml").unlink()
    assert [damage.where for damage in files.damage()] == ["code mine/plugin.toml", "code base/part.py"]
    assert ModelFiles(None).damage() == ()


def test_a_worker_looks_at_the_code_that_it_started(plugin: Path, tmp_path: Path) -> None:
    planned = plan(plugin)
    suite = load_suite(planned.identity.suite, "ignav")
    for text in (MODEL, f"{MODEL}\n"):
        (plugin / "model.py").write_text(text)
        services = PlanServices(planned, suite, tmp_path)
        try:
            if text == MODEL:
                assert services.imaginer(None) is not None
            else:
                with pytest.raises(SpecMismatch, match="has changed"):
                    services.imaginer(None)
        finally:
            services.close()


def test_a_measurement_goes_on_with_the_same_bytes_alone(plugin: Path, tmp_path: Path) -> None:
    first = plan(plugin)
    folder = runs.create(first, tmp_path / "runs")
    assert unfinished((folder,), first) is folder and outdated((folder,), first) is None
    (plugin / "model.py").write_text(f"{MODEL}\n")
    now = plan(plugin)
    found = outdated((folder,), now)
    assert unfinished((folder,), now) is None and found is not None
    assert found[0] is folder and found[1][0].startswith("code mine (")
    old = runs.create(replace(first, identity=replace(first.identity, wm_digests={})), tmp_path / "old")
    assert unfinished((old,), now) is old  # nothing is known of it, and it must go on


def test_references_are_reused_with_the_same_bytes_alone(plugin: Path, tmp_path: Path) -> None:
    first = plan(plugin)
    runs.create(first, tmp_path / "runs")
    old = runs.create(replace(first, identity=replace(first.identity, wm_digests={})), tmp_path / "old")
    assert len(list(same_runs(plan(plugin), tmp_path / "runs"))) == 1
    (plugin / "model.py").write_text(f"{MODEL}\n")
    assert list(same_runs(plan(plugin), tmp_path / "runs")) == []
    assert [folder.path for folder in same_runs(plan(plugin), tmp_path / "old")] == [old.path]


def test_identities_of_before_are_read(plugin: Path, tmp_path: Path) -> None:
    identity = plan(plugin).identity
    old = replace(identity, wm_digests={})
    assert changed_parts(old, identity) == () and "does not say" in unknown_parts(old, identity)
    image = replace(identity, wm_digests={"code": "image sha256:" + "a" * 64})
    assert changed_parts(image, identity) == () and "image" in unknown_parts(image, identity)
    other = replace(identity, wm_digests={"code": "image sha256:" + "b" * 64})
    assert changed_parts(image, other) == ("code (image aaaaaaaaaaaa and image bbbbbbbbbbbb)",)
