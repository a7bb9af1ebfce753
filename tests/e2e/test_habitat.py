"""Embedded episodes played in Habitat through the command line: exported, stamped, repeatable, never mixed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.runtimes.environments import has_module
from tests.e2e.conftest import Command, results_of

pytest.importorskip("numba")

PYTHON = os.environ.get("WIW_HABITAT_PYTHON", "")
PLAY = ("--wm", "gtsim", "--task", "ignav", "--episodes", "1", "--workers", "1", "--json")


@pytest.mark.skipif(not PYTHON, reason="WIW_HABITAT_PYTHON names no interpreter with habitat_sim")
def test_habitat_plays_embedded_episodes_under_a_name_of_its_own(benchmark_py: Command, tmp_path: Path) -> None:
    where = ("--environment", "habitat", "--scenes", str(tmp_path / "scenes"), "--env-python", PYTHON)
    done = benchmark_py(*PLAY, *where)
    assert done.returncode == 0, done.stderr
    assert "exporting" in done.stderr and len(list((tmp_path / "scenes").glob("*.glb"))) == 1
    there = results_of(done)
    assert there["suite"] == "embedded-v1@habitat" and there["episodes"]["ok"] + there["episodes"]["failed"] == 1
    again = benchmark_py(*PLAY, *where)
    assert "exporting" not in again.stderr
    assert results_of(again)["trajectory_root"] == there["trajectory_root"]
    here = results_of(benchmark_py(*PLAY, "--dry-run"))
    assert here["suite"] == "embedded-v1" and here["suite_hash"] != there["suite_hash"]
    assert here["estimate_from"].startswith("no earlier run")


@pytest.mark.skipif(has_module("", "habitat_sim"), reason="this interpreter has habitat_sim")
@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        ((*PLAY, "--environment", "habitat"), ("habitat_eval", "--env-python")),
        (("datasets", "prepare", "ignav"), ("has no habitat_sim", "--env-python")),
        (("datasets", "prepare", "ar"), ("only ignav becomes a suite",)),
        ((*PLAY, "--scenes", "here"), ("--scenes is for Habitat",)),
        ((*PLAY, "--environment", "habbitat"), ("habitat",)),
    ],
)
def test_what_is_missing_is_named(
    arguments: tuple[str, ...],
    sentences: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in said
