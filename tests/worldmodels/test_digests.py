"""Digests: what counts as a part of a world model, what does not, and how a hub reference that moves is held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import Refusal
from harness.contracts.manifests import Checkpoint, ModelManifest
from harness.worldmodels.catalog import load_catalog
from harness.worldmodels.digests import (
    IMPORTED_CODE,
    code_digests,
    commits_of,
    folder_digest,
    weights_digests,
    with_commits,
)
from harness.worldmodels.hub_cache import is_hub_id, repository_folder
from harness.worldmodels.preparing import Choice, prepare
from tests.worldmodels.hub_folder import COMMIT, cached, pipeline_files

MOVING = ModelManifest("toy", "toys", "plugin", checkpoint=Checkpoint("org/toy"), weights="hub")
LATER = "f" * 40
NOT_PINNED = {"ltx", "FTltx", "skyreels"}
"""Their commits stand in no public file; the READMEs of their families say so."""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "inner").mkdir(parents=True)
    (folder / "model.py").write_text("x = 1\n")
    (folder / "inner" / "part.py").write_text("y = 1\n")
    return folder


@pytest.mark.parametrize("name", ["model.py", "inner/part.py", "inner/new.toml", ".hidden"])
def test_every_file_of_a_plugin_counts(plugin: Path, name: str) -> None:
    before = folder_digest(plugin)
    (plugin / name).write_text("x = 2\n")
    assert folder_digest(plugin) != before


@pytest.mark.parametrize("name", ["__pycache__/model.cpython-311.pyc", ".git/HEAD", "model.nbi", ".pytest_cache/x"])
def test_what_tools_leave_beside_code_does_not_count(plugin: Path, name: str) -> None:
    before = folder_digest(plugin)
    (plugin / name).parent.mkdir(exist_ok=True)
    (plugin / name).write_text("cache")
    assert folder_digest(plugin) == before


def test_a_renamed_file_and_a_linked_folder_count(plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "shared.py").write_text("z = 1\n")
    (plugin / "linked").symlink_to(tmp_path / "elsewhere")
    (plugin / "linked" / "loop").symlink_to(plugin)
    digests = {folder_digest(plugin)}
    (tmp_path / "elsewhere" / "shared.py").write_text("z = 2\n")
    digests.add(folder_digest(plugin))
    (plugin / "model.py").rename(plugin / "other.py")
    digests.add(folder_digest(plugin))
    assert len(digests) == 3


def test_a_link_that_is_turned_to_another_folder_counts(plugin: Path) -> None:
    """Also where it sorts after the folders that it may lead to."""
    for name in ("a-100", "a-200"):
        (plugin / name).mkdir()
        (plugin / name / "step.txt").write_text(name)
    (plugin / "latest").symlink_to("a-100")
    before = folder_digest(plugin)
    (plugin / "latest").unlink()
    (plugin / "latest").symlink_to("a-200")
    assert folder_digest(plugin) != before


def test_bytecode_without_a_source_counts(plugin: Path) -> None:
    (plugin / "hidden.pyc").write_bytes(b"one")
    before = folder_digest(plugin)
    (plugin / "hidden.pyc").write_bytes(b"two")
    assert folder_digest(plugin) != before


def test_a_link_to_a_huge_tree_is_refused_in_a_sentence(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.contracts.code_files.MOST_FILES", 50)
    (plugin / "data").mkdir()
    for number in range(60):
        (plugin / "data" / str(number)).touch()
    with pytest.raises(Refusal, match="more than 50 files"):
        folder_digest(plugin)
    (plugin / "root").symlink_to("/")
    with pytest.raises(Refusal):
        folder_digest(plugin)


def test_a_shared_folder_and_a_checkout_are_parts_of_their_own(plugin: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "mine"
    shared.mkdir(parents=True)
    (shared / "base.py").write_text("b = 1\n")
    before = code_digests([plugin, shared], str(tmp_path / "shared"))
    assert len(before) == 3
    (shared / "base.py").write_text("b = 2\n")
    after = code_digests([plugin, shared], str(tmp_path / "shared"))
    assert [name for name in before if before[name] != after[name]] == [f"code {shared}", "authors' code"]


def moved(cache: Path) -> None:
    """Let the main branch of the toy stand for another commit, which is here as well."""
    repository = repository_folder("org/toy", cache)
    (repository / "refs" / "main").write_text(LATER)
    (repository / "snapshots" / COMMIT).rename(repository / "snapshots" / LATER)
    cached(cache, "org/toy", pipeline_files(), "older")


def test_a_reference_that_moved_is_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cached(tmp_path, "org/toy", pipeline_files())
    began = prepare(MOVING, Choice()).manifest
    digests = weights_digests(began)
    assert (began.checkpoint.revision, digests) == (COMMIT, {"checkpoint": f"commit {COMMIT}"})
    moved(tmp_path)
    now = prepare(MOVING, Choice()).manifest
    assert now.checkpoint.revision == LATER and now.digest() != began.digest()
    assert prepare(MOVING, Choice(commits=commits_of(digests))).manifest == began


def test_a_model_without_a_commit_is_stamped_and_the_run_has_the_one_that_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cached(tmp_path, "org/toy", pipeline_files())
    prepared = prepare(MOVING, Choice())
    assert (prepared.stamps, prepared.manifest.checkpoint.revision) == (("unpinned",), COMMIT)
    continued = prepare(MOVING, Choice(commits=commits_of(weights_digests(prepared.manifest))))
    assert continued.stamps == ("unpinned",)
    assert prepare(replace(MOVING, checkpoint=Checkpoint("org/toy", COMMIT)), Choice()).stamps == ()
    assert prepare(MOVING, Choice(weights="random")).stamps == ("random-weights",)


@pytest.mark.parametrize("name", sorted(NOT_PINNED))
def test_the_models_without_a_commit_are_stamped(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    manifest = load_catalog().find(name).manifest
    weights = "" if manifest.checkpoint.source else str(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "unpinned" in prepare(manifest, Choice(weights=weights)).stamps


def test_a_pinned_model_keeps_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    pinned = replace(MOVING, checkpoint=Checkpoint("org/toy", COMMIT))
    cached(tmp_path, "org/toy", pipeline_files())
    assert with_commits(pinned, {}).digest() == pinned.digest()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "scheduler/scheduler_config.json"])
def test_every_file_of_chosen_weights_counts_but_the_card(tmp_path: Path, name: str) -> None:
    (tmp_path / "scheduler").mkdir()
    for file in ("model.safetensors", "config.json", "scheduler/scheduler_config.json", "README.md"):
        (tmp_path / file).write_text("before")
    manifest = replace(MOVING, weights=str(tmp_path))
    before = weights_digests(manifest)
    (tmp_path / "README.md").write_text("after")
    assert weights_digests(manifest) == before and set(before) == {"checkpoint"}
    (tmp_path / name).write_text("later")
    assert weights_digests(manifest) != before


def test_the_zoo_is_pinned_where_a_commit_is_known() -> None:
    for entry in load_catalog().entries:
        for checkpoint in (entry.manifest.checkpoint, entry.manifest.base_checkpoint):
            if is_hub_id(checkpoint.source):
                pinned = len(checkpoint.revision) == 40
                assert pinned or entry.manifest.name in NOT_PINNED, entry.manifest.name
    for family in ("ltx", "diffusers"):
        readme = load_catalog().find("ltx" if family == "ltx" else "skyreels").folder / "README.md"
        assert "not pinned" in readme.read_text(encoding="utf-8")


def test_what_a_plugin_imports_from_the_users_python_path_is_a_part(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what that imports, and through a link; nothing else that lies there."""
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    (tmp_path / "lib").mkdir()
    for name, text in {"helper": "import deeper_one\n", "deeper_one": "x = 1\n", "unrelated_one": ""}.items():
        (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "lib" / f"{name}.py").symlink_to(tmp_path / f"{name}.py")
    assert IMPORTED_CODE not in code_digests([plugin])
    (plugin / "model.py").write_text("def f():\n    import helper\n")
    before = code_digests([plugin])
    (tmp_path / "unrelated_one.py").write_text("x = 2\n")
    assert code_digests([plugin]) == before
    (tmp_path / "deeper_one.py").write_text("x = 2\n")
    after = code_digests([plugin])
    assert [name for name in after if before[name] != after[name]] == [IMPORTED_CODE]
