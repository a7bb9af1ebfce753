"""Embedded episodes played in Habitat through the command line: exported, stamped, repeatable, never mixed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.running.habitat import has_module
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


@pytest.mark.skipif(has_module(""), reason="this interpreter has habitat_sim")
def test_what_is_missing_is_named(benchmark_py: Command) -> None:
    done = benchmark_py(*PLAY, "--environment", "habitat")
    assert done.returncode == 2 and "habitat_eval" in done.stderr and "--env-python" in done.stderr
    done = benchmark_py("datasets", "prepare", "ignav")
    assert done.returncode == 2 and "has no habitat_sim" in done.stderr and "--env-python" in done.stderr
    done = benchmark_py("datasets", "prepare", "ar")
    assert done.returncode == 2 and "only ignav becomes a suite" in done.stderr
    done = benchmark_py(*PLAY, "--scenes", "here")
    assert done.returncode == 2 and "--scenes is for Habitat" in done.stderr
    done = benchmark_py(*PLAY, "--environment", "habbitat")
    assert done.returncode == 2 and "habitat" in done.stderr
