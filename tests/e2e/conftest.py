"""End-to-end tests drive `benchmark.py` as a user does: a process, its exit code, what it prints and leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A homes cache that all end-to-end tests share, so that each home is built once."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return tmp_path_factory.mktemp("homes")
    shared = tmp_path_factory.getbasetemp().parent / "homes"  # the parent belongs to all workers of this session
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture
def benchmark_py(homes: Path, tmp_path: Path) -> Command:
    """Run `benchmark.py` with arguments in an empty folder; returns the finished process."""

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "WIW_CACHE": str(homes), "COLUMNS": "200", **extra}
        return subprocess.run(
            [sys.executable, str(ROOT / "benchmark.py"), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    return run


def results_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON object that a `--json` command printed."""
    found: dict[str, Any] = json.loads(done.stdout)
    return found
