"""End-to-end tests drive `benchmark.py` as a user does: a process, its exit code, what it prints and leaves.

A run costs seconds (two services start and load compiled code), so the world models are played once a test
session, and every test that only looks at a finished run looks at those.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLAY = ("--task", "ignav", "--split", "test", "--episodes", "1", "--workers", "1", "--json")
"""Each worker starts services of its own; of the test split no references are shipped, so they are played."""

VALIDATE = ("--task", "ignav", "--episodes", "2", "--workers", "1", "--json")
"""Two homes of the default split, whose references are shipped and whose first states the bank of the tests holds."""

WORLD_MODELS = ("none", "look", "homing", "oracle", "copy", "warp", "gtsim")
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Played:
    """One finished run and the JSON object that it left as `results.json`."""

    folder: Path
    results: dict[str, Any]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all tests of this session share, also where several processes run them."""
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if parallel else base) / "end-to-end"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def homes(shared: Path) -> Path:
    """A homes cache that all end-to-end tests share, so that each home is built once."""
    return shared / "homes"


@pytest.fixture(scope="session")
def runs(shared: Path, homes: Path) -> Path:
    """A folder of runs with each world model's, played once by one command: `gtsim` with its references."""
    folder = shared / "runs"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first of several processes plays, the others wait for its runs
        if not folder.exists():
            arguments = ("--wm", "gtsim", *PLAY, "--references", "--out", str(folder))
            done = run_benchmark(arguments, shared, homes)
            assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def played(runs: Path) -> dict[str, Played]:
    """The finished run of each world model, by name."""
    return finished_in(runs)


@pytest.fixture(scope="session")
def validated(shared: Path, homes: Path) -> dict[str, Played]:
    """The finished runs of `copy`, `warp` and `gtsim` on the split whose references are shipped, by name."""
    folder = shared / "validated"
    with (shared / "validated-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for wm in ("copy", "warp", "gtsim"):
            if wm not in finished_in(folder):
                done = run_benchmark(("--wm", wm, *VALIDATE, "--out", str(folder)), shared, homes)
                assert done.returncode == 0, done.stderr
    return finished_in(folder)


def finished_in(runs: Path) -> dict[str, Played]:
    """Return the finished runs of a folder by their world models."""
    found = {}
    for folder in sorted(path.parent for path in runs.glob("*/results.json")):
        results = json.loads((folder / "results.json").read_text())
        found[results["wm"]] = Played(folder, results)
    return found


@pytest.fixture
def benchmark_py(homes: Path, tmp_path: Path) -> Command:
    """Run `benchmark.py` with arguments in an empty folder; returns the finished process."""

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return run_benchmark(arguments, tmp_path, homes, **extra)

    return run


def run_benchmark(
    arguments: tuple[str, ...], folder: Path, homes: Path, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run `benchmark.py` in ``folder`` with the homes cache ``homes``; return the finished process."""
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmark.py"), *arguments],
        cwd=folder, env={**os.environ, "WIW_CACHE": str(homes), "COLUMNS": "200", **extra},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def results_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON object that a `--json` command printed."""
    found: dict[str, Any] = json.loads(done.stdout)
    return found
