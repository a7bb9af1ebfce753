"""How long a report of a thousand episodes takes to write and to open; run with ``-n 0 --benchmark-only``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.records.folder import RunFolder
from harness.reporting.report import REPORT, write_report
from tests.reporting.chromium import FLAGS, PATH, needs_chromium, ready_ms
from tests.reporting.synthetic_folder import write_run
from tests.scoring.synthetic import synthetic_run

EPISODES = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Write a run of a thousand episodes with all their files."""
    return write_run(tmp_path_factory.mktemp("runs"), synthetic_run(homes=EPISODES // 4, per_home=4, errors=3))


def test_write_a_thousand_episodes(benchmark: Any, folder: RunFolder) -> None:
    """Goal: 20 MB at most, whatever the run."""
    written = benchmark.pedantic(write_report, args=(folder,), rounds=3)
    benchmark.extra_info["bytes"] = written.report.stat().st_size
    assert written.report.stat().st_size <= 20_000_000


@needs_chromium
def test_open_a_thousand_episodes(benchmark: Any, folder: RunFolder, tmp_path: Path) -> None:
    """Goal: 2 s from navigation to the drawn table. The benchmark's own figure includes starting the browser."""
    write_report(folder)
    milliseconds: list[float] = []

    def open_page() -> None:
        profile = tmp_path / f"profile-{len(milliseconds)}"
        url = (folder.path / REPORT).absolute().as_uri()
        command = (str(PATH), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", url)
        dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        shutil.rmtree(profile, ignore_errors=True)
        milliseconds.append(ready_ms(dom))

    benchmark.pedantic(open_page, rounds=5)
    benchmark.extra_info["ready_ms"] = sorted(milliseconds)
