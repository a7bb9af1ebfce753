"""Planted gaps in what runs need: scenes, weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.diagnosing.findings import OK, SKIPPED, WARNING
from harness.diagnosing.host_checks import check_scenes, check_suites, check_weights
from harness.worldmodels.catalog import load_catalog

PLUGIN = """
[family]
name = "far"
entry_point = "far:Far"
[[model]]
name = "far-1"
[model.checkpoint]
source = "{source}"
revision = "{revision}"
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_embedded_suite_can_run_here() -> None:
    pytest.importorskip("numba")
    found = {finding.name: finding for finding in check_suites()}
    assert found["suite: embedded-v1"].state == OK


def test_missing_scenes_name_licence_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIW_DATA", str(tmp_path))
    found = {finding.name: finding for finding in check_scenes()}
    assert found["data: hm3d-val"].state == WARNING
    assert "Matterport" in found["data: hm3d-val"].meaning
    assert found["data: hm3d-val"].next_step.startswith("python benchmark.py datasets hm3d-val")
    assert found["data: ignav"].next_step.startswith("python benchmark.py datasets fetch ignav")
    episodes = tmp_path / "WIW_datasets" / "eval_datasets" / "AR" / "episodes_AR.json.gz"
    episodes.parent.mkdir(parents=True)
    episodes.touch()
    assert {f.name: f for f in check_scenes()}["data: ar"].state == OK


def test_without_a_data_folder_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIW_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (found,) = check_scenes()
    assert found.state == SKIPPED and "benchmark.py datasets" in found.next_step


def weights(folder: Path, source: str, revision: str = "") -> tuple[str, str]:
    family = folder / "plugins" / "far"
    family.mkdir(parents=True, exist_ok=True)
    (family / "plugin.toml").write_text(PLUGIN.format(source=source, revision=revision))
    entries = [e for e in load_catalog([folder / "plugins"]).entries if e.manifest.family == "far"]
    (found,) = check_weights(entries)
    return found.state, found.next_step


@pytest.mark.parametrize("revision", ["", COMMIT])
def test_weights_in_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    state, step = weights(tmp_path, "org/far", revision)
    assert state == WARNING and step.endswith(f"hf download org/far{f' --revision {revision}' if revision else ''}")
    repository = tmp_path / "hf" / "hub" / "models--org--far"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    assert weights(tmp_path, "org/far", revision)[0] == WARNING, "an empty snapshot holds no weights"
    file = snapshot / "model.safetensors"
    file.symlink_to(repository / "blobs" / "gone")
    assert weights(tmp_path, "org/far", revision)[0] == WARNING, "a link to a deleted blob holds no weights"
    file.unlink()
    file.touch()
    assert weights(tmp_path, "org/far", revision)[0] == WARNING, "an empty file holds no weights"
    file.write_bytes(b"weights")
    assert weights(tmp_path, "org/far", revision)[0] == OK


def test_weights_at_a_path(tmp_path: Path) -> None:
    assert weights(tmp_path, str(tmp_path / "far.safetensors"))[0] == WARNING
    (tmp_path / "far.safetensors").touch()
    assert weights(tmp_path, str(tmp_path / "far.safetensors"))[0] == OK


def test_no_declared_weights_is_no_fault() -> None:
    assert [finding.state for finding in check_weights(())] == [SKIPPED]
